"""A price that moves is promised for a quarter of an hour: then the page offers that of the day, and the order is paid at it."""

from __future__ import annotations

PAST = 16 * 60


def test_the_price_runs_out_under_an_open_page_and_the_new_one_is_paid(pages, town, everywhere):
    invoice = town.invoice("ETH")
    first = int(town.option(invoice, "ETH")["quote"]["amount_base_units"])
    page = pages.open(invoice["payment_url"])
    page.watch.forgive("ERR_")
    page.watch.forgive("Failed to load resource")
    page.watch.forgive("MIME type")
    page.reaches("awaiting")
    page.mark()

    for prices in town.market.prices.values():
        prices["ETH"] = "2000"
    town.gateway.pass_time(PAST)
    page.reaches("requote", seconds=40)
    assert page.marked
    assert "0.01667" not in page.page.inner_text("body")
    everywhere(invoice, "requote")

    town.node.rpc("evm_increaseTime", PAST)
    page.page.locator("#checkout form[action*=choose] button").click()
    page.reaches("awaiting")
    second = int(town.option(invoice, "ETH")["quote"]["amount_base_units"])
    assert (first, second) == (16_670_000_000_000_000, 25_000_000_000_000_000)

    town.pay(invoice, "ETH")
    town.settle("ETH")
    page.reaches("paid", seconds=30)
    paid = town.gateway.await_status(invoice, "paid")
    assert [int(each["amount_base_units"]) for each in paid["payments"]] == [second]
