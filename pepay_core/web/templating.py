"""Pages for people: templates that escape everything, and numbers written for reading."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pepay_core.web.problems import title

if TYPE_CHECKING:
    from pepay_core.web.problems import Problem

_HERE: Final = Path(__file__).parent
STATIC: Final = _HERE / "static"

_SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹"}
_TOLD: Final = {
    401: ("This link does not open anything", "It may be incomplete. Open the payment link that the shop gave you once more."),
    404: ("This page does not exist", "The link may be incomplete. If you were paying, open the payment link that the shop gave you once more."),
    429: ("One moment, please", "There were too many requests from your network. The page works again in a minute."),
    503: ("One moment, please", "Something this page needs does not answer right now. Your payment is safe; try again shortly."),
}
_OTHERWISE: Final = ("That did not work", "Nothing was charged, and a payment that was sent is not lost. Try again, or ask the shop.")


@cache
def environment() -> Environment:
    """Return the template environment: what is undefined is an error, and what is shown is escaped."""
    made = Environment(loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    from pepay_core.web.checkout.languages import LANGUAGES
    from pepay_core.web.checkout.marks import from_exchanges, network_mark, token_mark

    made.filters |= {"grouped": grouped, "price": price, "utc": utc, "shortened": shortened, "bold": bold, "ltr": ltr}
    made.filters |= {"token_mark": token_mark, "network_mark": network_mark, "from_exchanges": from_exchanges}
    made.globals |= {"static": static_url, "languages": LANGUAGES}
    return made


def render(template: str, /, **values: Any) -> str:
    """Return a page."""
    return environment().get_template(template).render(**values)


def error_page(problem: Problem, request_id: str) -> str:
    """Return the page that tells people of a problem; what programs are told stays out of it, except the words of a refusal."""
    headline, advice = _TOLD.get(problem.status, _OTHERWISE)
    said = problem.message if problem.status in {409, 422} else None
    return render("error.html", headline=headline, advice=said or advice, name=title(problem.code), request_id=request_id)


@cache
def static_url(name: str) -> str:
    """Return the URL of one of our own files; it changes with its content, so that it can be kept for ever."""
    return f"/static/{name}?v={sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


def grouped(text: str) -> list[str]:
    """Return an address in groups of four, so that eyes can compare it; ``0x`` stays with the first group."""
    start = 6 if text.startswith("0x") else 4
    return [text[:start], *(text[at : at + 4] for at in range(start, len(text), 4))]


def shortened(text: str) -> str:
    """Return the beginning and the end of a hash."""
    return text if len(text) <= 16 else f"{text[:8]}…{text[-6:]}"


def bold(text: Any) -> Markup:
    """Return a word of a sentence that is to be seen at once; names of others keep their own direction."""
    return Markup("<b><bdi>{}</bdi></b>").format(text)


def ltr(text: Any) -> Markup:
    """Return what is read from left to right in every language: amounts, symbols, addresses."""
    return Markup('<bdi dir="ltr">{}</bdi>').format(text)


def price(amount: str, currency: str) -> str:
    """Return an amount with its currency, in thousands."""
    whole, dot, fraction = amount.partition(".")
    number = f"{int(whole):,}{dot}{fraction}"
    symbol = _SYMBOLS.get(currency)
    return f"{symbol}{number}" if symbol else f"{number} {currency}"


def utc(seconds: int) -> str:
    """Return a moment as people read it, with its zone."""
    return f"{datetime.fromtimestamp(seconds, UTC):%-d %b %Y, %H:%M} UTC"
