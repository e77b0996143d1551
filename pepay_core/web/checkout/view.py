"""What the page shows of an invoice: a pure function of the invoice as its buyer sees it, of how its networks fare, and of the visit."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from pepay_core.domain import money
from pepay_core.services.revisions import Networks, revision
from pepay_core.web.checkout.apps import app_links
from pepay_core.web.checkout.codes import Choice, choices
from pepay_core.web.checkout.states import (
    ENDED,
    SETTLED,
    State,
    active,
    chosen,
    confirmations,
    is_asking,
    is_open,
    misdirected,
    reverted,
    state_of,
)
from pepay_core.web.checkout.steps import Step, steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pepay_core.web.checkout.apps import AppLink
    from pepay_core.web.checkout.framing import Embedded
    from pepay_core.web.checkout.languages import Language
    from pepay_core.web.checkout.themes import Theme

URGENT: Final = 180
"""Seconds before the price runs out from which on the page counts them."""
_SEARCHED: Final = 6  # ways to pay from which on there is a field to search them
_REASSURING: Final = 60
_REASONS: Final = {
    "chain_unavailable": "reason.unreachable",
    "no_rate": "reason.no_price",
    "no_wallet": "reason.not_set_up",
    "no_token_account": "reason.not_set_up",
}
_SHOWN: Final = 3600
_TONES: Final = {
    State.PAID: "good",
    State.OVERPAID: "good",
    State.ACCEPTED: "good",
    State.UNDERPAID: "warn",
    State.REQUOTE: "warn",
    State.EXPIRED: "warn",
    State.PARTIAL: "warn",
    State.LATE: "warn",
    State.WRONG: "warn",
    State.HELD: "warn",
    State.STRAY: "warn",
}


@dataclass(frozen=True, slots=True)
class Visit:
    """Everything about a look at the page that is not in the invoice."""

    token: str
    now: int
    language: Language
    theme: Theme
    asked_language: str | None = None
    """The language that the address names, which links hand on."""
    changing: bool = False
    sent: str | None = None
    """The transaction that the buyer's wallet says it has sent."""
    sent_at: int | None = None
    framed: Embedded | None = None
    """How the page is embedded, where it is."""
    scheme: str | None = None
    """``light`` or ``dark``, where the page around this one wishes it."""


