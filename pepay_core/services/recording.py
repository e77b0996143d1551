"""Writing the audit log: each entry in the transaction of the change, held to all that came before by a keyed code."""

from __future__ import annotations

import getpass
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.audit import Actor, ActorKind, AuditEntry, microseconds
from pepay_core.domain.errors import ConfigError
from pepay_core.domain.ids import AUDIT, KEY, is_id, make_id
from pepay_core.domain.jsontext import encode
from pepay_core.services.callers import Caller

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pepay_core.contracts.context import Clock
    from pepay_core.domain.ids import MerchantId
    from pepay_core.secrets import Vault
    from pepay_core.services.ports import Transaction

DETAILS: Final = "audit-details"
"""What details are sealed for, under the id of their entry."""
HEAD: Final = "audit-head"
"""What the head is sealed for, under its own name."""

COMMAND_LINE: Final = "command line"
"""The name of a caller that is the operator."""

BEGUN: Final = "audit_begun"
"""The fact that tells a log that was emptied from one that has not begun."""

_START: Final = bytes(32)
_BROKEN: Final = b"\xff" * 32


@dataclass(frozen=True, slots=True)
class Head:
    """How many entries there are, and the code of the last one."""

    count: int
    mac: bytes

    def seal(self, vault: Vault) -> bytes:
        """Return it as it is stored."""
        return vault.seal(HEAD, "head", encode({"count": self.count, "mac": self.mac.hex()}))

    @classmethod
    def open(cls, vault: Vault, sealed: bytes) -> Head:
        """Read it as it is stored; raises ConfigError when it is damaged."""
        read = json.loads(vault.open(HEAD, "head", sealed))
        return cls(read["count"], bytes.fromhex(read["mac"]))


START: Final = Head(0, _START)
"""The head of a log without entries."""


class Recorder:
    """Writes the audit log.

    Writers wait for each other at the head, from their note to the end of their transaction: a note is the last thing a transaction does.
    What goes into ``subject`` and the actor is readable in the database: ids, and no names. ``details`` are sealed.
    """

    def __init__(self, clock: Clock, vault: Vault) -> None:
        self._clock = clock
        self._vault = vault
        self._key = vault.derive("audit-log")

    async def note(self, tx: Transaction, actor: Actor | Caller, action: str, subject: str, details: Mapping[str, Any] | None = None) -> None:
        """Record that an actor did something (``key.created``) to a subject (``key_…``), if and only if the transaction commits."""
        if isinstance(actor, Caller):
            actor = actor_of(actor)
        head = await self._head(tx)
        now = self._clock.now()
        new = make_id(AUDIT, int(now.timestamp() * 1000), secrets.randbits(80))
        text = encode(details or {})
        bare = AuditEntry(head.count + 1, new, now, actor, action, subject, self._vault.seal(DETAILS, new, text), b"")
        mac = code(self._key, head.mac, bare, text)
        entry = AuditEntry(bare.sequence, bare.id, now, actor, action, subject, bare.details, mac)
        await tx.audit.add(entry, Head(entry.sequence, mac).seal(self._vault))

    async def _head(self, tx: Transaction) -> Head:
        """Return the head, which nobody else moves before the transaction ends.

        Where somebody has taken or broken it, recording goes on after a break that `pepay audit verify` finds for ever.
        """
        sealed = await tx.audit.hold()
        if sealed is not None:
            if not self._vault.knows(sealed):
                raise ConfigError("the audit log was sealed with another master key", hint="restart this process with the present master key")
            try:
                return Head.open(self._vault, sealed)
            except ConfigError:
                pass
        elif await tx.facts.get(BEGUN) is None:
            await tx.facts.put(BEGUN, "yes")
            return START
        newest = await tx.audit.newest()
        return Head(newest.sequence if newest else 0, _BROKEN)


def actor_of(caller: Caller) -> Actor:
    """Return who a caller is."""
    kind = ActorKind.OPERATOR if caller.name == COMMAND_LINE else ActorKind.KEY if is_id(KEY, caller.name) else ActorKind.USER
    return Actor(kind, operator().name if kind is ActorKind.OPERATOR else caller.name, caller.merchant, caller.livemode)


def operator(merchant: MerchantId | None = None, *, livemode: bool | None = None) -> Actor:
    """Return whoever runs this process, by the name of their account."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        name = "unknown"
    return Actor(ActorKind.OPERATOR, name, merchant, livemode)


def system(part: str, merchant: MerchantId | None = None, *, livemode: bool | None = None) -> Actor:
    """Return a part of PePay that acts by itself."""
    return Actor(ActorKind.SYSTEM, part, merchant, livemode)


def code(key: bytes, previous: bytes, entry: AuditEntry, details: bytes) -> bytes:
    """Return the code of an entry: over everything that it says, and over the code of the one before."""
    who = entry.actor
    said = [
        entry.sequence,
        entry.id,
        microseconds(entry.at),
        str(who.kind),
        who.name,
        who.merchant,
        who.livemode,
        entry.action,
        entry.subject,
        details.decode(),
        previous.hex(),
    ]
    return hmac.digest(key, encode(said), "sha256")


def changed_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs between an object as the API showed it and as it shows it now."""
    return {name: {"from": before.get(name), "to": value} for name, value in after.items() if before.get(name) != value}
