"""What is easily overlooked: long names, receipts, a second visit, wallets that say nothing, several pages at a time."""

from __future__ import annotations

import pytest
from browsing import DESKTOP, PHONE, SCREENS, SMALL
from playwright.sync_api import expect
from purses import UNDERWAY, wallet_for

LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
ITEMS = [{"name": f"{LONG[:60]} {at}", "quantity": at, "amount": "2.5"} for at in range(1, 21)]
# How many lines an element's text takes.
LINES = "((range) => (range.selectNodeContents(each), Math.round(range.getBoundingClientRect().height / 22.5)))(document.createRange())"


@pytest.fixture
def long_name(town):
    """A merchant with a name that does not fit into a line."""
    before = town.gateway.get("/api/v1/merchant")["name"]
    town.gateway.call("PATCH", "/api/v1/merchant", {"name": LONG})
    yield
    town.gateway.call("PATCH", "/api/v1/merchant", {"name": before})


@pytest.mark.parametrize("language", ["en", "ar"])
def test_long_names_are_broken_and_prices_are_not(pages, town, long_name, language):
    invoice = town.gateway.invoice(
        description="W" * 255, footer="f" * 255, line_items=ITEMS, return_url="https://shop.example/", pay_with=town.assets["USDC"]
    )
    page = pages.open(town.url(invoice, lang=language), SMALL)
    for screen in (SMALL, PHONE, DESKTOP):
        page.turn(screen)
        page.keep(f"long-{language}")
        assert page.value(f"Math.max(...[...document.querySelectorAll('.lines dd')].map((each) => {LINES}))") == 1, "a price is broken"


def test_a_receipt_is_one_column_on_every_screen(pages, town):
    invoice = town.invoice("USDC", line_items=ITEMS[:2])
    town.pay(invoice, "USDC")
    town.settle("USDC")
    page = pages.open(invoice["payment_url"])
    page.reaches("paid")
    page.page.get_by_role("link", name="Receipt").click()
    page.shows("Invoice number")
    for screen in SCREENS:
        page.turn(screen)
        page.keep("receipt")
        page.axe()
        left, right = page.value("((box) => [box.left, box.right])(document.querySelector('.card').getBoundingClientRect())")
        assert right - left > min(screen.width - 60, 560), "the card has the width of the page"
        order = page.value("[...document.querySelectorAll('h1, .card, .actions')].map((each) => each.getBoundingClientRect().top)")
        assert order == sorted(order), "what is written first stands above"
        assert abs(left - (screen.width - right)) < 1, "and stands in its middle"
        assert page.value(f"[...document.querySelectorAll('.quiet dt')].every((each) => {LINES} === 1)"), "no name is broken"


def test_a_second_visit_shows_what_was_chosen_last_and_to_nobody_else(pages, town):
    first, second = town.invoice(), town.invoice()
    page = pages.open(first["payment_url"])
    expect(page.page.get_by_text("Used last time")).to_have_count(0)
    page.click("DAI")
    page.reaches("awaiting")

    page.open(second["payment_url"])

    expect(page.page.get_by_role("button", name="Used last time")).to_contain_text("DAI")
    assert page.value("Object.keys(localStorage).length") == 1
    assert not page.page.context.cookies()
    page.axe()
    other = pages.open(second["payment_url"])
    expect(other.page.get_by_text("Used last time")).to_have_count(0)


SILENT = """
dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: Object.freeze({
  info: Object.freeze({ uuid: "silent", name: "Silent", icon: "", rdns: "example.silent" }),
  provider: { request: () => new Promise(() => {}) },
}) }));
"""


def test_who_gets_no_answer_from_one_wallet_pays_with_another(pages, town):
    invoice = town.invoice("USDC")
    page, wallet = pages.new(), wallet_for(town, "USDC")
    wallet.put_into(page.page)
    page.open(invoice["payment_url"])
    page.value(f"void ({SILENT.strip().rstrip(';')})")

    page.click("Silent")
    page.shows("Confirm the payment in your wallet.")
    page.click(wallet.name)

    page.has(UNDERWAY)
    assert wallet.asked.count("eth_sendTransaction") == 1
