"""A gateway that takes money on an Ethereum node and on a Solana cluster, and a buyer with money on both."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from blackbox import XPUB, Gateway, Listening, Market, Shop, gateway_on, until

from pepay_core.testing import erc20
from pepay_core.testing.anvil import Anvil, new_anvil
from pepay_sandbox import token
from pepay_sandbox.solana.testing import SOL, Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from solders.keypair import Keypair

EVM = "eip155:31337"
CONFIRMATIONS = 3


@dataclass(frozen=True)
class Town:
    """Time stands still on both chains until a test lets blocks or slots come."""

    gateway: Gateway
    node: Anvil
    cluster: Cluster
    market: Market
    shop: Shop
    usdc: str
    dai: str
    mint: str
    buyer: Keypair
    wallet: str

    @property
    def assets(self) -> dict[str, str]:
        """What can be paid with: ``ETH``, ``USDC``, ``DAI`` on Ethereum; ``SOL``, ``USDC-SOL`` on Solana."""
        return {
            "ETH": f"{EVM}/slip44:60",
            "USDC": f"{EVM}/erc20:{self.usdc}",
            "DAI": f"{EVM}/erc20:{self.dai}",
            "SOL": f"{self.cluster.chain}/slip44:501",
            "USDC-SOL": f"{self.cluster.chain}/token:{self.mint}",
        }

    def invoice(self, method: str | None = None, **fields: Any) -> dict[str, Any]:
        """Create an invoice, with its method chosen where one is named."""
        chosen = {"pay_with": self.assets[method]} if method else {}
        return self.gateway.invoice(title="Order #1042", **chosen, **fields)

    def option(self, invoice: dict[str, Any], method: str) -> dict[str, Any]:
        """Return an invoice's option as it is now."""
        found = self.gateway.get(f"/api/v1/invoices/{invoice['id']}")
        return next(each for each in found["payment_options"] if each["asset"].lower() == self.assets[method].lower())

    def send(self, method: str, to: str, units: int, references: tuple[str, ...] = ()) -> str:
        """Send money into the newest block or slot, and return the transaction; it has no further confirmations yet."""
        if method == "SOL":
            return self.cluster.transfer(self.buyer, to, units, references=references)
        if method == "USDC-SOL":
            return self.cluster.transfer_tokens(self.buyer, to, self.mint, units, references=references)
        contract = {"ETH": None, "USDC": self.usdc, "DAI": self.dai}[method]
        sent = self.node.send(to, units) if contract is None else self.node.send(contract, data=erc20.transfer(to, units))
        self.node.mine()
        return sent

    def pay(self, invoice: dict[str, Any], method: str, units: int | None = None) -> str:
        """Pay an option: what it asks for, unless told otherwise."""
        option = self.option(invoice, method)
        references = (option["reference"],) if option["reference"] else ()
        return self.send(method, option["destination"], int(option["quote"]["amount_base_units"]) if units is None else units, references)

    def pay_code(self, payload: str, method: str, amount: str | None = None) -> str:
        """Pay what a code says, as a wallet does that knows nothing else; ``amount`` is what people type where it says an address only."""
        if payload.startswith("solana:"):
            parts = urlsplit(payload)
            said = parse_qs(parts.query)
            decimals = 9 if "spl-token" not in said else 6
            assert ("spl-token" in said) == (method == "USDC-SOL")
            return self.send(method, unquote(parts.path), _units(said["amount"][0], decimals), tuple(said["reference"]))
        if payload.startswith("ethereum:"):
            native = re.fullmatch(r"ethereum:(0x[0-9a-fA-F]{40})@31337\?value=(\d+)", payload)
            if native:
                assert method == "ETH"
                return self.send("ETH", native[1], int(native[2]))
            token = re.fullmatch(r"ethereum:(0x[0-9a-fA-F]{40})@31337/transfer\?address=(0x[0-9a-fA-F]{40})&uint256=(\d+)", payload)
            assert token, payload
            assert token[1].lower() == self.assets[method].rpartition(":")[2]
            return self.send(method, token[2], int(token[3]))
        assert re.fullmatch("0x[0-9a-fA-F]{40}", payload), payload
        assert amount is not None, "the code is an address only: say how much"
        return self.send(method, payload, _units(amount, {"ETH": 18, "USDC": 6, "DAI": 18}[method]))

    def url(self, invoice: dict[str, Any], **query: str) -> str:
        """Return the address of an invoice's page."""
        return invoice["payment_url"] + "".join(f"&{name}={value}" for name, value in query.items())

    def as_buyer(self, invoice: dict[str, Any], path: str, body: Any = None) -> Any:
        """Do what the buyer's token allows."""
        headers = {"x-pepay-token": invoice["client_token"]}
        answer = self.gateway.call("POST", f"/api/v1/checkout/{invoice['id']}/{path}", body or {}, key=None, headers=headers)
        assert answer.status < 300, answer
        return answer.body

    def expire(self, invoice: dict[str, Any], method: str) -> None:
        """Let an invoice's time end, and have its chain looked at."""
        self.as_buyer(invoice, "expire")
        self.advance(method)
        until(lambda: self.gateway.status_of(invoice) in {"expired", "underpaid"}, "the invoice to be closed")

    def advance(self, method: str, blocks: int = 1) -> None:
        """Let time pass on the chain of a method."""
        if "SOL" in method:
            self.cluster.tick(blocks)
        else:
            self.node.mine(blocks)

    def settle(self, method: str) -> None:
        """Let what was sent become final."""
        self.advance(method, self.cluster.final_slots if "SOL" in method else CONFIRMATIONS)


