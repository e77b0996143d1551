"""The receiver of webhooks: keeps what arrives, with the verdict on its signatures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pepay_core.api import Unavailable, decode
from pepay_sandbox.demo.signatures import pepay_is_valid, standard_is_valid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_KEPT: Final = 500


@dataclass(frozen=True, slots=True)
class Received:
    """One delivery that arrived. ``at`` is epoch seconds; ``repeat`` says that the same event had come before."""

    at: float
    event: dict[str, Any]
    headers: Mapping[str, str]
    body: bytes
    standard: bool
    pepay: bool
    repeat: bool

    @property
    def type(self) -> str:
        """What happened."""
        return str(self.event.get("type", ""))

    @property
    def subject(self) -> dict[str, Any]:
        """The object that it happened to, as it was then."""
        return self.event.get("data", {}).get("object", {})

    @property
    def genuine(self) -> bool:
        """Whether both signatures are valid."""
        return self.standard and self.pepay


class Catcher:
    """Takes deliveries. Until it knows the secret it takes none, so that the sender tries again."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.received: list[Received] = []
        self.listeners: list[Callable[[Received], None]] = []
        self._clock = clock
        self._secret: str | None = None
        self._invoices: dict[str, dict[str, Any]] = {}

    def trust(self, secret: str) -> None:
        """Check signatures with this secret from now on."""
        self._secret = secret

    def take(self, headers: Mapping[str, str], body: bytes) -> int:
        """Keep a delivery and return the status to answer with: 2xx only for what is genuine."""
        if self._secret is None:
            return 503
        try:
            event = decode(body)
        except Unavailable:
            return 400
        if not isinstance(event, dict):
            return 400
        now = self._clock()
        received = Received(
            at=now,
            event=event,
            headers=dict(headers),
            body=body,
            standard=standard_is_valid(self._secret, headers, body, now),
            pepay=pepay_is_valid(self._secret, headers, body, now),
            repeat=any(each.event.get("id") == event.get("id") for each in self.received),
        )
        self.received.append(received)
        del self.received[:-_KEPT]
        if received.genuine:
            self._note(received)
        for listener in list(self.listeners):
            listener(received)
        return 204 if received.genuine else 401

    def invoice(self, invoice: str) -> dict[str, Any] | None:
        """Return the newest version of an invoice that a genuine webhook told."""
        return self._invoices.get(invoice)

    def about(self, invoice: str) -> list[Received]:
        """Return what arrived about an invoice and its payments, oldest first."""
        return [each for each in self.received if invoice in (each.subject.get("id"), each.subject.get("invoice"))]

    def _note(self, received: Received) -> None:
        told = received.subject
        if told.get("object") != "invoice":
            return
        # Deliveries may overtake each other; the version says which is newer.
        known = self._invoices.get(told["id"])
        if known is None or known["version"] <= told["version"]:
            self._invoices[told["id"]] = told
