"""``[plugin.solana]``: the clusters, each with what is peculiar to it."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from pepay_core.api import Finality, FinalityBand, InvalidInput, PluginSettings, parse_amount
from pepay_solana import base58
from pepay_solana.addresses import TOKEN, TOKEN_2022
from pepay_solana.clusters import CLUSTERS, Cluster, mint_of, spl, with_tokens

_BY_GENESIS: Final = {cluster.genesis: cluster for cluster in CLUSTERS.values()}
_PROGRAMS: Final = {"token": TOKEN, "token-2022": TOKEN_2022}


def _endpoint(url: SecretStr, schemes: tuple[str, str]) -> SecretStr:
    # The text may hold a key, so no message repeats it.
    try:
        parts = urlsplit(url.get_secret_value())
        usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(f"must be a URL such as {schemes[1]}://rpc.example.com")
    return url


def _http(url: SecretStr) -> SecretStr:
    return _endpoint(url, ("http", "https"))


def _websocket(url: SecretStr) -> SecretStr:
    return _endpoint(url, ("ws", "wss"))


def _key(text: str) -> str:
    try:
        base58.decode_key(text)
    except ValueError:
        raise ValueError("must be 32 bytes in base58, as Solana writes keys and hashes") from None
    return text


def _amount(text: str) -> str:
    try:
        parse_amount(text, decimals=18)
    except InvalidInput as exc:
        raise ValueError(exc.message) from None
    return text


def _explorer(url: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", url):
        raise ValueError("must be a URL such as https://solscan.io")
    return url.rstrip("/")


_Name = Annotated[str, Field(min_length=1, max_length=60)]
_Key = Annotated[str, AfterValidator(_key)]
_Level = Literal["confirmed", "finalized"]


class TokenSettings(PluginSettings):
    """An SPL token, pinned by its mint; program, decimals and extensions are checked against the mint's own."""

    symbol: Annotated[str, Field(pattern=r"^[!-~]{1,20}$")]
    mint: _Key
    decimals: Annotated[int, Field(ge=0, le=18)]
    rate_id: Annotated[str, Field(pattern=r"^[-_.a-z0-9]{1,80}$")]
    name: _Name | None = None
    program: Literal["token", "token-2022"] = "token"
    extensions: list[Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")]] = Field(default_factory=list)


class BandSettings(PluginSettings):
    """Payments worth up to ``up_to``, in the invoice's currency, are final at a commitment, or after ``blocks`` slots."""

    up_to: Annotated[str, AfterValidator(_amount)] | None = None
    commitment: _Level | None = None
    finality: _Level | None = None
    blocks: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if sum(each is not None for each in (self.commitment, self.finality, self.blocks)) != 1:
            raise ValueError('give one of commitment = "confirmed" or "finalized", finality, or blocks')
        return self

    @property
    def depth(self) -> int | None:
        """The slots to wait for, a payment's own being the first; None where the chain decides."""
        # The newest block that is looked at is confirmed already.
        return self.blocks or (1 if "confirmed" in {self.commitment, self.finality} else None)


class ClusterSettings(PluginSettings):
    """One cluster. Those that are built in need only ``rpc``; what is given here replaces what is built in, and tokens are added."""

    rpc: Annotated[list[Annotated[SecretStr, AfterValidator(_http)]], Field(min_length=1)]
    ws: list[Annotated[SecretStr, AfterValidator(_websocket)]] = Field(default_factory=list)
    genesis: _Key | None = None
    name: _Name | None = None
    testnet: bool | None = None
    idle: bool | None = None
    commitment: _Level | list[BandSettings] | None = None
    alone_up_to: Annotated[str, AfterValidator(_amount)] = "1000"
    tokens: list[TokenSettings] = Field(default_factory=list)
    block_seconds: Annotated[float, Field(gt=0, le=3600)] | None = None
    explorer: Annotated[str, AfterValidator(_explorer)] | None = None
    batch: Annotated[int, Field(ge=1, le=1000)] = 20
    max_transactions: Annotated[int, Field(ge=1, le=1000)] = 100

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        listed = [token.mint for token in self.tokens]
        if len(set(listed)) != len(listed):
            raise ValueError("two tokens have the same mint")
        if isinstance(self.commitment, list):
            _finality(self.commitment)
        return self


class SolanaSettings(PluginSettings):
    """The clusters by name, such as ``[plugin.solana.clusters.mainnet]``."""

    clusters: dict[Annotated[str, Field(pattern=r"^[a-z0-9][-_a-z0-9]{0,39}$")], ClusterSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _resolvable(self) -> Self:
        seen: dict[str, str] = {}
        for cluster in self.resolved():
            if cluster.id in seen:
                raise ValueError(f"clusters {seen[cluster.id]} and {cluster.key} are both {cluster.id}; keep one, with both endpoints in its rpc")
            seen[cluster.id] = cluster.key
        return self

    def resolved(self) -> tuple[Cluster, ...]:
        """Return the clusters with everything that is built in filled in; raises ValueError that names the cluster and the key."""
        return tuple(_resolve(key, cluster) for key, cluster in self.clusters.items())


def _resolve(key: str, given: ClusterSettings) -> Cluster:
    known = CLUSTERS.get(key)
    if known and given.genesis and given.genesis != known.genesis:
        raise ValueError(f"clusters.{key} genesis: {key} has {known.genesis}; give another cluster another name")
    known = known or _BY_GENESIS.get(given.genesis or "")
    if known and given.testnet is not None and given.testnet is not known.testnet:
        raise ValueError(f"clusters.{key} testnet: {known.name} is {'a test' if known.testnet else 'not a test'} cluster")
    if known:
        cluster = replace(known, key=key)
    elif given.genesis is None:
        raise ValueError(f"clusters.{key} needs the key 'genesis': only {', '.join(CLUSTERS)} are built in")
    else:
        testnet = bool(given.testnet)
        cluster = Cluster(key, given.name or key, given.genesis, block_seconds=0.5 if testnet else 4.0, testnet=testnet, idle=testnet)
    added = {
        spl(cluster.genesis, each.symbol, each.mint, each.decimals, each.rate_id, each.name or ""): _PROGRAMS[each.program] for each in given.tokens
    }
    for token in added:
        for own in cluster.tokens:
            if own.id == token.id and own.decimals != token.decimals:
                raise ValueError(f"clusters.{key} tokens: {own.symbol} ({mint_of(own.id)}) has {own.decimals} decimals, not {token.decimals}")
    rule = cluster.finality if given.commitment is None else _finality(given.commitment)
    return with_tokens(
        replace(
            cluster,
            name=given.name or cluster.name,
            # How much one endpoint is believed alone says nothing where there is only one.
            finality=replace(rule, alone_up_to=Decimal(given.alone_up_to) if len(given.rpc) > 1 else None),
            block_seconds=given.block_seconds or cluster.block_seconds,
            explorer=given.explorer or cluster.explorer,
            idle=cluster.idle if given.idle is None else given.idle,
            rpc=tuple(given.rpc),
            ws=tuple(given.ws),
            batch=given.batch,
            look=given.max_transactions,
            extensions=tuple((each.mint, tuple(each.extensions)) for each in given.tokens if each.extensions),
        ),
        added,
    )


def _finality(rule: str | list[BandSettings]) -> Finality:
    if isinstance(rule, str):
        return Finality.finalized() if rule == "finalized" else Finality.confirmations(1)
    bands = [FinalityBand(None if band.up_to is None else Decimal(band.up_to), band.depth) for band in rule]
    limits = [band.up_to for band in bands]
    if not limits or limits[-1] is not None or None in limits[:-1]:
        raise ValueError("commitment: the last band, and only the last, has no up_to")
    rising = [limit for limit in limits if limit is not None]
    if sorted(set(rising)) != rising:
        raise ValueError("commitment: the bands go from small amounts to large ones")
    return Finality(tuple(bands))
