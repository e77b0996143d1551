"""Tokens that misbehave, through the real driver: the merchant is credited with what arrived, once, and told nothing that is not so."""

from __future__ import annotations

import odd_tokens
import pytest
from engines import CHAIN
from odd_tokens import call, made

from pepay_core.domain.errors import AssetNotAccepted
from pepay_core.services.paging import Page
from pepay_core.settings import load_settings
from pepay_core.testing import erc20
from pepay_evm.guarding import EVERY_SECONDS

SUPPLY = 10**36
GAS = 12_000_000
LIE = "lie(address,uint256,address,uint256)"
SAFE = {"USDC18", "SILENT"}


@pytest.fixture
def contracts(anvil):
    """Return the odd tokens by their symbols, each with its decimals; their supply belongs to the first account."""

    def odd(creation, decimals, *arguments):
        return anvil.deploy(made(creation, decimals, SUPPLY, *arguments)), decimals

    anvil.mine()
    return {
        "USDC18": (anvil.deploy(erc20.coin("USDC18", 18, SUPPLY)), 18),
        "SILENT": (anvil.deploy(erc20.silent_coin("SILENT", 6, SUPPLY)), 6),
        "FEENET": odd(odd_tokens.FEE, 6, 200, 0),
        "FEEGROSS": odd(odd_tokens.FEE, 6, 200, 1),
        "FEESPLIT": odd(odd_tokens.FEE, 6, 200, 2),
        "REBASING": odd(odd_tokens.REBASING, 6),
        "LYING": odd(odd_tokens.LYING, 6),
        "GUARDED": odd(odd_tokens.GUARDED, 6),
        "UPGRADED": (anvil.deploy(made(odd_tokens.UPGRADEABLE, anvil.deploy(made(odd_tokens.LOGIC, 6)))), 6),
        "TWO": (anvil.deploy(erc20.coin("TWO", 2, SUPPLY)), 2),
        "MANY": (anvil.deploy(erc20.coin("MANY", 24, SUPPLY)), 24),
    }


@pytest.fixture
def settings(settings, contracts):
    """Return the settings with the odd tokens among the accepted ones."""
    lines = [
        f'  {{ symbol = "{symbol}", address = "{address}", decimals = {decimals}, rate_id = "usd-coin"{flag} }},'
        for symbol, (address, decimals) in contracts.items()
        for flag in [", standard = true" if symbol in SAFE else ""]
    ]
    text = settings.config_path.read_text().rstrip()
    settings.config_path.write_text("\n".join([text.removesuffix("]").rstrip(), *lines, "]", ""]))
    return load_settings(settings.config_path, {})


@pytest.fixture
def shop(pepay, contracts):
    return Shop(pepay, contracts)


class Shop:
    """An engine, with invoices that are paid in odd tokens."""

    def __init__(self, pepay, contracts):
        self.pepay = pepay
        self.contracts = contracts

    async def invoice(self, symbol):
        return await self.pepay.invoice(pay_with=f"{CHAIN}/erc20:{self.contracts[symbol][0]}")

    def asked(self, invoice, symbol):
        return int(self.pepay.option(invoice, symbol)["quote"]["amount_base_units"])

    def to(self, invoice, symbol):
        return self.pepay.option(invoice, symbol)["destination"]

    def send(self, symbol, data):
        sent = self.pepay.node.send(self.contracts[symbol][0], data=data, gas=GAS)
        self.pepay.mine()
        return sent

    def pay(self, invoice, symbol, units=None):
        return self.send(symbol, erc20.transfer(self.to(invoice, symbol), self.asked(invoice, symbol) if units is None else units))

    async def after(self, invoice, blocks=1):
        self.pepay.mine(blocks)
        await self.pepay.look()
        return await self.pepay.get(invoice)


def units(invoice):
    return [int(each["amount_base_units"]) for each in invoice["payments"]]


@pytest.mark.parametrize("symbol", ["USDC18", "SILENT", "TWO", "MANY", "GUARDED"])
async def test_a_token_that_is_merely_peculiar_pays_an_invoice_like_any_other(shop, symbol):
    invoice = await shop.invoice(symbol)
    asked = shop.asked(invoice, symbol)
    assert asked == 4999 * 10 ** (shop.contracts[symbol][1] - 2)
    shop.pay(invoice, symbol)
    paid = await shop.after(invoice)
    assert (paid["status"], paid["amount_paid"], units(paid)) == ("paid", "49.99", [asked])
    assert (await shop.pepay.balances(invoice))["wallet"] == asked


