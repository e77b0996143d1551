"""What services need of storage for chains and prices: what was looked at, what left, and what was agreed on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from pepay_core.domain.assets import Address, AssetId, ChainId
    from pepay_core.domain.chains import Block, Destination
    from pepay_core.domain.coverage import ChainState, Coverage
    from pepay_core.domain.ids import WalletId
    from pepay_core.domain.rates import AgreedRate, NoRate, Pair
    from pepay_core.domain.sweeps import Balance, Sweep
    from pepay_core.services.records import RateRecord, TransferKey


class Sweeps(Protocol):
    """Departures from issued destinations: unique by chain, transaction, index and asset."""

    async def add(self, sweep: Sweep) -> bool:
        """Store it unless its departure is known; tell whether it was new."""
        ...

    async def save(self, sweep: Sweep) -> None: ...
    async def known(self, keys: Collection[TransferKey]) -> dict[TransferKey, Sweep]: ...
    async def above(self, chain: ChainId, height: int) -> list[Sweep]:
        """Return the active sweeps in blocks above a height."""
        ...

    async def balances(self, wallets: Collection[WalletId]) -> dict[WalletId, list[Balance]]:
        """Return what final payments brought to each wallet and what was swept from it, by asset."""
        ...

    async def at_destinations(self, chain: ChainId, wallets: Collection[WalletId]) -> dict[Address, list[Balance]]:
        """Return the same for each address on one chain at which there was anything."""
        ...


class Chains(Protocol):
    """Checkpoints, coverage and health per chain."""

    async def checkpoints(self, chain: ChainId) -> list[Block]:
        """Return the kept blocks, newest first."""
        ...

    async def add_checkpoints(self, chain: ChainId, blocks: Sequence[Block]) -> None: ...
    async def hold(self, chain: ChainId) -> None:
        """Let nobody else who holds it move this chain's record before the transaction ends."""
        ...

    async def newest_checkpoint(self, chain: ChainId) -> Block | None: ...
    async def checkpoint(self, chain: ChainId, *, above: int | None = None, below: int | None = None) -> Block | None:
        """Return the lowest kept block at or above a height, or the highest at or below one."""
        ...

    async def cut_checkpoints(self, chain: ChainId, above: int) -> None:
        """Forget the kept blocks above a height."""
        ...

    async def thin_checkpoints(self, chain: ChainId, after: int, until: int, step: int) -> None:
        """Forget the kept blocks above ``after`` up to ``until``, except for those whose height is a multiple of ``step``."""
        ...

    async def coverage(self, chain: ChainId, reaching: int = -1) -> list[Coverage]:
        """Return the ranges in order; those alone that reach to a height or above it, where one is given."""
        ...

    async def set_coverage(self, chain: ChainId, ranges: Sequence[Coverage], reaching: int) -> None:
        """Store ranges in place of those that reach to a height or above it."""
        ...

    async def cold_balances(self, chain: ChainId, addresses: Collection[str]) -> dict[tuple[Destination, AssetId], tuple[int, int]]:
        """Return what lay at addresses on the last cold pass that found a change, with the height of that look."""
        ...

    async def set_cold_balances(self, chain: ChainId, height: int, balances: Mapping[tuple[Destination, AssetId], int]) -> None:
        """Store what lies at destinations now; zero is forgotten."""
        ...

    async def state(self, chain: ChainId) -> ChainState | None: ...
    async def save_state(self, state: ChainState) -> None: ...


class Rates(Protocol):
    """The history of what was agreed on, and of what was not."""

    async def record(self, pair: Pair, decision: AgreedRate | NoRate, at: datetime) -> None: ...
    async def history(self, pair: Pair, start: datetime, end: datetime, limit: int) -> list[RateRecord]:
        """Return records, newest first."""
        ...