@dataclass(frozen=True, slots=True)
class View:
    """Everything that the templates need. ``t`` is the language: ``t("key")`` is a sentence, which may use :attr:`values`."""

    invoice: Mapping[str, Any]
    visit: Visit
    t: Language
    theme: Theme
    state: State
    tone: str
    unit: str
    """What the invoice's amounts are in: a currency, or an asset's symbol."""
    revision: str
    steps: tuple[Step, ...]
    asking: bool
    """Whether there is an address to send to."""
    refresh: int | None
    """After how many seconds a page without scripts looks again."""
    values: Mapping[str, Any]
    option: Mapping[str, Any] | None = None
    codes: Sequence[Choice] = ()
    confirmed: tuple[int, int] | None = None
    seconds_left: int | None = None
    """About how long the confirmations that are missing take."""
    received: Sequence[Mapping[str, Any]] = ()
    troubled: str | None = None
    """The name of the network that cannot be read right now."""
    taken_back: str | None = None
    """The amount that was seen, and that a reorganisation of its network has taken back."""
    can_change: bool = False
    apps: Sequence[AppLink] = ()
    """Wallet apps that can be opened to pay."""
    natives: frozenset[str] = field(default_factory=frozenset[str])
    networks: Networks = field(default_factory=Networks)
    help: Mapping[str, Any] | None = None
    """What the buyer can do by himself, in the states in which that is asked."""

    @property
    def again(self) -> str | None:
        """The asset in which an order whose time is over goes on: the one that was chosen, or the first that can be."""
        if self.option is not None:
            return str(self.option["asset"])
        return next((str(each["asset"]) for each in self.invoice["payment_options"] if each["available"]), None)

    @property
    def returned(self) -> bool:
        """Whether the buyer has asked for money back, and was not refused."""
        return any(each["status"] != "declined" for each in (self.help or {}).get("refunds", ()))

    @property
    def here(self) -> str:
        """The address of this page."""
        return self.address()

    def address(self, suffix: str = "", **query: Any) -> str:
        """Return an address below this page, with what the visit hands on from page to page."""
        visit = self.visit
        handed = {"token": visit.token, "lang": visit.asked_language, "theme": visit.scheme, **(visit.framed.handed if visit.framed else {})}
        # As the tests and the links of shops write it: the token first, and nothing that was not asked for.
        given = {name: value for name, value in {**handed, **query}.items() if value is not None}
        return f"/pay/{quote(self.invoice['id'])}{suffix}?{urlencode(given)}"

    @property
    def label(self) -> str:
        """What the amount is called: nobody is told to pay what can no longer be paid."""
        return "paid" if self.invoice["fulfil"] else "total" if self.state in ENDED else "pay"

    @property
    def title(self) -> str:
        """What the state is called."""
        return self.say("title")

    @property
    def text(self) -> str:
        """What the state means, and what happens next."""
        return self.say("text")

    @property
    def told(self) -> str:
        """What those are told who cannot see that the state has changed."""
        if self.taken_back:
            return f"{self.t('reverted')}. {self.t('reverted.text', amount=self.taken_back)}"
        return self.title if self.state is State.CHOOSE else f"{self.title} {self.text}"

    def say(self, part: str) -> str:
        """Return a sentence about the state."""
        return self.t(f"state.{self.state}.{part}", **self.values)

    @property
    def eta(self) -> str | None:
        """How long a payment takes to be final."""
        return self.wait(self.option) if self.option else None

    def wait(self, option: Mapping[str, Any]) -> str | None:
        """Return about how long a payment by an option takes to be final, or None where nobody can say."""
        needed, seconds = option["confirmations_required"], self.values["paces"].get(option["chain"])
        return self.t.duration(round(needed * seconds), "short") if needed and seconds else None

    def reason(self, option: Mapping[str, Any]) -> str:
        """Return in words why an option cannot be chosen."""
        return self.t(_REASONS.get(option["unavailable_reason"], "reason.unavailable"))

    @property
    def searchable(self) -> bool:
        """Whether there are so many ways to pay that one would rather search them."""
        return len(self.invoice["payment_options"]) > _SEARCHED

    @property
    def long_sent(self) -> bool:
        """Whether the wallet says for a while that it has sent, and nothing has been seen."""
        return self.visit.sent_at is not None and self.visit.now - self.visit.sent_at >= _REASSURING

    @property
    def clock(self) -> str:
        """How long the price still holds, as a clock shows it, while that is a matter of minutes."""
        left = self.option["quote"]["valid_until"] - self.visit.now if self.option else 0
        return f"{left // 60}:{left % 60:02d}" if 0 <= left < _SHOWN else ""

    @property
    def token_request(self) -> bool:
        """Whether the code with an amount in it is one that only some wallets read: a token's on an EVM network."""
        return self.option is not None and self.option["chain"].startswith("eip155:") and self.option["asset"] not in self.natives

    def network_of(self, asset: str) -> str:
        """Return the name of the network on which an asset lives."""
        return self.networks.name(asset)

    @property
    def urgent(self) -> bool:
        """Whether the price runs out soon."""
        return self.option is not None and self.asking and self.option["quote"]["valid_until"] - self.visit.now <= URGENT


