"""PePay on a local cluster whose time passes, paid by the wallets and libraries that people use, as the registries have them."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
from blackbox import Market, gateway_on, until
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from spl.token.constants import TOKEN_PROGRAM_ID
from spl.token.instructions import get_associated_token_address, transfer_checked
from spl.token.models import TransferCheckedParams

from pepay_sandbox.solana.clients import solana_js
from pepay_sandbox.solana.testing import Cluster

__all__ = ["solana_js"]

ROOT = Path(__file__).parents[2]
PAY = ROOT / "plugins" / "pepay-sandbox" / "tests" / "js" / "pay.mjs"
REQUEST = Path(__file__).parent / "js" / "request.mjs"


class Street:
    """A cluster, a gateway that watches it, and a buyer."""

    def __init__(self, cluster, gateway, mint, buyer, wallet):
        self.cluster, self.gateway, self.mint, self.buyer, self.wallet = cluster, gateway, mint, buyer, wallet

    def asset(self, symbol):
        return f"{self.cluster.chain}/slip44:501" if symbol == "SOL" else f"{self.cluster.chain}/token:{self.mint}"

    def invoice(self, symbol):
        invoice = self.gateway.invoice(pay_with=self.asset(symbol))
        return invoice, self.gateway.option(invoice, symbol)

    @property
    def key(self):
        return json.dumps(list(bytes(self.buyer)))

    def paid(self, invoice, signature):
        paid = self.gateway.await_status(invoice, "paid")
        assert [(each["transaction"], each["status"]) for each in paid["payments"]] == [(signature, "confirmed")]
        assert paid["amount_paid"] == "49.99"
        assert paid["payments"][0]["from"] == str(self.buyer.pubkey())
        return paid


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    market = Market()
    with Cluster(slot_ms=100, final_slots=8) as cluster:
        mint = cluster.create_mint(6)
        buyer, wallet = cluster.wallet(100 * 10**9), str(cluster.wallet(10**9).pubkey())
        cluster.mint_to(mint, str(buyer.pubkey()), 10_000_000_000)
        cluster.create_token_account(wallet, mint)
        gateway = gateway_on(
            tmp_path_factory.mktemp("gateway"),
            market,
            f"""
[plugin.solana.clusters.local]
name = "Local Solana"
genesis = "{cluster.genesis}"
rpc = ["{cluster.url}"]
ws = ["{cluster.ws_url}"]
testnet = true
tokens = [{{ symbol = "USDC", mint = "{mint}", decimals = 6, rate_id = "usd-coin" }}]
""",
        )
        gateway.start()
        made = gateway.post("/api/v1/wallets", {"chain_family": "solana", "kind": "address", "value": wallet})
        assert made["missing_accounts"] == []

        def offered():
            tokens = gateway.get("/api/v1/tokens?limit=100")["data"]
            return {each["symbol"] for each in tokens if each["available"]} == {"SOL", "USDC"}

        until(offered, "SOL and USDC to be offered")
        yield Street(cluster, gateway, mint, buyer, wallet)
        gateway.stop()
    market.close()


@pytest.mark.parametrize("symbol", ["SOL", "USDC"])
def test_solana_pay_reads_our_link_pays_it_and_finds_it(street, solana_js, symbol):
    invoice, option = street.invoice(symbol)

    said = solana_js.run(PAY, street.cluster.url, street.cluster.ws_url, option["payment_uri"], street.key)

    assert said["found"] == said["seen"]
    assert said["error"] is None
    street.paid(invoice, said["found"])


@pytest.mark.parametrize("kit", ["@solana/kit", "kit-next"])
@pytest.mark.parametrize("symbol", ["SOL", "USDC"])
def test_a_transaction_request_is_signed_by_kit_and_credited(street, solana_js, kit, symbol):
    invoice, option = street.invoice(symbol)
    link = f"{street.gateway.url}/api/v1/checkout/{invoice['id']}/solana-pay?token={quote(invoice['client_token'])}&asset={quote(option['asset'])}"

    said = solana_js.run(REQUEST, kit, street.cluster.url, link, street.key)

    assert said["about"]["label"]
    assert said["about"]["icon"].endswith("/static/mark.svg")
    assert said["origins"] == ["*", "*"]
    assert said["message"].startswith(f"{option['quote']['amount']} {symbol} to ")
    street.paid(invoice, said["signature"])


def test_a_transaction_request_is_refused_with_a_reason(street, solana_js):
    invoice, _ = street.invoice("USDC")
    link = f"{street.gateway.url}/api/v1/checkout/{invoice['id']}/solana-pay?token={quote(invoice['client_token'])}"
    poor = json.dumps(list(bytes(Keypair())))

    said = solana_js.run(REQUEST, "@solana/kit", street.cluster.url, link, poor)

    assert "this wallet has 0 USDC" in said["refused"]["message"]
    assert said["origins"] == ["*", "*"]


@pytest.mark.anyio
@pytest.mark.parametrize("symbol", ["SOL", "USDC"])
async def test_solana_py_pays_what_the_link_says(street, symbol):
    invoice, option = street.invoice(symbol)
    asked = urlsplit(option["payment_uri"])
    fields = {name: value for name, (value,) in parse_qs(asked.query).items()}
    reference = AccountMeta(Pubkey.from_string(fields["reference"]), is_signer=False, is_writable=False)
    recipient, payer = Pubkey.from_string(unquote(asked.path)), street.buyer.pubkey()
    if symbol == "SOL":
        lamports = int(option["quote"]["amount_base_units"])
        sending = transfer(TransferParams(from_pubkey=payer, to_pubkey=recipient, lamports=lamports))
    else:
        mint = Pubkey.from_string(fields["spl-token"])
        source, dest = (get_associated_token_address(owner, mint) for owner in (payer, recipient))
        units = int(option["quote"]["amount_base_units"])
        sending = transfer_checked(
            TransferCheckedParams(program_id=TOKEN_PROGRAM_ID, source=source, mint=mint, dest=dest, owner=payer, amount=units, decimals=6, signers=[])
        )
    sending = Instruction(sending.program_id, sending.data, [*sending.accounts, reference])

    async with AsyncClient(street.cluster.url, commitment=Confirmed) as client:
        latest = (await client.get_latest_blockhash()).value.blockhash
        message = MessageV0.try_compile(payer, [sending], [], latest)
        sent = (await client.send_transaction(VersionedTransaction(message, [street.buyer]))).value

    street.paid(invoice, str(sent))
