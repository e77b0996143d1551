"""Exact money: decimal amounts of currencies, integer base units of assets, and stated rounding between them.

Nothing here is a float, and no result is rounded without a word in the function's name or docstring for the direction.
Arithmetic runs in a context wide enough for any 256-bit amount at any rate, which raises when it would lose a digit.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from typing import Final

from pepay_core.domain.errors import InvalidAmount

MAX_BASE_UNITS: Final = 2**256 - 1

# The form money has wherever it enters: no sign, no exponent, no leading zero, at most 18 decimals.
AMOUNT_PATTERN: Final = r"^(0|[1-9][0-9]{0,30})(\.[0-9]{1,18})?$"
_AMOUNT: Final = re.compile(AMOUNT_PATTERN)

EXACT: Final = Context(prec=400, rounding=ROUND_HALF_EVEN, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
WIDE: Final = Context(prec=400, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])

# ISO 4217 minor units of the currencies that do not have two.
_MINOR_UNITS: Final = {
    **dict.fromkeys(["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"], 0),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
}
_TWO: Final = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP "
    "DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR "
    "LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB "
    "SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER "
    "ZAR ZMW ZWG"
)
CURRENCIES: Final = {**dict.fromkeys(_TWO.split(), 2), **_MINOR_UNITS}
"""Every ISO 4217 currency that an invoice may be priced in, with its minor units."""


def parse_amount(text: str, *, decimals: int, field: str | None = None) -> Decimal:
    """Return the amount that a text writes, exactly.

    Raises InvalidAmount when it is not a plain decimal or has more decimals than the currency.
    """
    if not _AMOUNT.fullmatch(text):
        raise InvalidAmount(f"{text[:60]!r} is not a plain decimal amount such as 49.99", field=field)
    fraction = text.partition(".")[2]
    if len(fraction.rstrip("0")) > decimals:
        raise InvalidAmount(f"{text} has more than {decimals} decimals", field=field)
    return Decimal(text)


def to_base_units(amount: Decimal, decimals: int) -> int:
    """Return the base units of an amount; raises InvalidAmount when it is finer than one base unit."""
    # Bounded before it becomes an int: one of a million digits would be made digit by digit.
    if amount.is_finite() and 0 <= amount <= MAX_BASE_UNITS and (not amount or amount.adjusted() >= -decimals):
        scaled = WIDE.scaleb(amount, decimals)
        if scaled <= MAX_BASE_UNITS and scaled == scaled.to_integral_value(context=WIDE):
            return int(scaled)
    raise InvalidAmount(f"{amount} is not a whole number of base units at {decimals} decimals")


def from_base_units(units: int, decimals: int) -> Decimal:
    """Return the exact amount of a number of base units."""
    return EXACT.scaleb(EXACT.create_decimal(units), -decimals)


def add(*amounts: Decimal) -> Decimal:
    """Return the exact sum; the default context would round at 28 digits."""
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


def subtract(left: Decimal, right: Decimal) -> Decimal:
    """Return the exact difference."""
    return EXACT.subtract(left, right)


def multiply(left: Decimal, right: Decimal) -> Decimal:
    """Return the exact product."""
    return EXACT.multiply(left, right)


def divide(left: Decimal, right: Decimal) -> Decimal:
    """Return the quotient to 400 digits, half even: for rates, which are rounded before they become money."""
    return WIDE.divide(left, right)


def round_down(amount: Decimal, decimals: int) -> Decimal:
    """Round towards minus infinity: what a merchant is credited."""
    return amount.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_FLOOR, context=WIDE)


def round_up(amount: Decimal, decimals: int) -> Decimal:
    """Round towards plus infinity: what a buyer is asked."""
    return amount.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_CEILING, context=WIDE)


def round_up_to_step(amount: Decimal, step: Decimal) -> Decimal:
    """Return the smallest multiple of ``step`` that is not below ``amount``."""
    whole, rest = EXACT.divmod(amount, step)
    return EXACT.multiply(EXACT.add(whole, Decimal(1)) if rest > 0 else whole, step)


def plain(amount: Decimal, *, places: int | None = None) -> str:
    """Write an amount without exponent, with at least ``places`` decimals and no other trailing zeros."""
    text = f"{amount:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if text in {"-0", ""}:
        text = "0"
    if places:
        whole, _, fraction = text.partition(".")
        text = f"{whole}.{fraction.ljust(places, '0')}"
    return text
