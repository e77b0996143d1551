"""The demo shop, as its visitors and PePay see it."""

import re
import time

import pytest

from pepay_sandbox import token
from pepay_sandbox.demo.api import Api
from pepay_sandbox.demo.catcher import Catcher
from pepay_sandbox.demo.shop import Choice, Shop
from pepay_sandbox.loopback import serve
from pepay_sandbox.wallet import TestWallet

DESTINATION = "0x" + "34" * 20


class Visitor:
    """A browser without scripts and without pictures."""

    def __init__(self, session, url):
        self.session = session
        self.url = url

    async def see(self, path):
        async with self.session.get(self.url + path) as answer:
            assert answer.status == 200
            return await answer.text()

    async def press(self, path, status=303, headers=None, **fields):
        async with self.session.post(self.url + path, data=fields, headers=headers, allow_redirects=False) as answer:
            assert answer.status == status
            return answer.headers.get("Location", ""), await answer.text()


@pytest.fixture
async def wallet(small_chain):
    return await TestWallet.open(small_chain)


@pytest.fixture
async def usdc(wallet):
    return await wallet.deploy_token()


@pytest.fixture
async def visitor(session, small_chain, wallet, usdc, stub):
    catcher = Catcher(time.time)
    stub.asset, stub.destination = f"{small_chain.id}/erc20:{usdc.address}", DESTINATION
    shop = Shop(catcher, wallet, [Choice(stub.asset, "USDC", ""), Choice(f"{small_chain.id}/slip44:60", "ETH", "")])
    async with serve(shop.app()) as url:
        stub.hook = f"{url}/webhooks"
        catcher.trust(stub.secret)
        shop.open(Api(session, stub.url, stub.key), stub.url)
        yield Visitor(session, url)


@pytest.fixture
async def order(visitor, stub):
    location, _ = await visitor.press("/orders", asset=stub.asset, go="wallet")
    return location


async def received(chain, usdc):
    return int(await chain.client.call("eth_call", {"to": usdc.address, "data": token.balance_of(DESTINATION)}, "latest"), 16)


async def test_buying_creates_an_invoice_through_the_api_and_leads_to_the_payment_page(visitor, stub):
    assert "Ethiopia Guji" in await visitor.see("/")

    location, _ = await visitor.press("/orders", asset=stub.asset, go="page")

    [(headers, body)] = stub.requests
    [invoice] = stub.invoices.values()
    assert location == invoice["payment_url"]
    assert (body["amount_usd"], body["pay_with"]) == ("24.00", stub.asset)
    assert headers["x-api-key"] == stub.key
    assert headers["idempotency-key"]
    assert invoice["id"][-8:] in await visitor.see("/")


@pytest.mark.parametrize(("amount", "units"), [("full", 24_000_000), ("under", 14_400_000), ("over", 30_000_000)])
async def test_the_test_wallet_pays_as_much_as_the_button_says(visitor, order, small_chain, usdc, amount, units):
    location, _ = await visitor.press(f"/demo/pay{order.removeprefix('/orders')}", amount=amount)

    assert location == order
    assert await received(small_chain, usdc) == units


async def test_an_invoice_without_a_quote_is_quoted_before_it_is_paid(visitor, stub, session, small_chain, usdc):
    invoice = await Api(session, stub.url, stub.key).create_invoice("24.00")

    await visitor.press(f"/demo/pay/{invoice['id']}", amount="full")

    assert await received(small_chain, usdc) == 24_000_000


async def test_the_order_page_follows_what_webhooks_say(visitor, order, stub):
    number = order.rpartition("/")[2]
    assert "no webhook has come yet" in await visitor.see(order)

    assert await stub.move(number, "invoice.processing", status="processing") == 204
    page = await visitor.see(order)
    assert "as the last webhook said" in page
    assert "Processing." in page
    assert 'data-live="' in page
    assert 'http-equiv="refresh"' in page

    assert await stub.move(number, "invoice.paid", status="paid", fulfil=True) == 204
    page = await visitor.see(order)
    assert "<strong>true</strong>" in page
    assert "<strong>Paid.</strong> The shop may hand out the coffee" in page
    assert 'data-live="' not in page


async def test_a_webhook_with_a_wrong_signature_is_shown_as_such_and_changes_nothing(visitor, order, stub):
    number = order.rpartition("/")[2]
    forged = stub.invoices[number] | {"status": "paid", "fulfil": True, "version": 9}

    assert await stub.tell("invoice.paid", forged, secret="whsec_" + "QUJD" * 8) == 401

    assert "no webhook has come yet" in await visitor.see(order)
    assert (await visitor.see("/webhooks")).count("INVALID") == 2


async def test_an_older_webhook_that_comes_later_does_not_take_the_order_back(visitor, order, stub):
    number = order.rpartition("/")[2]
    old = dict(stub.invoices[number])
    await stub.move(number, "invoice.paid", status="paid", fulfil=True)

    await stub.tell("invoice.created", old)

    assert "<strong>Paid.</strong>" in await visitor.see(order)


async def test_the_webhooks_page_shows_every_delivery_with_its_headers_and_body(visitor, order, stub):
    await stub.move(order.rpartition("/")[2], "invoice.paid", status="paid", fulfil=True)

    page = await visitor.see("/webhooks")

    assert "invoice.paid" in page
    assert page.count("both signatures valid") == 1
    assert "webhook-signature: v1," in page
    assert "&quot;fulfil&quot;: true" in page


async def test_what_comes_from_outside_is_text_and_never_markup(visitor, stub):
    await stub.tell("invoice.<script>alert(1)</script>", {"id": '"><img src=x onerror=alert(1)>', "object": "x"})

    page = await visitor.see("/webhooks")

    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;" in page


async def test_every_page_forbids_what_is_not_its_own(visitor, session, order):
    for path in ("/", order, "/webhooks"):
        async with session.get(visitor.url + path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            page = await answer.text()
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "style=" not in page
        assert not re.search(r"<script(?![^>]* src=)", page)
        assert not re.search(r'(?:src|href)="(?:https?:)?//(?!127\.0\.0\.1)', page)


@pytest.mark.parametrize("headers", [{"Host": "shop.example.com"}, {"Origin": "https://elsewhere.example.com"}, {"Origin": "null"}])
async def test_other_sites_cannot_use_the_shop_through_a_browser(visitor, order, headers):
    await visitor.press(f"/demo/pay{order.removeprefix('/orders')}", status=403, headers=headers, amount="full")


async def test_nonsense_is_declined(visitor, order):
    await visitor.press("/orders", status=400, asset="eip155:1/slip44:60")
    await visitor.press(f"/demo/pay{order.removeprefix('/orders')}", status=400, amount="everything")


async def test_what_the_api_refuses_is_told_to_the_visitor(visitor, stub):
    stub.key = "pepay_test_another"

    _, page = await visitor.press("/orders", status=502, asset=stub.asset)

    assert "401 unauthenticated: no such key" in page


async def test_before_pepay_runs_the_shop_asks_for_patience_and_takes_no_webhook(session, wallet):
    catcher = Catcher(time.time)
    async with serve(Shop(catcher, wallet, [Choice("a", "USDC", "")]).app()) as url:
        async with session.post(f"{url}/orders", data={"asset": "a"}) as answer:
            assert answer.status == 503
        async with session.post(f"{url}/webhooks", data=b"{}") as answer:
            assert answer.status == 503

    assert catcher.received == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
async def test_a_delivery_that_is_no_event_is_declined(visitor, session, body):
    async with session.post(f"{visitor.url}/webhooks", data=body) as answer:
        assert answer.status == 400
