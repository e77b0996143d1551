"""What a network is to the driver, and the networks that are known without configuration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from pepay_core.api import AssetId, ChainId, Finality, FinalityBand, Token

if TYPE_CHECKING:
    from pydantic import SecretStr

# SLIP-44 coin types; a coin that has none here is named like Ether, as wallets derive it.
_COIN_TYPES: Final = {"ETH": 60, "BNB": 714, "AVAX": 9005}
VERIFY_FROM: Final = Decimal(1000)


@dataclass(frozen=True, slots=True)
class Network:
    """One EVM network. ``rpc`` and ``ws`` may hold credentials.

    ``max_range`` is the most blocks that one look may cover, ``timeout`` the seconds that an endpoint may take for one answer.

    ``standard`` are the tokens that are known to move what their events say; payments in them are held against balances only from
    ``verify_from`` tokens on. In those that are ``strict`` nothing counts that balances do not prove. ``logs_advice`` says what to do about
    an endpoint that tells no events. ``public_rpc`` is what wallets may be told to use; it holds no credentials.
    """

    key: str
    name: str
    id: ChainId
    native: Token
    finality: Finality
    block_seconds: float
    tokens: tuple[Token, ...] = ()
    explorer: str | None = None
    testnet: bool = False
    idle: bool = False
    rpc: tuple[SecretStr, ...] = ()
    ws: tuple[SecretStr, ...] = ()
    max_range: int = 64
    standard: frozenset[AssetId] = frozenset()
    strict: frozenset[AssetId] = frozenset()
    verify_from: Decimal = VERIFY_FROM
    logs_advice: str = ""
    public_rpc: tuple[str, ...] = ()
    timeout: float = 10.0

    @property
    def number(self) -> int:
        """The chain id as the network's own nodes write it."""
        return int(self.id.partition(":")[2])

    @property
    def contracts(self) -> dict[str, Token]:
        """The tokens by the lower-case address of their contract."""
        return {contract_of(token.id): token for token in self.tokens}

    @property
    def wants_finalized(self) -> bool:
        """Whether any amount is final only when the chain says so."""
        return any(band.blocks is None for band in self.finality.bands)


def coin(chain: str, symbol: str, rate_id: str, name: str = "", decimals: int = 18) -> Token:
    """Return a network's native coin."""
    return Token(AssetId(f"{chain}/slip44:{_COIN_TYPES.get(symbol, 60)}"), symbol, decimals, rate_id, name or symbol)


def erc20(chain: str, symbol: str, address: str, decimals: int, rate_id: str, name: str = "") -> Token:
    """Return an ERC-20 token; its id holds the address in lower case."""
    return Token(AssetId(f"{chain}/erc20:{address.lower()}"), symbol, decimals, rate_id, name or symbol)


def contract_of(asset: str) -> str:
    """Return the lower-case address in a token's id, or the empty text for a native coin."""
    return asset.partition("/erc20:")[2]


def with_tokens(network: Network, added: tuple[Token, ...]) -> Network:
    """Return the network with more tokens; one that is already known is replaced."""
    return replace(network, tokens=tuple({token.id: token for token in (*network.tokens, *added)}.values()))


def _bands(*limits: tuple[str | None, int | None]) -> Finality:
    return Finality(tuple(FinalityBand(None if up_to is None else Decimal(up_to), blocks) for up_to, blocks in limits))


def _mainnet(
    key: str,
    name: str,
    number: int,
    *,
    native: tuple[str, str, str],
    finality: Finality,
    block_seconds: float,
    explorer: str,
    usdc: tuple[str, int],
    usdt: tuple[str, int],
    others: tuple[tuple[str, str, int, str, str], ...],
    logs_advice: str = "",
) -> Network:
    chain = ChainId(f"eip155:{number}")
    tokens = (
        erc20(chain, "USDC", *usdc, "usd-coin", "USD Coin"),
        erc20(chain, "USDT", *usdt, "tether", "Tether USD"),
        *(replace(erc20(chain, *other), optional=True) for other in others),
    )
    return Network(
        key=key,
        name=name,
        id=chain,
        native=coin(chain, *native),
        finality=finality,
        block_seconds=block_seconds,
        tokens=tokens,
        explorer=explorer,
        standard=frozenset(token.id for token in tokens),
        logs_advice=logs_advice,
    )


