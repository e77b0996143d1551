"""What the ledger keeps: blocks, the transactions that landed in them, and how sure each is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from solders.account import Account
    from solders.transaction import VersionedTransaction

    from pepay_sandbox.solana.engine import Keys, Outcome


class Commitment(IntEnum):
    """How sure a block is: seen, voted for by most, or never to go."""

    PROCESSED = 0
    CONFIRMED = 1
    FINALIZED = 2

    @property
    def word(self) -> str:
        """As the protocol writes it."""
        return self.name.lower()


@dataclass(slots=True, eq=False)
class Block:
    """One block. ``told`` is the commitment at which subscribers have heard of it."""

    slot: int
    height: int
    parent_slot: int
    parent_hash: str
    hash: str
    time: int
    landed: list[Landed] = field(default_factory=list)
    told: Commitment = Commitment.PROCESSED


@dataclass(frozen=True, slots=True)
class Holding:
    """What a token account held at one moment; ``index`` counts the accounts of the transaction."""

    index: int
    mint: str
    owner: str
    program: str
    units: int
    decimals: int


@dataclass(frozen=True, slots=True, eq=False)
class Landed:
    """A transaction in a block: it paid its fee, and may have failed."""

    signature: str
    block: Block
    position: int
    transaction: VersionedTransaction
    raw: bytes
    keys: Keys
    outcome: Outcome
    balances_before: tuple[int, ...]
    balances_after: tuple[int, ...]
    tokens_before: tuple[Holding, ...]
    tokens_after: tuple[Holding, ...]
    replaced: dict[str, Account | None]
    """What it changed, by address, as it was before."""

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands among all transactions."""
        return self.block.slot, self.position

    @property
    def error(self) -> Any:
        """None, or why it failed."""
        return self.outcome.error
