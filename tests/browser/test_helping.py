"""Buyers in trouble help themselves on the page, by plain forms."""

from __future__ import annotations

import pytest
from browsing import DESKTOP, PHONE, SCREENS, SMALL

BUYER = "0x00000000000000000000000000000000000B0b01"


def seen(page, name):
    """See that everybody can use a page of forms, and that it fits."""
    for screen in SCREENS:
        if screen.touch == page.screen.touch:
            page.turn(screen)
            page.keep(name)
            page.axe()


@pytest.mark.parametrize("screen", [DESKTOP, DESKTOP.but(javascript=False)], ids=["script", "noscript"])
def test_an_expired_order_goes_on_and_is_paid(pages, town, screen):
    invoice = town.invoice("USDC")
    town.expire(invoice, "USDC")
    page = pages.open(invoice["payment_url"], screen)
    page.reaches("expired")

    page.click("Get a new price")
    page.reaches("awaiting")
    town.pay_code(page.qr(), "USDC", town.option(invoice, "USDC")["quote"]["amount"])
    town.settle("USDC")

    page.reaches("paid", seconds=40)


@pytest.mark.parametrize("screen", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_transaction_that_was_sent_is_looked_for(pages, town, screen):
    invoice = town.invoice("USDC")
    sent = town.pay(invoice, "USDC", 20_000_000)
    town.expire(invoice, "USDC")
    other = town.invoice("USDC")
    town.expire(other, "USDC")
    page = pages.open(other["payment_url"], screen)
    page.click("I already sent the payment", role="link")
    seen(page, "sent")

    for text, told, status in (
        ("believe me, I have paid", "not the hash of a transaction", 422),
        ("0x" + "ab" * 32, "knows this transaction", 200),
        (sent, "paid nothing to this order", 200),
    ):
        if status == 422:
            page.watch.forgive("status of 422")
        page.page.get_by_label("Transaction hash").fill(text)
        page.click("Look for it")
        page.shows(told)
    seen(page, "sent-told")
    page.click("Back to the payment", role="link")
    page.reaches("expired")


def test_the_wrong_token_is_named(pages, town):
    invoice = town.invoice("USDC")
    sent = town.send("ETH", town.option(invoice, "USDC")["destination"], 10**16)
    town.settle("ETH")
    page = pages.open(invoice["payment_url"].replace("?", "/sent?"))
    page.page.get_by_label("Transaction hash").fill(sent)
    page.click("Look for it")
    page.shows("We see 0.01 ETH on Dev; this order asked for USDC on Dev.")


@pytest.mark.parametrize("screen", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_an_excess_is_asked_back_and_sent(pages, town, screen):
    invoice = town.invoice("USDC")
    town.pay(invoice, "USDC", 60_000_000)
    town.settle("USDC")
    page = pages.open(invoice["payment_url"], screen)
    page.reaches("overpaid")
    page.click("Get your money back", role="link")
    seen(page, "claim")

    page.watch.forgive("status of 422")
    page.page.get_by_label("Your address on Dev").fill("nonsense")
    page.page.get_by_role("checkbox").check()
    page.click("Ask for 10.01 USDC back")
    page.shows("not an address on Dev")
    page.page.get_by_label("Your address on Dev").fill(BUYER)
    page.page.get_by_role("checkbox").check()
    page.click("Ask for 10.01 USDC back")
    page.shows("My shop decides.")
    seen(page, "claimed")

    followed = pages.open(invoice["payment_url"], screen)
    followed.shows("My shop decides.")
    followed.mark()
    (refund,) = town.gateway.get(f"/api/v1/refunds?invoice={invoice['id']}")["data"]
    assert refund["address"].lower() == BUYER.lower()
    town.gateway.post(f"/api/v1/refunds/{refund['id']}/complete", {"transaction": town.send("USDC", BUYER, 10_010_000)}, 200)
    followed.shows("It was sent back to you.")
    assert followed.marked
    seen(followed, "refund-sent")


def test_asking_a_part_back_cancels_the_order(pages, town):
    invoice = town.invoice("SOL")
    town.pay(invoice, "SOL", 10**8)
    town.settle("SOL")
    page = pages.open(invoice["payment_url"], SMALL)
    page.reaches("underpaid")
    page.click("Get your money back", role="link")
    page.shows("cancels this order")
    page.page.get_by_label("Your address on Local Solana").fill(str(town.buyer.pubkey()))
    page.page.get_by_role("checkbox").check()
    page.click("Ask for 0.1 SOL back")
    page.shows("My shop decides.")
    assert town.gateway.status_of(invoice) == "canceled"


@pytest.mark.parametrize("language", ["ar", "de", "ja"])
def test_the_forms_speak_the_buyers_language(pages, town, language):
    invoice = town.invoice("USDC")
    town.pay(invoice, "USDC", 60_000_000)
    town.settle("USDC")
    town.gateway.await_status(invoice, "overpaid")
    for name in ("sent", "claim"):
        page = pages.open(town.url(invoice, lang=language).replace("?", f"/{name}?"), PHONE)
        assert page.page.locator("html").get_attribute("lang") == language
        page.turn(PHONE.but(language=language))
        page.keep(name)
        page.axe()