def view(invoice: Mapping[str, Any], visit: Visit, networks: Networks) -> View:
    """Return the view of an invoice."""
    option, language = chosen(invoice), visit.language
    state = state_of(invoice, visit.now, changing=visit.changing, sent=visit.sent is not None)
    asking = is_asking(invoice, visit.now) and state in {State.AWAITING, State.UNDERPAID, State.WRONG}
    counted = confirmations(invoice) if state in {State.DETECTED, State.CONFIRMING} else None
    unit = next((each["symbol"] for each in invoice["payment_options"] if each["asset"] == invoice["currency"]), invoice["currency"])
    natives = frozenset(each.native for each in networks.values())
    troubled = option is not None and state not in SETTLED and state is not State.CHOOSE and networks.troubled(option["chain"])
    pace = networks.pace(option["chain"]) if option else None
    gone = reverted(invoice) if state not in SETTLED | {State.DETECTED, State.CONFIRMING} else None
    return View(
        invoice=invoice,
        visit=visit,
        t=language,
        theme=visit.theme,
        state=state,
        tone=_TONES.get(state, "calm"),
        unit=unit,
        revision=revision(invoice, networks, visit.now),
        steps=steps(state, language, option, counted),
        asking=asking,
        refresh=_refresh(state),
        values=_values(invoice, option, language, unit, networks, visit),
        option=option,
        codes=choices(option, natives, invoice["payment_url"], visit.theme.code) if asking and option else (),
        confirmed=counted,
        seconds_left=round((counted[1] - counted[0]) * pace) if counted and pace else None,
        received=active(invoice),
        troubled=option["network"] if option and troubled else None,
        taken_back=f"{gone['amount']} {gone['symbol'] or ''}".strip() if gone else None,
        can_change=is_open(invoice, visit.now) and not active(invoice) and len(invoice["payment_options"]) > 1,
        apps=app_links(option, invoice["payment_url"], natives) if asking and option else (),
        natives=natives,
        networks=networks,
    )


def _values(
    invoice: Mapping[str, Any], option: Mapping[str, Any] | None, language: Language, unit: str, networks: Networks, visit: Visit
) -> dict[str, Any]:
    """Return what the sentences of a state may speak of."""
    wrong = misdirected(invoice)
    values: dict[str, Any] = {
        "merchant": invoice["merchant_name"],
        "until": language.moment(invoice["expires_at"]),
        "symbol": option["symbol"] if option else unit,
        "network": option["network"] if option else language("network.any"),
        "asked": f"{option['quote']['amount']} {option['symbol']}" if option else language.price(invoice["amount"], unit),
        "over": language.price(invoice["amount_overpaid"], unit),
        "rest": language.price(invoice["amount_remaining"], unit),
        "received": language.price(_seen(invoice), unit),
        "total": language.price(invoice["amount"], unit),
        "paces": {chain: networks.pace(chain) for chain in networks},
        "seen": "",
        "seen_network": "",
        "now": visit.now,
    }
    values["got"] = values["received"]
    if option and invoice["status"] == "underpaid":
        values |= _in_tokens(invoice, option) or {"asked": values["total"]}
        values["rest"] = f"{option['quote']['amount']} {option['symbol']}"
    if wrong is not None:
        values["seen"] = f"{wrong['amount']} {wrong['symbol'] or language('token.unknown')}"
        values["seen_network"] = networks.name(wrong["asset"])
    return values


def _in_tokens(invoice: Mapping[str, Any], option: Mapping[str, Any]) -> dict[str, str] | None:
    """Return what has arrived, and of how much, in the asset that is asked for, where all of it came in that."""
    counted = [each for each in active(invoice) if each["mismatch"] is None]
    if any(each["asset"] != option["asset"] for each in counted):
        return None
    got = money.add(*(Decimal(each["amount"]) for each in counted))
    places = min(len(option["quote"]["amount"].partition(".")[2]), 2)
    asked = money.add(got, Decimal(option["quote"]["amount"]))
    return {"got": money.plain(got, places=places), "asked": f"{money.plain(asked, places=places)} {option['symbol']}"}


def _seen(invoice: Mapping[str, Any]) -> str:
    """Return the value of everything that is on its chain and counts."""
    values = [Decimal(each["value"]) for each in active(invoice) if each["value"] is not None and each["mismatch"] is None]
    decimals = len(invoice["amount"].partition(".")[2])
    return money.plain(money.add(*values), places=decimals if decimals <= 3 else None)


def _refresh(state: State) -> int | None:
    """Return how soon a page without scripts looks again: often while money moves, never where the buyer is reading or all is done."""
    if state in SETTLED or state in {State.CHOOSE, State.NOTHING}:
        return None
    if state in {State.DETECTED, State.CONFIRMING, State.SUBMITTED, State.CHECKING}:
        return 5
    return 15 if state in {State.AWAITING, State.UNDERPAID} else 60
