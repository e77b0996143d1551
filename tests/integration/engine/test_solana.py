"""Money on Solana through the whole engine: settled when finalized, taken back when a fork drops it, never counted twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from solana_engines import opened
from solders.keypair import Keypair

from pepay_core.domain.errors import AssetNotAccepted, InvalidAddress
from pepay_core.secrets import FileSecrets
from pepay_core.services.paging import Page
from pepay_core.settings import load_settings
from pepay_core.testing.clock import FakeClock
from pepay_sandbox.solana.testing import cluster

__all__ = ["cluster"]

USDC = 10**6


@pytest.fixture
def mint(cluster):
    return cluster.create_mint(6)


@pytest.fixture
def buyer(cluster, mint):
    buyer = cluster.wallet(100 * 10**9)
    cluster.mint_to(mint, str(buyer.pubkey()), 1_000_000 * USDC)
    return buyer


@pytest.fixture
def wallet(cluster, mint):
    """Return a merchant's wallet that exists and has an account for the token."""
    wallet = str(Keypair().pubkey())
    cluster.airdrop(wallet, 10**9)
    cluster.create_token_account(wallet, mint)
    return wallet


@pytest.fixture
def settings(tmp_path, cluster, market, mint, database_url):
    config = tmp_path / "pepay.toml"
    config.write_text(f"""
[database]
url = "{database_url}"
[plugin.coingecko]
base_url = "{market.url}/coingecko"
[plugin.coinbase]
base_url = "{market.url}/coinbase"
[plugin.kraken]
base_url = "{market.url}/kraken"
[plugin.solana.clusters.local]
name = "Local"
genesis = "{cluster.genesis}"
rpc = ["{cluster.url}"]
ws = ["{cluster.ws_url}"]
testnet = true
commitment = "finalized"
tokens = [{{ symbol = "USDC", mint = "{mint}", decimals = 6, rate_id = "usd-coin" }}]
""")
    settings = load_settings(config, {})
    FileSecrets(settings.key_path, {}).create()
    return settings


@pytest.fixture
def clock():
    return FakeClock(datetime.now(UTC))


@pytest.fixture
async def pepay(settings, cluster, clock, mint, buyer, wallet):
    async with opened(settings, cluster, clock, mint, buyer, wallet) as running:
        yield running


# --- paid ------------------------------------------------------------------------


@pytest.mark.parametrize("symbol", ["SOL", "USDC"])
async def test_a_payment_shows_when_confirmed_and_settles_when_finalized(pepay, symbol):
    invoice = await pepay.invoice(pay_with=pepay.sol if symbol == "SOL" else pepay.usdc)
    option = pepay.option(invoice, symbol)
    assert option["destination"] == pepay.wallet
    assert option["payment_uri"].startswith(f"solana:{pepay.wallet}?amount={'0.3333' if symbol == 'SOL' else '49.99'}&")
    signature = pepay.pay(invoice, symbol)
    await pepay.look()
    seen = await pepay.get(invoice)
    assert (seen["status"], seen["fulfil"]) == ("processing", False)

    pepay.cluster.settle()
    await pepay.look()
    paid = await pepay.get(invoice)
    assert (paid["status"], paid["fulfil"]) == ("paid", True)
    assert [(each["transaction"], each["status"], each["from"]) for each in paid["payments"]] == [(signature, "confirmed", str(pepay.buyer.pubkey()))]
    units = int(option["quote"]["amount_base_units"])
    assert await pepay.balances(invoice) == {"buyer": -units, "receivable": 0, "wallet": units}


async def test_every_invoice_has_a_reference_of_its_own_at_the_same_wallet(pepay):
    invoices = [await pepay.invoice(pay_with=pepay.usdc) for _ in range(3)]
    options = [pepay.option(each, "USDC") for each in invoices]
    assert {each["destination"] for each in options} == {pepay.wallet}
    assert len({each["reference"] for each in options}) == 3
    pepay.pay(invoices[1], "USDC")
    await pepay.look()
    assert [(await pepay.get(each))["status"] for each in invoices] == ["unpaid", "processing", "unpaid"]


