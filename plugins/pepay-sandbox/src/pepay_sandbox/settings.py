"""What ``[plugin.sandbox]`` may hold."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  pydantic reads the annotations
from decimal import Decimal  # noqa: TC003
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from pepay_core.api import PluginSettings, Refused, parse_amount

_RATE_DECIMALS = 18


def _price(value: Any) -> Decimal:
    # A number in TOML is a binary fraction by the time it is here: a price is written as text.
    if not isinstance(value, str):
        raise ValueError('write the price as text, such as "3000" or "0.9998"')  # noqa: TRY004  pydantic reports ValueError only
    try:
        price = parse_amount(value, decimals=_RATE_DECIMALS)
    except Refused as exc:
        raise ValueError(exc.message) from exc
    if not price:
        raise ValueError("a price is more than zero")
    return price


class SandboxSettings(PluginSettings):
    """Settings of the sandbox."""

    rates: Mapping[str, Annotated[Decimal, BeforeValidator(_price)]] = Field(default_factory=dict)
    """Prices in USD by rate id, as text: ``{ ethereum = "3000", usd-coin = "1" }``. With none, the provider ``fixed`` does not exist."""
