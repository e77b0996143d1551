"""What one transaction brought to whom: the one place that decides it, and it sees nothing but the transaction.

What arrived at an account is what its balance grew by, whatever instructions say: a fee that the token keeps back, a program that pays,
a lookup table and a token account that was made on the way change nothing about it. Instructions only tell *for whom* it arrived:

- A transfer into the account is meant for the invoice whose reference stands among the accounts of that very instruction; else of the
  instruction that called it, and so on outwards. A reference anywhere else in the transaction says nothing.
- One transfer is meant for one invoice: where several references stand in an instruction, the first that is known.
- Where an account was paid for several invoices, each gets what its transfers moved. Where less arrived than they moved, all lose in
  proportion. Where more arrived, the rest belongs to the instruction that names both the account and a reference but moved the money in a
  way that is not known here, as programs do that hold SOL themselves.

So the parts never add up to more than what arrived, and a part is known by the places of its account and its reference in the
transaction, whatever is being watched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pepay_solana.addresses import SYSTEM, TOKEN, TOKEN_2022

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pepay_core.api import AssetId, Destination
    from pepay_solana.clusters import Mint
    from pepay_solana.decoding import Holding, Instruction, Transaction


@dataclass(frozen=True, slots=True)
class Receiver:
    """An account at which a wallet is paid: the wallet itself, where ``mint`` is None, or its token account."""

    wallet: str
    asset: AssetId
    mint: Mint | None = None


@dataclass(frozen=True, slots=True)
class Credit:
    """A part of what a transaction brought."""

    index: str
    place: tuple[int, int]
    asset: AssetId
    to: Destination
    units: int
    sender: str


# Where the recipient and the amount stand in the instructions that move money: (source, destination, first byte of the amount).
_SYSTEM: Final = {2: (0, 1, 4), 11: (0, 2, 4)}  # Transfer, TransferWithSeed
_TOKEN: Final = {3: (0, 1, 1), 12: (0, 2, 1), 7: (0, 1, 1), 14: (0, 1, 1)}  # Transfer, TransferChecked, MintTo, MintToChecked
_TRANSFER_FEE: Final = (26, 1)  # TransferFeeExtension, TransferCheckedWithFee
_WITH_FEE: Final = (0, 2, 2)


def credits_of(
    tx: Transaction, receivers: Mapping[str, Receiver], references: Mapping[str, Destination], bare: Mapping[str, Destination]
) -> list[Credit]:
    """Return what a transaction brought to watched destinations.

    ``references`` are the destinations that have one, by it; ``bare`` those that have none, by address.
    """
    if tx.failed:
        return []
    found: list[Credit] = []
    for place, account in enumerate(tx.keys):
        receiver = receivers.get(account)
        if receiver is None:
            continue
        units = arrived_at(tx, place, receiver)
        if units > 0:
            found += _shared(tx, place, receiver, units, references, bare.get(receiver.wallet))
    return sorted(found, key=lambda each: each.place)


def arrived_at(tx: Transaction, place: int, receiver: Receiver) -> int:
    """Return by how much the account's balance grew, the fee apart."""
    if receiver.mint is None:
        return tx.after[place] - tx.before[place] + (tx.fee if place == 0 else 0)
    mint = receiver.mint

    def held(holding: Holding | None) -> int | None:
        if holding is None:
            return 0
        ours = (holding.mint, holding.owner, holding.program) == (mint.address, receiver.wallet, mint.program)
        return holding.units if ours else None

    before, after = held(tx.tokens_before.get(place)), held(tx.tokens_after.get(place))
    # An account that was somebody else's before, or is afterwards, was not paid but handed over.
    return 0 if before is None or after is None else after - before


def _shared(
    tx: Transaction, place: int, receiver: Receiver, arrived: int, references: Mapping[str, Destination], bare: Destination | None
) -> list[Credit]:
    """Divide what arrived at one account among the destinations that it was meant for."""

    def meant(instruction: Instruction) -> int | None:
        """Return the place of the reference that this very instruction carries for this wallet."""
        return next((each for each in instruction.accounts if (to := references.get(tx.keys[each])) and to.address == receiver.wallet), None)

    claims: dict[int | None, int] = {}
    senders: dict[int | None, str] = {}
    paying: set[int] = set()
    for number, instruction in enumerate(tx.instructions):
        moved = _moved(instruction, place)
        if moved is None:
            continue
        source, units = moved
        if source == place:
            continue
        reference, caller = meant(instruction), number
        paying.add(number)
        while (parent := tx.instructions[caller].parent) is not None:
            caller = parent
            paying.add(caller)
            reference = meant(tx.instructions[caller]) if reference is None else reference
        claims[reference] = claims.get(reference, 0) + units
        senders.setdefault(reference, _owner(tx, source, receiver))

    shares = _scaled(claims, arrived)
    rest = arrived - sum(shares.values())
    if rest:
        reference = next(
            (
                carried
                for number, instruction in enumerate(tx.instructions)
                if number not in paying and place in instruction.accounts and (carried := meant(instruction)) is not None
            ),
            None,
        )
        shares[reference] = shares.get(reference, 0) + rest

    found: list[Credit] = []
    for reference, units in shares.items():
        to = bare if reference is None else references[tx.keys[reference]]
        # What a wallet moves about by itself, as when it is emptied or exchanges something, is nobody's payment.
        own = reference is None and receiver.wallet in tx.keys[: tx.signers]
        if to is None or own or not units:
            continue
        index = str(place) if reference is None else f"{place}.{reference}"
        sender = senders.get(reference, tx.keys[0])
        found.append(Credit(index, (place, -1 if reference is None else reference), receiver.asset, to, units, sender))
    return found


def _scaled(claims: Mapping[int | None, int], arrived: int) -> dict[int | None, int]:
    """Return the claims where enough arrived for all, and otherwise what each gets of what arrived."""
    total = sum(claims.values())
    if total <= arrived:
        return dict(claims)
    shares = {reference: claim * arrived // total for reference, claim in claims.items()}
    largest = max(claims, key=lambda reference: claims[reference])
    shares[largest] += arrived - sum(shares.values())
    return shares


def _moved(instruction: Instruction, place: int) -> tuple[int, int] | None:
    """Return the place of the source and the units where an instruction is a transfer into an account."""
    layout = _layout(instruction)
    if layout is None:
        return None
    source, destination, start = layout
    if len(instruction.accounts) <= destination or len(instruction.data) < start + 8 or instruction.accounts[destination] != place:
        return None
    return instruction.accounts[source], int.from_bytes(instruction.data[start : start + 8], "little")


def _layout(instruction: Instruction) -> tuple[int, int, int] | None:
    data = instruction.data
    if instruction.program == SYSTEM:
        return _SYSTEM.get(int.from_bytes(data[:4], "little")) if len(data) >= 12 else None
    if instruction.program in {TOKEN, TOKEN_2022} and data:
        return _WITH_FEE if tuple(data[:2]) == _TRANSFER_FEE else _TOKEN.get(data[0])
    return None


def _owner(tx: Transaction, source: int, receiver: Receiver) -> str:
    """Return whose the money was: the source itself for SOL, and the owner of the source for a token."""
    if receiver.mint is None:
        return tx.keys[source]
    holding = tx.tokens_before.get(source) or tx.tokens_after.get(source)
    return holding.owner if holding else tx.keys[0]
