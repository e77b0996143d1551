"""Replacing the master key: every sealed record is sealed anew, in small transactions, while servers run; any step may be the last one.

Whatever was done is seen in the database and in the driver's keys alone: a run that died is taken up by the next, and two at once do
the same work. Until all is done, a server starts with either key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import ConfigError
from pepay_core.secrets import Vault
from pepay_core.services.recording import Recorder, operator
from pepay_core.services.unlocking import admit, dismiss, unlock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pepay_core.contracts.context import Clock
    from pepay_core.contracts.secrets import SecretsDriver
    from pepay_core.services.ports import Store, Transaction
    from pepay_core.services.records import SealedRecord

_BATCH: Final = 100
_ANY: Final = bytes(9)


@dataclass(frozen=True, slots=True)
class Sealing:
    """How many records were sealed anew in each place, and how many of all those had stood in clear.

    ``damaged`` are those that open with no key that is known, or stand in clear where that is refused.
    """

    records: Mapping[str, int]
    clear: int
    damaged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rotation:
    """A replacement that is done; ``resumed`` tells whether an earlier call had begun it."""

    sealing: Sealing
    resumed: bool


async def rotate(store: Store, driver: SecretsDriver, clock: Clock, progress: Callable[[int, int], None] | None = None) -> Rotation:
    """Replace the master key, or finish what an earlier call began; raises ConfigError where the driver has no next key."""
    vault = Vault.of(driver)
    keys = await unlock(store, vault)
    if not keys.replacing:
        coming = Vault(driver.prepare(), previous=[vault.key(each) for each in (vault.key_id, *vault.other_ids)], root=keys.root)
        coming.unlock(keys.root, refuses_clear=keys.all_sealed)
        await store.run(lambda tx: admit(tx, coming, beside=vault.key_id))
    # The database knows both keys now. Servers that run take the new one up when they next seal something, or meet it.
    driver.switch()
    vault = Vault.of(driver)
    await unlock(store, vault)
    sealing = await seal_anew(store, vault, progress)

    async def settle(tx: Transaction) -> None:
        if await dismiss(tx, vault):
            details = {"records": sum(sealing.records.values()), "damaged": list(sealing.damaged[:10])}
            await Recorder(clock, vault).note(tx, operator(), "secrets.rotated", "master-key", details)

    await store.run(settle)
    return Rotation(sealing, keys.replacing)


async def plan(store: Store, driver: SecretsDriver) -> dict[str, int]:
    """Return how many records of each place :func:`rotate` would seal anew."""
    vault = Vault.of(driver)
    keys = await unlock(store, vault)
    async with store.read() as tx:
        return {place: await tx.sealed.count(place, vault.mark if keys.replacing else _ANY) for place in tx.sealed.places}


async def seal_anew(store: Store, vault: Vault, progress: Callable[[int, int], None] | None = None) -> Sealing:
    """Seal whatever the present master key has not sealed, until nothing of it is left: servers write meanwhile."""
    async with store.read() as tx:
        places = tuple(tx.sealed.places)
        total = sum([await tx.sealed.count(place, vault.mark) for place in places])
    done, clear, damaged = dict.fromkeys(places, 0), 0, dict[str, None]()
    while True:
        before = sum(done.values())
        for place in places:
            after: str | int | None = None
            while True:
                batch = await store.run(lambda tx, place=place, after=after: _batch(tx, vault, place, after))
                done[place] += batch.sealed
                clear += batch.clear
                damaged |= dict.fromkeys(batch.damaged)
                if progress is not None:
                    progress(sum(done.values()), total)
                if batch.last is None:
                    break
                after = batch.last
        if sum(done.values()) == before:
            return Sealing(done, clear, tuple(damaged))


@dataclass(frozen=True, slots=True)
class _Batch:
    last: str | int | None
    sealed: int = 0
    clear: int = 0
    damaged: tuple[str, ...] = ()


async def _batch(tx: Transaction, vault: Vault, place: str, after: str | int | None) -> _Batch:
    found = await tx.sealed.stale(place, vault.mark, after, _BATCH)
    if not found:
        return _Batch(None)
    sealed, clear, damaged = 0, 0, list[str]()
    for each in found:
        try:
            text = _text(vault, each)
        except ConfigError:
            # It opens with no key, and so it cannot be sealed anew: it stays as it is.
            damaged.append(f"{place} {each.key}")
            continue
        if each.sealed is None and vault.refuses_clear:
            # Sealing it would make it as good as what PePay wrote.
            damaged.append(f"{place} {each.key}")
            continue
        if await tx.sealed.replace(place, each, vault.seal(each.purpose, each.row, text)):
            sealed += 1
            clear += each.sealed is None
    return _Batch(found[-1].key, sealed, clear, tuple(damaged))


def _text(vault: Vault, record: SealedRecord) -> bytes:
    if record.sealed is None:
        return record.clear or b""
    return vault.open(record.purpose, record.row, record.sealed)
