"""The audit log: who did what, in an order that cannot be changed without being noticed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pepay_core.domain.ids import MerchantId

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ActorKind(StrEnum):
    """What kind of actor did something."""

    USER = "user"
    KEY = "key"
    OPERATOR = "operator"
    """Whoever has the command line of the machine."""
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: ``name`` is a user's or key's id, the operator's account on the machine, or a part of PePay.

    ``kind`` is an :class:`ActorKind`, or whatever else stands in a log that somebody tampered with. ``merchant`` is whose log it
    belongs to, None for the installation's own; ``livemode`` is None for what belongs to no environment.
    """

    kind: str
    name: str
    merchant: MerchantId | None = None
    livemode: bool | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry. ``details`` is sealed JSON: it may name people. ``mac`` holds it to all entries before it."""

    sequence: int
    id: str
    at: datetime
    actor: Actor
    action: str
    subject: str
    details: bytes = field(repr=False)
    mac: bytes = field(repr=False)


def microseconds(at: datetime) -> int:
    """Return a moment as a number, exactly."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def moment(number: int) -> datetime:
    """Return the moment that a number stands for."""
    return _EPOCH + timedelta(microseconds=number)