async def test_two_parts_make_a_whole(pepay):
    invoice = await pepay.invoice(pay_with=pepay.usdc)
    pepay.pay(invoice, "USDC", 20 * USDC)
    await pepay.look()
    partial = await pepay.get(invoice)
    assert partial["status"] == "underpaid"
    assert pepay.option(partial, "USDC")["quote"]["amount"] == "29.99"
    pepay.pay(partial, "USDC")
    pepay.cluster.settle()
    await pepay.look()
    assert (await pepay.get(invoice))["status"] == "paid"


# --- forks -----------------------------------------------------------------------


async def test_a_fork_that_drops_a_confirmed_payment_takes_it_back_and_landing_again_credits_it_once(pepay):
    invoice = await pepay.invoice(pay_with=pepay.usdc)
    signature = pepay.pay(invoice, "USDC")
    pepay.cluster.tick(2)
    await pepay.look()
    first = (await pepay.get(invoice))["payments"][0]
    assert (await pepay.get(invoice))["status"] == "processing"

    assert signature in pepay.cluster.rollback(4)
    pepay.cluster.tick(3)
    await pepay.look()
    back = await pepay.get(invoice)
    assert (back["status"], back["payments"][0]["status"]) == ("unpaid", "reverted")
    assert await pepay.balances(invoice) == {"buyer": 0, "receivable": 0}
    assert (await pepay.events(invoice))[-2:] == ["payment.reverted", "invoice.reverted"]

    pepay.cluster.reland(signature)
    pepay.cluster.settle()
    await pepay.look()
    paid = await pepay.get(invoice)
    assert paid["status"] == "paid"
    assert [(each["id"], each["status"]) for each in paid["payments"]] == [(first["id"], "confirmed")]
    assert paid["payments"][0]["block"] > first["block"]
    assert (await pepay.balances(invoice))["wallet"] == 49_990_000


async def test_a_payment_that_only_changes_its_block_is_not_taken_back(pepay):
    invoice = await pepay.invoice(pay_with=pepay.usdc)
    signature = pepay.pay(invoice, "USDC")
    pepay.cluster.tick(2)
    await pepay.look()
    pepay.cluster.rollback(4)
    pepay.cluster.reland(signature)
    pepay.cluster.tick(2)
    await pepay.look()
    assert (await pepay.get(invoice))["status"] == "processing"
    assert "payment.reverted" not in await pepay.events(invoice)


# --- restarts --------------------------------------------------------------------


async def test_payments_while_the_server_was_down_are_found_after_it_starts(settings, cluster, clock, mint, buyer, wallet):
    async with opened(settings, cluster, clock, mint, buyer, wallet) as before:
        invoices = [await before.invoice(amount_usd="10", pay_with=before.usdc) for _ in range(40)]
        caller = before.caller
    for number, invoice in enumerate(invoices):
        option = before.option(invoice, "USDC")
        cluster.transfer_tokens(buyer, wallet, mint, 10 * USDC, references=[option["reference"]])
        if number % 10 == 0:
            cluster.tick(3)
    cluster.settle()
    # The lease of the one that is gone has ended.
    clock.jump(timedelta(minutes=1))
    async with opened(settings, cluster, clock, mint, buyer, wallet, caller) as after:
        await after.look()
        found = [await after.get(each) for each in invoices]
        assert [each["status"] for each in found] == ["paid"] * 40
        assert all(len(each["payments"]) == 1 for each in found)
        await after.look()
        assert len((await after.get(invoices[0]))["payments"]) == 1


