"""A buyer points a wallet at the code on the screen, and watches the page."""

from __future__ import annotations

import pytest
from browsing import DESKTOP, PHONE

METHODS = ["ETH", "USDC", "SOL", "USDC-SOL"]


@pytest.mark.parametrize("method", METHODS)
def test_what_the_code_says_is_paid_and_the_page_says_so_without_being_loaded_again(pages, town, method):
    invoice = town.invoice(method)
    page = pages.open(invoice["payment_url"], DESKTOP.but(theme="dark") if "SOL" in method else DESKTOP)
    page.mark()
    amount = town.option(invoice, method)["quote"]["amount"]

    town.pay_code(page.qr(), method, amount)
    page.reaches("detected", "confirming", "paid") if method in {"ETH", "USDC"} else None
    town.settle(method)

    page.reaches("paid")
    assert page.marked
    assert town.gateway.status_of(invoice) == "paid"


def test_the_code_with_the_amount_is_one_press_away(pages, town):
    invoice = town.invoice("USDC")
    page = pages.open(invoice["payment_url"], PHONE)
    page.page.get_by_text("With amount", exact=True).click()

    town.pay_code(page.qr(), "USDC")
    town.settle("USDC")

    page.reaches("paid")


@pytest.mark.parametrize("screen", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_who_holds_the_screen_in_the_hand_finds_the_wallet_before_the_code(pages, town, screen):
    page = pages.open(town.invoice("ETH")["payment_url"], screen)
    wallet, code = (page.page.locator(each).bounding_box()["y"] for each in ("#wallet-app", ".tiles"))
    assert (wallet < code) == screen.touch


def test_without_scripts_everything_that_is_needed_is_there_and_the_page_follows_the_payment(pages, town):
    followed = []
    for method in METHODS:
        invoice = town.invoice(method)
        option = town.option(invoice, method)
        page = pages.open(invoice["payment_url"], DESKTOP.but(javascript=False))
        text = "".join(page.page.locator("#checkout").inner_text().split())
        assert option["quote"]["amount"] in text
        assert option["destination"].lower() in text.lower()
        assert "Openuntil" in text
        page.shows("Waiting for your payment")
        town.pay_code(page.qr(), method, option["quote"]["amount"])
        town.settle(method)
        followed.append(page)

    for page in followed:
        page.reaches("paid", seconds=40)