@pytest.mark.parametrize("symbol", ["FEENET", "FEEGROSS", "FEESPLIT"])
async def test_of_a_token_that_keeps_a_fee_what_arrived_is_credited_and_the_rest_is_asked_for(shop, symbol):
    invoice = await shop.invoice(symbol)
    shop.pay(invoice, symbol)
    partial = await shop.after(invoice)
    assert (partial["status"], units(partial)) == ("underpaid", [48_990_200])
    assert (await shop.pepay.balances(invoice))["wallet"] == 48_990_200

    rest = shop.asked(partial, symbol)
    assert rest == 1_000_000
    shop.pay(invoice, symbol, rest * 100 // 98 + 1)
    paid = await shop.after(invoice)
    assert paid["status"] == "paid"
    held = int(shop.pepay.node.call(shop.contracts[symbol][0], erc20.balance_of(shop.to(invoice, symbol))), 16)
    assert (await shop.pepay.balances(invoice))["wallet"] == held == sum(units(paid))


@pytest.mark.parametrize("percent", [150, 50])
async def test_a_rebase_between_detection_and_finality_changes_no_payment(shop, percent):
    invoice = await shop.invoice("REBASING")
    shop.pay(invoice, "REBASING")
    await shop.pepay.look()
    seen = await shop.pepay.get(invoice)
    assert seen["status"] == "processing"
    shop.send("REBASING", call("rebase(uint256)", percent))
    paid = await shop.after(invoice, 2)
    assert (paid["status"], paid["amount_paid"], units(paid)) == ("paid", "49.99", units(seen))
    assert await shop.pepay.balances(invoice) == {"buyer": -49_990_000, "receivable": 0, "wallet": 49_990_000}


async def test_of_a_token_that_lies_only_what_moved_is_a_payment(shop):
    invoice = await shop.invoice("LYING")
    before, asked, to = await shop.pepay.get(invoice), shop.asked(invoice, "LYING"), shop.to(invoice, "LYING")
    somebody = shop.pepay.node.accounts[5]
    lies = {
        "nothing moves": call(LIE, to, asked, somebody, 0),
        "another receives it": call(LIE, to, asked, somebody, asked),
        "another is named": call(LIE, somebody, asked, to, asked),
        "no event": call("slip(address,uint256)", to, asked),
        "an ERC-721": call("give(address,uint256)", to, asked),
        "an ERC-1155": call("giveSome(address,uint256,uint256)", to, 1, asked),
    }
    for data in lies.values():
        shop.send("LYING", data)
        # Nothing at all has changed: no row, no event.
        assert await shop.after(invoice) == before
    for mode in (1, 2, 3, 4):
        shop.send("LYING", call("answer(uint8)", mode))
        shop.pay(invoice, "LYING")
        assert await shop.after(invoice) == before
    assert await shop.pepay.events(invoice) == ["invoice.created"]
    assert await shop.pepay.balances(invoice) == {}

    shop.send("LYING", call("answer(uint8)", 0))
    shop.send("LYING", call(LIE, to, asked, to, asked // 2))
    assert units(await shop.after(invoice)) == [asked // 2]
    shop.pay(invoice, "LYING", asked - asked // 2)
    paid = await shop.after(invoice)
    assert (paid["status"], sum(units(paid))) == ("paid", asked)


async def test_ten_thousand_empty_transfers_leave_no_trace(shop):
    invoice = await shop.invoice("LYING")
    before = await shop.pepay.get(invoice)
    for _ in range(5):
        shop.send("LYING", call("poison(address,uint256)", shop.to(invoice, "LYING"), 2000))
    assert await shop.after(invoice) == before
    assert await shop.pepay.events(invoice) == ["invoice.created"]


async def test_what_a_token_refuses_to_move_is_no_payment(shop):
    invoice = await shop.invoice("GUARDED")
    before = await shop.pepay.get(invoice)
    shop.send("GUARDED", call("pause(bool)", 1))
    shop.pay(invoice, "GUARDED")
    assert await shop.after(invoice) == before
    shop.send("GUARDED", call("pause(bool)", 0))
    shop.send("GUARDED", call("bePolite()"))
    shop.send("GUARDED", call("block_(address)", shop.to(invoice, "GUARDED")))
    shop.pay(invoice, "GUARDED")
    assert await shop.after(invoice) == before


async def test_a_payment_of_which_a_part_arrived_is_the_same_after_its_block_was_replaced(shop):
    invoice = await shop.invoice("FEEGROSS")
    node = shop.pepay.node
    sent = shop.pay(invoice, "FEEGROSS")
    raw = node.rpc("eth_getRawTransactionByHash", sent)
    await shop.pepay.look()
    first = (await shop.pepay.get(invoice))["payments"]
    node.reorg(1)
    shop.pepay.mine()
    await shop.pepay.look()
    assert [each["status"] for each in (await shop.pepay.get(invoice))["payments"]] == ["reverted"]
    node.rpc("eth_sendRawTransaction", raw)
    again = (await shop.after(invoice, 2))["payments"]
    assert [(each["id"], each["amount_base_units"], each["status"]) for each in again] == [(first[0]["id"], "48990200", "confirmed")]


async def test_a_token_that_becomes_another_one_is_refused_and_everybody_hears_of_it(shop):
    pepay, node = shop.pepay, shop.pepay.node
    contract = shop.contracts["UPGRADED"][0]
    asset = f"{CHAIN}/erc20:{contract}"
    invoice = await shop.invoice("UPGRADED")
    shop.send("UPGRADED", call("mint(uint256)", SUPPLY))
    shop.send("UPGRADED", call("upgradeTo(address)", node.deploy(made(odd_tokens.LOGIC, 18))))
    await pepay.clock.advance(EVERY_SECONDS)
    await pepay.look()

    with pytest.raises(AssetNotAccepted, match="18"):
        await shop.invoice("UPGRADED")
    page = await pepay.runtime.feed.page(pepay.caller, Page(limit=100), ())
    (told,) = [each["data"]["object"] for each in page.items if each["type"] == "chain.degraded"]
    assert told["state"] == "impaired"
    assert asset in told["reason"]

    # What is paid in it all the same is seen, and counts for nothing until somebody has decided.
    shop.pay(invoice, "UPGRADED")
    paid = await shop.after(invoice)
    assert [each["mismatch"] for each in paid["payments"]] == ["wrong_asset"]
    assert paid["amount_paid"] == "0.00"

    shop.send("UPGRADED", call("upgradeTo(address)", node.deploy(made(odd_tokens.LOGIC, 6))))
    await pepay.clock.advance(EVERY_SECONDS)
    await pepay.look()
    page = await pepay.runtime.feed.page(pepay.caller, Page(limit=100), ())
    assert "chain.recovered" in {each["type"] for each in page.items}
