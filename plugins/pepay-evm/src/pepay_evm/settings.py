"""``[plugin.evm]``: the networks, each with what is peculiar to it."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from pepay_core.api import ChainId, Finality, FinalityBand, InvalidInput, PluginSettings, parse_amount
from pepay_evm.networks import MAINNETS, VERIFY_FROM, Network, coin, erc20, with_tokens

if TYPE_CHECKING:
    from pepay_core.api import AssetId

_BY_CHAIN: Final = {network.id: network for network in MAINNETS.values()}


def _usable(url: SecretStr, schemes: set[str]) -> bool:
    try:
        parts = urlsplit(url.get_secret_value())
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


# The texts may hold keys, so no message repeats them.
def _endpoint(url: SecretStr) -> SecretStr:
    if not _usable(url, {"http", "https"}):
        raise ValueError("must be a URL such as https://rpc.example.com")
    return url


def _websocket(url: SecretStr) -> SecretStr:
    if not _usable(url, {"ws", "wss"}):
        raise ValueError("must be a URL such as wss://rpc.example.com")
    return url


def _contract(text: str) -> str:
    from pepay_evm.addresses import parse  # keeps the cryptography out of reading a configuration without tokens

    try:
        return parse(text).lower()
    except InvalidInput as exc:
        raise ValueError(exc.message) from None


def _amount(text: str) -> str:
    try:
        parse_amount(text, decimals=18)
    except InvalidInput as exc:
        raise ValueError(exc.message) from None
    return text


def _explorer(url: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", url):
        raise ValueError("must be a URL such as https://etherscan.io")
    return url.rstrip("/")


def _public(url: str) -> str:
    if not re.fullmatch(r"https://[^\s/?#@]+(/[^\s?#]*)?", url):
        raise ValueError("must be an https URL without a name, a password or a query: it is shown to everybody who pays")
    return url


_Symbol = Annotated[str, Field(pattern=r"^[!-~]{1,20}$")]
_RateId = Annotated[str, Field(pattern=r"^[-_.a-z0-9]{1,80}$")]
_Decimals = Annotated[int, Field(ge=0, le=77)]
_Name = Annotated[str, Field(min_length=1, max_length=60)]


class NativeSettings(PluginSettings):
    """The coin that the network's fees are paid in. ``rate_id`` is its CoinGecko coin id."""

    symbol: _Symbol
    decimals: _Decimals = 18
    rate_id: _RateId
    name: _Name | None = None


class TokenSettings(PluginSettings):
    """An ERC-20 token, pinned by its contract; its decimals have no default, and are checked against the contract's.

    ``standard`` says how far its events are believed; see ``verifying.Trust``.
    """

    symbol: _Symbol
    address: Annotated[str, AfterValidator(_contract)]
    decimals: _Decimals
    rate_id: _RateId
    name: _Name | None = None
    standard: bool | None = None


class BandSettings(PluginSettings):
    """Payments worth up to ``up_to``, in the invoice's currency, are final after ``blocks``, or when the chain says so."""

    up_to: Annotated[str, AfterValidator(_amount)] | None = None
    blocks: Annotated[int, Field(ge=1)] | None = None
    finality: Literal["finalized"] | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if (self.blocks is None) == (self.finality is None):
            raise ValueError('give either blocks, or finality = "finalized"')
        return self


class NetworkSettings(PluginSettings):
    """One network. The built-in ones need only ``rpc``; what is given here replaces what is built in, and tokens are added."""

    rpc: Annotated[list[Annotated[SecretStr, AfterValidator(_endpoint)]], Field(min_length=1)]
    ws: list[Annotated[SecretStr, AfterValidator(_websocket)]] = Field(default_factory=list)
    name: _Name | None = None
    chain: Annotated[str, Field(pattern=r"^eip155:[1-9][0-9]{0,18}$")] | None = None
    testnet: bool | None = None
    idle: bool | None = None
    native: NativeSettings | None = None
    confirmations: Annotated[int, Field(ge=1)] | Literal["finalized"] | list[BandSettings] | None = None
    tokens: list[TokenSettings] = Field(default_factory=list)
    block_seconds: Annotated[float, Field(gt=0, le=3600)] | None = None
    explorer: Annotated[str, AfterValidator(_explorer)] | None = None
    public_rpc: list[Annotated[str, AfterValidator(_public)]] = Field(default_factory=list)
    max_range: Annotated[int, Field(ge=1, le=1000)] = 64
    verify_from: Annotated[str, AfterValidator(_amount)] = str(VERIFY_FROM)
    alone_up_to: Annotated[str, AfterValidator(_amount)] = "1000"
    timeout: Annotated[float, Field(ge=0.1, le=20)] = 10.0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if {url.get_secret_value().rstrip("/") for url in self.rpc} & {url.rstrip("/") for url in self.public_rpc}:
            raise ValueError("public_rpc names an endpoint of rpc: what is in it is shown to everybody who pays")
        addresses = [token.address for token in self.tokens]
        if len(set(addresses)) != len(addresses):
            raise ValueError("two tokens have the same address")
        if isinstance(self.confirmations, list):
            _finality(self.confirmations)
        return self


