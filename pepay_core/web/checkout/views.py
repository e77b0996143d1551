"""What the page shows in each state of an invoice: the words, and which parts are there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pepay_core.web.checkout.apps import app_links
from pepay_core.web.checkout.codes import Code, code, payload
from pepay_core.web.templating import utc

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pepay_core.web.checkout.apps import AppLink

_SETTLED: Final = frozenset({"paid", "overpaid", "canceled"})
_DECIDED: Final = frozenset({"accepted", "refunded", "written_off"})
_REASONS: Final = {
    "chain_unavailable": "not reachable right now",
    "no_rate": "no price right now",
    "no_wallet": "not set up",
    "no_token_account": "not set up",
    "token_refused": "not available",
    "not_accepted": "not accepted",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step on the way: ``done``, ``now`` or ``ahead``."""

    text: str
    state: str


@dataclass(frozen=True, slots=True)
class View:
    """Everything that the template needs."""

    invoice: Mapping[str, Any]
    unit: str
    """What its amounts are in: a currency, or an asset's symbol."""
    token: str
    headline: str
    text: str
    tone: str
    steps: tuple[Step, ...]
    refresh: int | None
    option: Mapping[str, Any] | None = None
    qr: Code | None = None
    choosing: bool = False
    quote_expired: bool = False
    final: tuple[int, int] | None = None
    """Confirmations, and how many are needed, of the payment that has the furthest to go."""
    reasons: Mapping[str, str] = field(default_factory=lambda: _REASONS)
    carried: str = ""
    """What the page's own links carry on after the token."""
    apps: tuple[AppLink, ...] = ()
    """Wallet apps that can be opened to pay."""


def view(invoice: Mapping[str, Any], token: str, *, now: int, changing: bool, natives: Collection[str], carried: str = "") -> View:
    """Return the view of an invoice. ``changing``: the buyer asked for another way to pay; ``natives`` are the chains' own coins.

    ``carried`` is what the page's links carry on after the token.
    """
    option = chosen(invoice)
    status = invoice["status"]
    open_ = status in {"unpaid", "underpaid"} and invoice["resolution"] not in _DECIDED and now < invoice["expires_at"]
    paid_in_part = any(each["status"] != "reverted" for each in invoice["payments"])
    choosing = open_ and (option is None or (changing and not paid_in_part))
    asking = open_ and not choosing and option is not None
    headline, text, tone = _words(invoice, option, open_=open_)
    return View(
        invoice=invoice,
        unit=next((each["symbol"] for each in invoice["payment_options"] if each["asset"] == invoice["currency"]), invoice["currency"]),
        token=token,
        headline=headline,
        text=text,
        tone=tone,
        steps=_steps(invoice, option) if open_ or status not in {"unpaid", "underpaid"} else (),
        refresh=None if choosing else _refresh(invoice, open_=open_),
        option=option,
        qr=code(payload(option, natives)) if asking and option else None,
        choosing=choosing,
        quote_expired=bool(asking and option and option["quote"]["valid_until"] <= now),
        final=_progress(invoice) if status == "processing" else None,
        carried=carried,
        apps=app_links(option, invoice["payment_url"], natives) if asking and option else (),
    )


def chosen(invoice: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the option that was quoted last, or None when none was chosen."""
    quoted = [each for each in invoice["payment_options"] if each["quote"] and each["destination"]]
    paid = {each["asset"] for each in invoice["payments"] if each["status"] != "reverted" and each["mismatch"] is None}
    return max(quoted, key=lambda each: (each["asset"] in paid, each["quote"]["valid_until"]), default=None)


def _refresh(invoice: Mapping[str, Any], *, open_: bool) -> int | None:
    """Return after how many seconds to look again; an invoice that may still change by itself is looked at less and less."""
    if open_ or invoice["status"] == "processing":
        return 5
    over = invoice["resolution"] in _DECIDED or (invoice["status"] in _SETTLED and invoice["resolution"] != "pending")
    return None if over else 30


def _progress(invoice: Mapping[str, Any]) -> tuple[int, int] | None:
    waiting = [each for each in invoice["payments"] if each["status"] == "confirming" and each["confirmations_required"]]
    if not waiting:
        return None
    slowest = min(waiting, key=lambda each: each["confirmations"] - each["confirmations_required"])
    return min(slowest["confirmations"], slowest["confirmations_required"]), slowest["confirmations_required"]


def _words(invoice: Mapping[str, Any], option: Mapping[str, Any] | None, *, open_: bool) -> tuple[str, str, str]:
    """Return headline, sentence and tone (``calm``, ``wait``, ``good``, ``warn``)."""
    status, resolution = invoice["status"], invoice["resolution"]
    if resolution in _DECIDED:
        return {
            "accepted": ("Payment accepted", "The shop has accepted your payment. There is nothing left to do.", "good"),
            "refunded": ("Payment refunded", "The shop has decided to send your payment back. Ask the shop if it does not arrive.", "calm"),
            "written_off": ("Closed by the shop", "The shop has closed this order. Ask the shop if you have questions.", "calm"),
        }[resolution]
    if status == "paid":
        late = invoice["timing"] == "late"
        return "Payment complete", "It arrived late, and the shop has accepted it." if late else "Thank you. The shop has been told.", "good"
    if status == "overpaid":
        return "Payment complete", "You sent more than was asked. Ask the shop about the difference.", "good"
    if status == "processing":
        return "Payment seen", "It is being confirmed by the network. You can close this page; nothing more is needed from you.", "wait"
    if status == "underpaid" and open_:
        rest = f"{option['quote']['amount']} {option['symbol']}" if option else f"{invoice['amount_remaining']} {invoice['currency']}"
        return f"{rest} still to pay", "A part of your payment has arrived. Send the rest to the same address; the code below leads to it.", "warn"
    if resolution == "pending":
        return "We received money for this order", "It was not what was asked, or came late. Nothing is lost: the shop decides what happens.", "warn"
    if status == "canceled":
        return "This order was canceled", "Do not send anything. If you already did, ask the shop: the payment is not lost.", "calm"
    if status == "expired":
        return "The time to pay is over", "Do not send anything now. If you already did, nothing is lost: this page shows it when it arrives.", "calm"
    if not open_:
        return "The time to pay is over", "A payment that you sent before is still looked for. Do not send anything now.", "wait"
    if option is None:
        return "Choose how to pay", "", "calm"
    return "Waiting for your payment", f"Open until {utc(invoice['expires_at'])}.", "calm"


def _steps(invoice: Mapping[str, Any], option: Mapping[str, Any] | None) -> tuple[Step, ...]:
    """Return the way from waiting to paid, or nothing where the way has ended elsewhere."""
    reached = {"unpaid": 0, "underpaid": 0, "processing": 2, "paid": 4, "overpaid": 4}.get(invoice["status"])
    if reached is None:
        return ()
    network = option["network"] if option else "the network"
    texts = ("Waiting for your payment", f"Seen on {network}", "Confirming", "Paid")
    progress = _progress(invoice)
    if invoice["status"] == "processing" and progress:
        texts = (*texts[:2], f"Confirming {progress[0]} of {progress[1]}", texts[3])
    return tuple(Step(text, "done" if at < reached else "now" if at == reached else "ahead") for at, text in enumerate(texts))
