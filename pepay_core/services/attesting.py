"""Reading the audit log: as its merchant sees it, and whether it still says all that was written, in the order in which it was."""

from __future__ import annotations

import hmac
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.errors import ConfigError, InvalidInput
from pepay_core.services.paging import Slice
from pepay_core.services.presenting import seconds
from pepay_core.services.recording import BEGUN, DETAILS, START, Head, code

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from pepay_core.domain.audit import AuditEntry
    from pepay_core.secrets import Vault
    from pepay_core.services.callers import Caller
    from pepay_core.services.paging import Page
    from pepay_core.services.ports import Store, Transaction

MOST_FINDINGS: Final = 100
_BATCH: Final = 500
_ANCHOR: Final = re.compile(r"(\d{1,18}):([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something about the log that is not as it was written. ``sequence`` is the entry that shows it."""

    sequence: int
    message: str


@dataclass(frozen=True, slots=True)
class Attestation:
    """What became of the log: how many entries were read, the anchor of its end, and its flaws, at most a hundred."""

    entries: int
    anchor: str
    flaws: tuple[Flaw, ...]


class Attesting:
    """Reads the audit log."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault
        self._key = vault.derive("audit-log")

    async def page(self, caller: Caller, page: Page, where: Mapping[str, Any]) -> Slice[dict[str, Any]]:
        """Return a merchant's entries, newest first: those of the caller's environment, and those that belong to none."""
        async with self._store.read() as tx:
            found = await tx.audit.page(caller.merchant, livemode=caller.livemode, page=page, where=where)
        return Slice(tuple(self.object(each) for each in found.items), found.has_more)

    async def every(self) -> AsyncIterator[dict[str, Any]]:
        """Go through all entries of all merchants and of the installation, oldest first, with what ties them together."""
        async with self._store.read() as tx:
            async for entry in _entries(tx):
                yield {"sequence": entry.sequence, **self.object(entry), "mac": entry.mac.hex()}

    async def newest(self, limit: int) -> AsyncIterator[dict[str, Any]]:
        """Go through the newest entries of everybody, oldest first."""
        async with self._store.read() as tx:
            last = await tx.audit.newest()
            start = 0 if last is None else last.sequence - limit
            for entry in await tx.audit.after(start, limit):
                yield {"sequence": entry.sequence, **self.object(entry)}

    def object(self, entry: AuditEntry) -> dict[str, Any]:
        """Return an entry as the API shows it; ``details`` is null where they are damaged."""
        try:
            details = json.loads(self._vault.open(DETAILS, entry.id, entry.details))
        except ConfigError:
            details = None
        return {
            "object": "audit_entry",
            "id": entry.id,
            "livemode": entry.actor.livemode,
            "merchant": entry.actor.merchant,
            "actor": {"kind": entry.actor.kind, "name": entry.actor.name},
            "action": entry.action,
            "subject": entry.subject,
            "details": details,
            "created_at": seconds(entry.at),
        }

    async def anchor(self) -> str:
        """Return a text that says where the log ends now: kept elsewhere, it shows later whether the log was cut off before it."""
        async with self._store.read() as tx:
            sealed = await tx.audit.head()
        head = START if sealed is None else Head.open(self._vault, sealed)
        return _anchor(head)

    async def verify(self, anchors: Mapping[int, str] | None = None, progress: Callable[[int, int], None] | None = None) -> Attestation:
        """Read all of it again, and compare with the head and with anchors that were kept; ``progress`` is told of how many are done."""
        flaws: list[Flaw] = []
        wanted = dict(anchors or {})
        last, head = START, None
        try:
            async with self._store.read() as tx:
                head = await self._head(tx, await tx.audit.head(), flaws)
                _compare(wanted, last, flaws)
                seen, there = 0, await tx.audit.count()
                async for entry in _entries(tx):
                    flaws += self._flaws(last, entry)
                    last = Head(entry.sequence, entry.mac)
                    _compare(wanted, last, flaws)
                    seen += 1
                    if progress is not None:
                        progress(seen, there)
                if seen != there:
                    flaws.append(Flaw(last.count, f"{there - seen} entries stand outside of the order"))
        except (ArithmeticError, LookupError, TypeError, ValueError) as exc:
            # SQLite stores anything in any column.
            flaws.append(Flaw(last.count, f"what follows cannot be read ({type(exc).__name__})"))
        if head is not None and head != last:
            gone = head.count - last.count
            said = f"the last {gone} entries are gone" if gone > 0 else "the entries at the end are not those that the head knows"
            flaws.append(Flaw(last.count, said))
        flaws += [Flaw(count, "the entry that the anchor names is gone") for count in sorted(wanted)]
        return Attestation(last.count, _anchor(last), tuple(sorted(flaws, key=lambda each: each.sequence)[:MOST_FINDINGS]))

    async def _head(self, tx: Transaction, sealed: bytes | None, flaws: list[Flaw]) -> Head | None:
        if sealed is None:
            if await tx.facts.get(BEGUN) is None:
                return START
            flaws.append(Flaw(0, "the head is gone: nobody knows how many entries there were"))
            return None
        try:
            return Head.open(self._vault, sealed)
        except ConfigError:
            flaws.append(Flaw(0, "the head is damaged: nobody knows how many entries there were"))
            return None

    def _flaws(self, last: Head, entry: AuditEntry) -> list[Flaw]:
        flaws: list[Flaw] = []
        if entry.sequence != last.count + 1:
            flaws.append(Flaw(entry.sequence, f"it does not follow entry {last.count}: what was between them is gone"))
        try:
            details = self._vault.open(DETAILS, entry.id, entry.details)
            right = hmac.compare_digest(entry.mac, code(self._key, last.mac, entry, details))
        except (ConfigError, ValueError, OverflowError):
            right = False
        if not right and not flaws:
            flaws.append(Flaw(entry.sequence, "it was altered, or does not follow the entry before it"))
        return flaws


async def _entries(tx: Transaction) -> AsyncIterator[AuditEntry]:
    last: int | None = None
    while batch := await tx.audit.after(last, _BATCH):
        for each in batch:
            yield each
        last = batch[-1].sequence


def _anchor(head: Head) -> str:
    return f"{head.count}:{head.mac.hex()}"


def read_anchor(text: str) -> tuple[int, str]:
    """Return the number and the code of an anchor; raises InvalidInput."""
    match = _ANCHOR.fullmatch(text.strip())
    if match is None:
        raise InvalidInput("an anchor is what `pepay audit anchor` printed: a number, a colon and 64 hexadecimal digits", field="anchor")
    return int(match[1]), match[2]


def _compare(wanted: dict[int, str], here: Head, flaws: list[Flaw]) -> None:
    """Compare with the anchor of this entry, where there is one."""
    anchored = wanted.pop(here.count, None)
    if anchored is not None and anchored != here.mac.hex():
        flaws.append(Flaw(here.count, "it is not the entry that the anchor names"))
