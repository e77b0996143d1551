"""What PePay asks of a way to tell somebody that something happened."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to one person: a subject of one line and a plain text. Kept out of reprs, because it may hold a link that signs somebody in."""

    subject: str = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to tell one endpoint of one event. ``body`` is the stored bytes, the same at every attempt.

    ``secrets`` holds the signing secrets, current first; it is kept out of the repr. A ``letter`` comes to notifiers of the scheme
    ``mailto`` alone: it is PePay's own message to the address in ``url``, and no event.
    """

    id: str
    event_id: str
    event_type: str
    livemode: bool
    url: str
    body: bytes
    attempt: int
    at: datetime
    secrets: tuple[str, ...] = field(repr=False, default=())
    letter: Letter | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the receiver answered: the status code where there is one, and the beginning of its text."""

    status: int | None = None
    excerpt: str = ""


class Notifier(ABC):
    """Delivers events to endpoints of one scheme: ``webhook``, or ``mailto``, which PePay sends its own letters by as well."""

    scheme: str

    @abstractmethod
    async def check(self, url: str) -> None:
        """Raise InvalidInput or EgressRefused when this endpoint can never be delivered to."""

    @abstractmethod
    async def deliver(self, delivery: Delivery) -> Receipt:
        """Deliver, and return what the receiver answered when it accepted.

        Raises Unavailable to be tried again by core's schedule, and GiveUp to have the endpoint disabled. Either may carry a
        Receipt in its ``receipt`` attribute, which goes to the delivery log.
        """
