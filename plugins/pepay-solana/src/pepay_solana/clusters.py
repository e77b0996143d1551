"""What a cluster is to the driver, and the clusters that are known without configuration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pepay_core.api import AssetId, ChainId, Finality, Token
from pepay_solana.addresses import TOKEN, TOKEN_2022

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr

SOL_DECIMALS: Final = 9
_FINALIZED: Final = Finality.finalized()


@dataclass(frozen=True, slots=True)
class Cluster:
    """One Solana cluster. ``rpc`` and ``ws`` may hold credentials.

    ``programs`` names the token program of each mint, and ``extensions`` what the operator accepts of some. ``batch`` is the most
    calls in one request, and ``look`` the most transactions that one look reads.
    """

    key: str
    name: str
    genesis: str
    finality: Finality = _FINALIZED
    block_seconds: float = 4.0
    tokens: tuple[Token, ...] = ()
    programs: tuple[tuple[str, str], ...] = ()
    extensions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    explorer: str | None = None
    testnet: bool = False
    idle: bool = False
    rpc: tuple[SecretStr, ...] = ()
    ws: tuple[SecretStr, ...] = ()
    batch: int = 20
    look: int = 100

    @property
    def id(self) -> ChainId:
        """The CAIP-2 id, which is cut from the genesis hash."""
        return chain_of(self.genesis)

    @property
    def moniker(self) -> str:
        """What wallets call the cluster, by the Wallet Standard."""
        return {_MAINNET: "solana:mainnet", _DEVNET: "solana:devnet"}.get(self.genesis, "solana:localnet")

    @property
    def native(self) -> Token:
        """SOL."""
        return Token(AssetId(f"{self.id}/slip44:501"), "SOL", SOL_DECIMALS, "solana", "Solana")

    @property
    def mints(self) -> Mapping[str, Token]:
        """The tokens by the address of their mint."""
        return {mint_of(token.id): token for token in self.tokens}


@dataclass(frozen=True, slots=True)
class Mint:
    """A token that a cluster's driver looks for: its mint, the program that keeps it, and what PePay calls it."""

    address: str
    program: str
    token: Token


def chain_of(genesis: str) -> ChainId:
    """Return the CAIP-2 id of the cluster with a genesis hash."""
    return ChainId(f"solana:{genesis[:32]}")


def spl(genesis: str, symbol: str, mint: str, decimals: int, rate_id: str, name: str = "") -> Token:
    """Return an SPL token; its id holds the mint as it is written, because base58 is case-sensitive."""
    return Token(AssetId(f"{chain_of(genesis)}/token:{mint}"), symbol, decimals, rate_id, name or symbol)


def mint_of(asset: str) -> str:
    """Return the mint in a token's id, or the empty text for SOL."""
    return asset.partition("/token:")[2]


def with_tokens(cluster: Cluster, added: Mapping[Token, str]) -> Cluster:
    """Return the cluster with more tokens, each with its program; one that is already known is replaced."""
    tokens = {token.id: token for token in (*cluster.tokens, *added)}
    programs = {**dict(cluster.programs), **{mint_of(token.id): program for token, program in added.items()}}
    return replace(cluster, tokens=tuple(tokens.values()), programs=tuple(programs.items()))


def mints(cluster: Cluster) -> tuple[Mint, ...]:
    """Return what the driver looks for beside SOL."""
    programs = dict(cluster.programs)
    return tuple(Mint(address, programs[address], token) for address, token in cluster.mints.items())


_MAINNET: Final = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"
_DEVNET: Final = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG"

_USDC: Final = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
_USDT: Final = "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB"
_PYUSD: Final = "2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo"
_EURC: Final = "HzwqbKZw8HxMN6bF2yFZNrht3c2iXXzpKcFu7uBEDKtr"
_DEV_USDC: Final = "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU"
_DEV_PYUSD: Final = "CXk2AMBfi3TwaEL2468s6zP8xq9NxTXjp9gjMgzeUynM"

# Decimals and programs are the mints' own, and read from the chain again when a cluster is opened.
CLUSTERS: Final[Mapping[str, Cluster]] = {
    "mainnet": with_tokens(
        Cluster("mainnet", "Solana", _MAINNET, explorer="https://solscan.io"),
        {
            spl(_MAINNET, "USDC", _USDC, 6, "usd-coin", "USD Coin"): TOKEN,
            spl(_MAINNET, "USDT", _USDT, 6, "tether", "Tether USD"): TOKEN,
            spl(_MAINNET, "PYUSD", _PYUSD, 6, "paypal-usd", "PayPal USD"): TOKEN_2022,
            spl(_MAINNET, "EURC", _EURC, 6, "euro-coin", "EURC"): TOKEN,
        },
    ),
    "devnet": with_tokens(
        Cluster("devnet", "Solana Devnet", _DEVNET, testnet=True),
        {
            spl(_DEVNET, "USDC", _DEV_USDC, 6, "usd-coin", "USD Coin"): TOKEN,
            spl(_DEVNET, "PYUSD", _DEV_PYUSD, 6, "paypal-usd", "PayPal USD"): TOKEN_2022,
        },
    ),
}