async def test_what_was_settled_before_a_restart_is_not_told_again(settings, cluster, clock, mint, buyer, wallet):
    async with opened(settings, cluster, clock, mint, buyer, wallet) as before:
        invoice = await before.invoice(pay_with=before.usdc)
        before.pay(invoice, "USDC")
        cluster.settle()
        await before.look()
        told, held = await before.events(), await before.balances(invoice)
    cluster.tick()
    async with opened(settings, cluster, clock, mint, buyer, wallet, before.caller) as after:
        await after.look()
        assert (await after.get(invoice))["status"] == "paid"
        assert (await after.events(), await after.balances(invoice)) == (told, held)


# --- what a wallet lacks ---------------------------------------------------------


async def test_a_wallet_without_a_token_account_is_told_so_and_the_token_is_not_offered_until_it_has_one(settings, cluster, clock, mint, buyer):
    bare = str(Keypair().pubkey())
    async with opened(settings, cluster, clock, mint, buyer, bare) as pepay:
        (wallet,) = (await pepay.runtime.receiving.page(pepay.caller, Page(limit=10))).items
        (missing,) = wallet["missing_accounts"]
        assert (missing["asset"], missing["symbol"]) == (pepay.usdc, "USDC")
        assert f"spl-token create-account {mint}" in missing["remedy"]
        assert wallet["warnings"] == [missing["remedy"]]

        invoice = await pepay.invoice()
        option = pepay.option(invoice, "USDC")
        assert (option["available"], option["unavailable_reason"]) == (False, "no_token_account")
        assert pepay.option(invoice, "SOL")["available"] is True
        with pytest.raises(AssetNotAccepted, match="spl-token create-account"):
            await pepay.invoice(pay_with=pepay.usdc)

        cluster.create_token_account(bare, mint)
        await pepay.runtime.lacking.look(everything=False)
        assert pepay.option(await pepay.get(invoice), "USDC")["available"] is True
        assert (await pepay.runtime.receiving.page(pepay.caller, Page(limit=10))).items[0]["missing_accounts"] == []
        assert pepay.option(await pepay.invoice(pay_with=pepay.usdc), "USDC")["destination"] == bare


async def test_an_account_that_is_no_wallet_is_refused_with_its_reason(pepay, cluster, mint):
    holder = Keypair()
    cluster.mint_to(mint, str(holder.pubkey()), 1)
    for not_a_wallet, reason in ((mint, "mint of USDC itself"), (cluster.create_mint(6), "a token account or a mint")):
        with pytest.raises(InvalidAddress, match=reason):
            await pepay.runtime.receiving.create(pepay.caller, "solana", "address", not_a_wallet)


async def test_a_list_of_addresses_serves_payers_without_references(settings, cluster, clock, mint, buyer, wallet):
    async with opened(settings, cluster, clock, mint, buyer, wallet) as pepay:
        (own,) = (await pepay.runtime.receiving.page(pepay.caller, Page(limit=10))).items
        await pepay.runtime.receiving.archive(pepay.caller, own["id"])
        listed = [str(Keypair().pubkey()) for _ in range(2)]
        made = await pepay.runtime.receiving.create(pepay.caller, "solana", "addresses", listed)
        assert made["missing_accounts"] == []
        invoice = await pepay.invoice(pay_with=pepay.usdc)
        option = pepay.option(invoice, "USDC")
        assert (option["destination"], option["reference"]) == (listed[0], None)
        signature = cluster.transfer_tokens(buyer, listed[0], mint, 49_990_000, create_account=True)
        cluster.tick(2)
        await pepay.look()
        assert (await pepay.get(invoice))["status"] == "processing"

        # A fork that only moves it to another block changes nothing.
        cluster.rollback(3)
        cluster.reland(signature)
        cluster.tick(2)
        await pepay.look()
        assert (await pepay.get(invoice))["status"] == "processing"
        assert "payment.reverted" not in await pepay.events(invoice)
        cluster.rollback(3)
        cluster.tick(2)
        await pepay.look()
        assert (await pepay.get(invoice))["status"] == "unpaid"
        cluster.reland(signature)
        cluster.settle()
        await pepay.look()
        assert [(each["transaction"], each["status"]) for each in (await pepay.get(invoice))["payments"]] == [(signature, "confirmed")]
