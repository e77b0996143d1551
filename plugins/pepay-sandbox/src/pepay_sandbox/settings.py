"""What ``[plugin.sandbox]`` may hold."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  pydantic reads the annotations
from decimal import Decimal  # noqa: TC003
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

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


def _local(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise ValueError("only chains of this machine are simulated: http://127.0.0.1:…")
    return url


class SimulatedChain(BaseModel):
    """A chain of this machine that the simulator may act on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rpc: Annotated[str, AfterValidator(_local)]
    """Where the node answers JSON-RPC, on loopback."""
    faucet: Annotated[str, AfterValidator(_local)] | None = None
    """Where test tokens are had, as `pepay sandbox` prints it; needed on Solana."""


class SandboxSettings(PluginSettings):
    """Settings of the sandbox."""

    rates: Mapping[str, Annotated[Decimal, BeforeValidator(_price)]] = Field(default_factory=dict)
    """Prices in USD by rate id, as text: ``{ ethereum = "3000", usd-coin = "1" }``. With none, the provider ``fixed`` does not exist."""
    simulator: Mapping[str, SimulatedChain] = Field(default_factory=dict)
    """Chains by CAIP-2 id on which test payments are simulated: ``{ "eip155:31337" = { rpc = "http://127.0.0.1:8545" } }``. None, no simulator."""
