"""The bar above a test payment's page does to it what buyers and networks do, by plain forms."""

from __future__ import annotations

import re

import pytest
from browsing import DESKTOP, PHONE
from playwright.sync_api import expect

SIMULATED = True


def press(page, name):
    """Press a button of the bar, and wait until the page is there again."""
    with page.page.expect_navigation():
        page.page.get_by_role("button", name=name, exact=True).click()


@pytest.mark.parametrize("method", ["ETH", "USDC", "SOL", "USDC-SOL"])
def test_a_payment_is_made_and_confirmed_without_a_script(pages, town, method):
    invoice = town.invoice(method)
    page = pages.open(invoice["payment_url"], DESKTOP.but(javascript=False))

    press(page, "Pay in full")
    town.gateway.await_status(invoice, "processing")
    press(page, "Confirm")

    assert town.gateway.await_status(invoice, "paid")["fulfil"]


def test_the_bar_can_be_used_by_everybody(pages, town):
    for screen in (PHONE, DESKTOP, DESKTOP.but(theme="dark")):
        page = pages.open(town.invoice("ETH")["payment_url"], screen)
        page.has(".simulator")
        page.keep("simulator")
        page.axe()


def test_too_little_and_then_too_much_is_paid(pages, town):
    invoice = town.invoice("USDC")
    page = pages.open(invoice["payment_url"])
    press(page, "Underpay")
    town.gateway.await_status(invoice, "underpaid")
    press(page, "Overpay")
    press(page, "Confirm")
    assert town.gateway.await_status(invoice, "overpaid")["fulfil"]


@pytest.mark.parametrize("method", ["USDC", "SOL"])
def test_a_fork_takes_a_payment_back(pages, town, method):
    invoice = town.invoice(method)
    page = pages.open(invoice["payment_url"])
    press(page, "Pay in full")
    town.gateway.await_status(invoice, "processing")
    press(page, "Reorganise")
    press(page, "+1 block")
    assert [each["status"] for each in town.gateway.await_status(invoice, "unpaid")["payments"]] == ["reverted"]


def test_the_wrong_token_waits_for_the_shop(pages, town):
    invoice = town.invoice("USDC")
    page = pages.open(invoice["payment_url"])
    press(page, "Wrong token")
    town.gateway.await_status(invoice, "unpaid")
    press(page, "+1 block")
    found = town.gateway.post(f"/api/v1/invoices/{invoice['id']}/verify", {}, 200)
    assert [each["mismatch"] for each in found["payments"]] == ["wrong_asset"]


@pytest.mark.parametrize("method", ["ETH", "USDC-SOL"])
def test_the_time_ends_and_money_comes_late(pages, town, method):
    invoice = town.invoice(method)
    page = pages.open(invoice["payment_url"])
    press(page, "Expire")
    press(page, "+1 block")
    town.gateway.await_status(invoice, "expired")
    press(page, "Late")
    press(page, "Confirm")
    assert town.gateway.await_status(invoice, "paid")["timing"] == "late"


def test_what_cannot_be_done_is_told(pages, town):
    invoice = town.invoice("ETH")
    page = pages.open(invoice["payment_url"])
    press(page, "Expire")
    press(page, "+1 block")
    town.gateway.await_status(invoice, "expired")
    page.watch.forgive("status of 422")
    press(page, "Expire")
    expect(page.page.get_by_text(re.compile("time of this order is over"))).to_be_visible()


def test_a_live_payment_has_no_bar_and_nothing_of_it_is_served(town):
    live = town.gateway.call("POST", "/api/v1/invoices", {"amount_usd": "10"}, key="live")
    assert live.status in {201, 503}, live
    stranger = town.gateway.call("POST", "/x/sandbox/simulate/inv_01m8cmvzj0pzfhtngjs9zzzx1s?token=nonsense", raw=b"action=pay", key=None)
    assert stranger.status in {401, 404, 422}