def _units(amount: str, decimals: int) -> int:
    whole, _, part = amount.partition(".")
    assert len(part) <= decimals
    return int(whole + part.ljust(decimals, "0"))


@contextmanager
def founded(folder: Path, more: str = "", *, simulated: bool = False) -> Iterator[Town]:
    """Found a town; ``more`` is further configuration. Where it is ``simulated``, its pages have the sandbox's bar and test wallet."""
    market, shop = Market(), Shop()
    try:
        with new_anvil() as node, Cluster(final_slots=8) as cluster:
            node.mine()
            usdc, dai = (_coin(node, symbol, decimals) for symbol, decimals in (("USDC", 6), ("DAI", 18)))
            mint = cluster.create_mint(6)
            buyer, wallet = cluster.wallet(1000 * SOL), str(cluster.wallet(SOL).pubkey())
            cluster.mint_to(mint, str(buyer.pubkey()), 10**12)
            cluster.create_token_account(wallet, mint)
            faucet = Faucet(cluster, mint)
            simulator = _simulator(node, cluster, faucet) if simulated else ""
            gateway = gateway_on(folder, market, _networks(node, cluster, usdc, dai, mint) + simulator + more)
            # All buyers of a town, and the sandbox that acts for them, come from one address.
            gateway.environ |= {"PEPAY_LIMITS__BUYERS_PER_MINUTE": "10000"}
            gateway.start()
            try:
                gateway.post("/api/v1/wallets", {"chain_family": "eip155", "kind": "xpub", "value": XPUB})
                gateway.post("/api/v1/wallets", {"chain_family": "solana", "kind": "address", "value": wallet})
                gateway.post("/api/v1/webhooks", {"url": f"{shop.url}/hook", "enabled_events": ["*"]})
                town = Town(gateway, node, cluster, market, shop, usdc, dai, mint, buyer, wallet)
                until(lambda: _offered(town), "all five ways to pay to be offered")
                yield town
            finally:
                gateway.stop()
                faucet.close()
    finally:
        market.close()
        shop.close()


class Faucet(Listening):
    """Gives the cluster's USDC to whoever asks, as `pepay sandbox solana` does."""

    def __init__(self, cluster: Cluster, mint: str) -> None:
        self._cluster, self._mint = cluster, mint
        super().__init__()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        wish = json.loads(body)
        self._cluster.mint_to(self._mint, wish["address"], _units(wish["usdc"], 6))
        return 200, b"{}"


def _coin(node: Anvil, symbol: str, decimals: int) -> str:
    """Deploy a token that anybody may mint, and fill the node's first account."""
    made = node.deploy(token.deployment(symbol, symbol, decimals))
    node.send(made, data=token.mint(node.accounts[0], 10 ** (decimals + 9)))
    node.mine()
    return made


def _simulator(node: Anvil, cluster: Cluster, faucet: Faucet) -> str:
    return f"""
[plugins]
enabled = ["evm", "solana", "coingecko", "coinbase", "kraken", "webhook-hmac", "sandbox"]
[plugin.sandbox.simulator."{EVM}"]
rpc = "{node.url}"
[plugin.sandbox.simulator."{cluster.chain}"]
rpc = "{cluster.url}"
faucet = "{faucet.url}"
"""


def _offered(town: Town) -> bool:
    tokens = town.gateway.get("/api/v1/tokens?limit=100")["data"]
    return sum(each["available"] for each in tokens) == len(town.assets)


def _networks(node: Anvil, cluster: Cluster, usdc: str, dai: str, mint: str) -> str:
    return f"""
[plugin.evm.networks.dev]
name = "Dev"
chain = "{EVM}"
rpc = ["{node.url}"]
public_rpc = ["https://rpc.dev.example"]
testnet = true
native = {{ symbol = "ETH", decimals = 18, rate_id = "ethereum" }}
confirmations = {CONFIRMATIONS}
tokens = [
  {{ symbol = "USDC", address = "{usdc}", decimals = 6, rate_id = "usd-coin" }},
  {{ symbol = "DAI", address = "{dai}", decimals = 18, rate_id = "usd-coin" }},
]
[plugin.solana.clusters.local]
name = "Local Solana"
genesis = "{cluster.genesis}"
rpc = ["{cluster.url}"]
ws = ["{cluster.ws_url}"]
testnet = true
tokens = [{{ symbol = "USDC", mint = "{mint}", decimals = 6, rate_id = "usd-coin" }}]
"""