class EvmSettings(PluginSettings):
    """The networks by name, such as ``[plugin.evm.networks.arbitrum]``."""

    networks: dict[Annotated[str, Field(pattern=r"^[a-z0-9][-_a-z0-9]{0,39}$")], NetworkSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _resolvable(self) -> Self:
        seen: dict[str, str] = {}
        for network in self.resolved():
            if network.id in seen:
                raise ValueError(f"networks {seen[network.id]} and {network.key} are both {network.id}; keep one, with both endpoints in its rpc")
            seen[network.id] = network.key
        return self

    def resolved(self) -> tuple[Network, ...]:
        """Return the networks with everything that is built in filled in; raises ValueError that names the network and the key."""
        return tuple(_resolve(key, network) for key, network in self.networks.items())


def _resolve(key: str, given: NetworkSettings) -> Network:
    known = MAINNETS.get(key)
    if known and given.chain and given.chain != known.id:
        raise ValueError(f"networks.{key} chain: {key} is {known.id}; give another network another name")
    known = known or _BY_CHAIN.get(ChainId(given.chain or ""))
    network = replace(known, key=key) if known else _unknown(key, given)
    if known and given.testnet:
        raise ValueError(f"networks.{key} testnet: {known.id} is not a test network")
    if given.native:
        native = coin(network.id, given.native.symbol, given.native.rate_id, given.native.name or "", given.native.decimals)
        if known and (native.decimals, native.id) != (known.native.decimals, known.native.id):
            raise ValueError(f"networks.{key} native: {known.id} has {known.native.symbol} with {known.native.decimals} decimals")
        network = replace(network, native=native)
    added = tuple(erc20(network.id, each.symbol, each.address, each.decimals, each.rate_id, each.name or "") for each in given.tokens)
    for token in added:
        for own in network.tokens:
            if own.id == token.id and own.decimals != token.decimals:
                raise ValueError(f"networks.{key} tokens: {own.symbol} on {network.id} has {own.decimals} decimals, not {token.decimals}")
    testnet = network.testnet if given.testnet is None else given.testnet
    return with_tokens(
        replace(
            network,
            name=given.name or network.name,
            finality=_agreed(network.finality if given.confirmations is None else _finality(given.confirmations), given),
            block_seconds=given.block_seconds or network.block_seconds,
            explorer=given.explorer or network.explorer,
            testnet=testnet,
            idle=testnet if given.idle is None else given.idle,
            rpc=tuple(given.rpc),
            ws=tuple(given.ws),
            max_range=given.max_range,
            public_rpc=tuple(given.public_rpc),
            verify_from=Decimal(given.verify_from),
            standard=(network.standard | _flagged(network.id, given, True)) - _flagged(network.id, given, False),
            strict=_flagged(network.id, given, False),
            timeout=given.timeout,
        ),
        added,
    )


def _flagged(chain: str, given: NetworkSettings, standard: bool) -> frozenset[AssetId]:
    return frozenset(erc20(chain, each.symbol, each.address, each.decimals, each.rate_id).id for each in given.tokens if each.standard is standard)


def _unknown(key: str, given: NetworkSettings) -> Network:
    for field in ("chain", "native"):
        if getattr(given, field) is None:
            raise ValueError(f"networks.{key} needs the key {field!r}: only {', '.join(MAINNETS)} are built in")
    chain, native = ChainId(given.chain or ""), given.native
    assert native is not None
    return Network(
        key=key,
        name=given.name or key,
        id=chain,
        native=coin(chain, native.symbol, native.rate_id, native.name or "", native.decimals),
        finality=Finality.confirmations(12),
        block_seconds=1.0 if given.testnet else 12.0,
    )


def _agreed(rule: Finality, given: NetworkSettings) -> Finality:
    """Return the rule with how much one endpoint is believed alone, which says nothing where there is only one."""
    return replace(rule, alone_up_to=Decimal(given.alone_up_to) if len(given.rpc) > 1 else None)


def _finality(rule: int | str | list[BandSettings]) -> Finality:
    if isinstance(rule, int):
        return Finality.confirmations(rule)
    if isinstance(rule, str):
        return Finality.finalized()
    bands = [FinalityBand(None if band.up_to is None else Decimal(band.up_to), band.blocks) for band in rule]
    limits = [band.up_to for band in bands]
    if not limits or limits[-1] is not None or None in limits[:-1]:
        raise ValueError("confirmations: the last band, and only the last, has no up_to")
    rising = [limit for limit in limits if limit is not None]
    if sorted(set(rising)) != rising:
        raise ValueError("confirmations: the bands go from small amounts to large ones")
    return Finality(tuple(bands))
