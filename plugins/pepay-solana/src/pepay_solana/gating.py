"""Which of many addresses are worth listing: those whose accounts do not look as they did when they were last listed.

A list of addresses would cost a look of its own for each of them. A hundred accounts fit into one question instead, and an account that
looks as it did was not paid. What it cannot see is money that came and went between two looks; so the longest ago are listed all the same, a
few at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pepay_solana import decoding
from pepay_solana.rpc import Call

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pepay_core.api import Block
    from pepay_solana.rpc import Endpoint

_ACCOUNTS: Final = 100
_TURNS: Final = 100
_AMOUNT: Final = {"offset": 64, "length": 8}


@dataclass(slots=True)
class _Known:
    """How a wallet's accounts looked in a slot, and up to which slot their histories were listed."""

    look: tuple[Any, ...]
    slot: int
    listed: int


class Gate:
    """Remembers how wallets looked. It is asked before each look, and told after it what was listed."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._looks: dict[str, tuple[tuple[Any, ...], int]] = {}

    async def due(self, endpoint: Endpoint, wallets: Mapping[str, Collection[str]], after: Block, until: Block) -> list[str]:
        """Return the wallets, given with their accounts, whose histories must be listed above a block, up to another.

        Where the first is one that was passed before, as after a fork, everything above it is listed again.
        """
        self._known = {wallet: known for wallet, known in self._known.items() if wallet in wallets}
        self._looks = await _looks(endpoint, wallets, until)
        changed = [wallet for wallet in wallets if not self._is_clean(wallet, after)]
        # A wallet's turn comes by itself, too: the one that was listed the longest ago first.
        clean = sorted((known.listed, wallet) for wallet, known in self._known.items() if self._is_clean(wallet, after))
        turns = -(-len(wallets) // _TURNS)
        return changed + [wallet for _, wallet in clean[:turns]]

    def above(self, wallet: str, default: int) -> int:
        """Return the slot above which a wallet's history was not listed yet."""
        known = self._known.get(wallet)
        return default if known is None else min(known.listed, default)

    def listed(self, wallets: Collection[str], last: int) -> None:
        """Remember that the histories of these wallets were listed up to a slot, and how the wallets looked before."""
        for wallet in wallets:
            look, slot = self._looks[wallet]
            self._known[wallet] = _Known(look, slot, last)

    def _is_clean(self, wallet: str, after: Block) -> bool:
        """Tell whether everything that made a wallet look as it does has been listed."""
        known = self._known.get(wallet)
        return known is not None and known.look == self._looks[wallet][0] and known.slot <= known.listed <= after.height


async def _looks(endpoint: Endpoint, wallets: Mapping[str, Collection[str]], until: Block) -> dict[str, tuple[tuple[Any, ...], int]]:
    """Return how the accounts of each wallet look, and in which slot."""
    asked = [(wallet, account) for wallet, accounts in wallets.items() for account in accounts]
    parts = [asked[start : start + _ACCOUNTS] for start in range(0, len(asked), _ACCOUNTS)]
    options = {"encoding": "base64", "commitment": "confirmed", "dataSlice": _AMOUNT, "minContextSlot": until.height}
    answers = await endpoint.ask([Call("getMultipleAccounts", ([account for _, account in part], options)) for part in parts])
    looks: dict[str, tuple[tuple[Any, ...], int]] = {}
    for part, answer in zip(parts, answers, strict=True):
        slot = decoding.context_slot(answer)
        for (wallet, _), account in zip(part, decoding.accounts(answer, len(part)), strict=True):
            before, newest = looks.get(wallet, ((), 0))
            looks[wallet] = (*before, None if account is None else (account.lamports, account.data)), max(newest, slot)
    return looks
