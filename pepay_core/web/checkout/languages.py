"""The languages of the hosted page: its sentences, and numbers and dates as each is written.

The sentences are in ``web/i18n/<code>.json``, with ``{names}`` where something is put in. Amounts that a buyer has to send stay as wallets
read them, with a point: only what is read is translated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from unicodedata import bidirectional

from babel import Locale
from babel.dates import format_skeleton
from babel.numbers import format_currency, format_decimal, get_currency_precision
from babel.units import format_unit
from markupsafe import Markup, escape

from pepay_core.domain.jsontext import decode
from pepay_core.domain.languages import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FOLDER: Final = Path(__file__).parents[1] / "i18n"
_ACCEPTED: Final = re.compile(r"\s*([a-zA-Z]{1,8})(?:-[a-zA-Z0-9-]*)?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*")
_MAX_ACCEPTED: Final = 20
_MARKS: Final = "\N{LEFT-TO-RIGHT MARK}\N{RIGHT-TO-LEFT MARK}"
# Letters that turn the ones after them around, and what keeps a text to itself.
_TURNING: Final = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_APART: Final = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"
_RATE_DIGITS: Final = 6
_MINUTES: Final = 90  # seconds from which on time is told in minutes


@dataclass(frozen=True, slots=True)
class Language:
    """One language; calling it with a key gives the sentence, safe to put into a page."""

    code: str
    locale: Locale
    sentences: Mapping[str, str]

    @property
    def direction(self) -> str:
        """``ltr`` or ``rtl``."""
        return self.locale.text_direction

    def __call__(self, key: str, **values: Any) -> Markup:
        """Return a sentence with values put in."""
        given = {name: escape(self._apart(value)) for name, value in values.items()}
        return Markup(escape(self.sentences[key])).format(**given)  # noqa: S704 - escaped just before

    def _apart(self, value: Any) -> Any:
        """Return a name in a way that it cannot turn around the sentence that it is put into."""
        if not isinstance(value, str) or isinstance(value, Markup):
            return value
        text = value.translate(_TURNING)
        other = {"L"} if self.direction == "rtl" else {"R", "AL"}
        return text.join(_APART) if any(bidirectional(letter) in other for letter in text) else text

    def price(self, amount: str, unit: str) -> str:
        """Return an amount of a currency, or of an asset by its symbol, as people write it."""
        number = Decimal(amount)
        if len(unit) == 3 and unit in self.locale.currencies:
            places = get_currency_precision(unit)
            number = number if -int(number.as_tuple().exponent) >= places else number.quantize(Decimal(1).scaleb(-places))
            # Where it stands in a page decides its direction: a mark of its own would turn it around there.
            return format_currency(number, unit, locale=self.locale, decimal_quantization=False).strip(_MARKS)
        return f"{format_decimal(number, locale=self.locale, decimal_quantization=False)} {unit}"

    def rate(self, rate: str, unit: str) -> str:
        """Return what one unit of an asset costs, with as many digits as people can use; ``≈`` in place of ``=`` says that there are more."""
        exact = Decimal(rate)
        shown = exact.quantize(Decimal(1).scaleb(min(exact.adjusted() - _RATE_DIGITS + 1, -2))).normalize() if exact else exact
        places = max(-int(shown.as_tuple().exponent), 2)
        return f"{'=' if shown == exact else '≈'} {self.price(f'{shown:.{places}f}', unit)}"

    def number(self, number: Decimal | int | str) -> str:
        """Return a number with all its digits."""
        return format_decimal(Decimal(number), locale=self.locale, decimal_quantization=False)

    def moment(self, seconds: int) -> str:
        """Return a date and a time, with the zone."""
        when = datetime.fromtimestamp(seconds, UTC)
        return f"{format_skeleton('yMMMd', when, locale=self.locale)}, {format_skeleton('Hm', when, locale=self.locale)} UTC"

    def time(self, seconds: int) -> str:
        """Return a time of the day, with the zone."""
        return f"{format_skeleton('Hm', datetime.fromtimestamp(seconds, UTC), locale=self.locale)} UTC"

    def duration(self, seconds: int, length: Literal["short", "long"] = "long") -> str:
        """Return a short length of time, in the unit that it is spoken of in."""
        minutes = seconds >= _MINUTES
        return format_unit(round(seconds / 60) if minutes else max(seconds, 1), "minute" if minutes else "second", length, locale=self.locale)


@cache
def language(code: str) -> Language:
    """Return a language of :data:`LANGUAGES`."""
    sentences = [decode(file.read_bytes()) for file in (FOLDER / f"{code}.json", FOLDER / "help" / f"{code}.json")]
    return Language(code, Locale.parse(code), {**sentences[0], **sentences[1]})


def choose(asked: str | None, accepted: str, offered: Sequence[str] = ()) -> Language:
    """Return the language for a visit: the one asked for, else the best that the browser accepts, else the first of those offered.

    ``offered`` are the merchant's, the preferred one first; none stands for all of them.
    """
    known = [each for each in offered if each in LANGUAGES] or list(LANGUAGES)
    if asked in known:
        return language(asked)
    return language(next((each for each in _wanted(accepted) if each in known), known[0]))


def _wanted(accepted: str) -> list[str]:
    """Return the languages of an ``Accept-Language`` header, the dearest first; what cannot be read is left out."""
    weighed: list[tuple[Decimal, str]] = []
    for part in accepted.split(",")[:_MAX_ACCEPTED]:
        found = _ACCEPTED.fullmatch(part)
        if found and (weight := Decimal(found[2] or 1)) > 0:
            weighed.append((weight, found[1].lower()))
    return [code for _, code in sorted(weighed, key=lambda each: -each[0])]