# Decimals are the contracts' own, and read from the chain again when a network is opened: both dollars have 18 on BNB Smart Chain.
# Wrapped and bridged coins are known, so that one that is sent in place of the coin itself is seen and can be accepted by hand, but they are
# offered only by merchants who ask for them. A wrapped coin can be changed into the coin one for one at its contract, so it has the coin's price.
_MAINNETS: Final = (
    _mainnet(
        "ethereum",
        "Ethereum",
        1,
        native=("ETH", "ethereum", "Ether"),
        finality=_bands(("100", 3), ("10000", 12), (None, None)),
        block_seconds=12.0,
        explorer="https://etherscan.io",
        usdc=("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", 6),
        usdt=("0xdAC17F958D2ee523a2206206994597C13D831ec7", 6),
        others=(("WETH", "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", 18, "ethereum", "Wrapped Ether"),),
    ),
    _mainnet(
        "bsc",
        "BNB Smart Chain",
        56,
        native=("BNB", "binancecoin", "BNB"),
        # A block is final by the votes of the validators some blocks later, and nodes say so by the tag.
        finality=Finality.finalized(),
        block_seconds=0.45,
        explorer="https://bscscan.com",
        usdc=("0x8AC76a51cc950d9822D68b83fE1Ad97B32Cd580d", 18),
        usdt=("0x55d398326f99059fF775485246999027B3197955", 18),
        others=(
            ("WBNB", "0xbb4CdB9CBd36B01bD1cBaEBF2De08d9173bc095c", 18, "binancecoin", "Wrapped BNB"),
            ("ETH", "0x2170Ed0880ac9A755fd29B2688956BD959F933F8", 18, "ethereum", "Binance-Peg Ether"),
        ),
        logs_advice="the public endpoints of this network answer no eth_getLogs: use one of a provider, or your own node",
    ),
    _mainnet(
        "avalanche",
        "Avalanche C-Chain",
        43114,
        native=("AVAX", "avalanche-2", "Avalanche"),
        # Nodes serve accepted blocks only, and an accepted block is final.
        finality=Finality.confirmations(1),
        block_seconds=1.7,
        explorer="https://snowtrace.io",
        usdc=("0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E", 6),
        usdt=("0x9702230A8Ea53601f5cD2dc00fDBc13d4dF4A8c7", 6),
        others=(
            ("WAVAX", "0xB31f66AA3C1e785363F0875A1B74E27b85FD66c7", 18, "avalanche-2", "Wrapped AVAX"),
            ("WETH.e", "0x49D5c2BdFfac6CE2BFdB6640F4F80f226bc10bAB", 18, "ethereum", "Bridged Ether"),
        ),
    ),
    _mainnet(
        "arbitrum",
        "Arbitrum One",
        42161,
        native=("ETH", "ethereum", "Ether"),
        # A block is the sequencer's promise until its batch is final on Ethereum.
        finality=_bands(("1000", 12), (None, None)),
        block_seconds=0.25,
        explorer="https://arbiscan.io",
        usdc=("0xaf88d065e77c8cC2239327C5EDb3A432268e5831", 6),
        usdt=("0xFd086bC7CD5C481DCC9C85ebE478A1C0b69FCbb9", 6),
        others=(
            ("WETH", "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1", 18, "ethereum", "Wrapped Ether"),
            ("USDC.e", "0xFF970A61A04b1cA14834A43f5dE4533eBDDB5CC8", 6, "usd-coin", "Bridged USD Coin"),
        ),
    ),
)
MAINNETS: Final = {network.key: network for network in _MAINNETS}
