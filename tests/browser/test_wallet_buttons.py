"""A buyer presses the button of a wallet in the browser, and the page takes the payment from there to the end."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from purses import METHODS, UNDERWAY, wallet_for


def opened(pages, town, method, **options):
    """Return an invoice, its page, and a wallet in the page's browser."""
    invoice = town.invoice(method)
    page, wallet = pages.new(), wallet_for(town, method, **options)
    wallet.put_into(page.page)
    page.open(invoice["payment_url"])
    return invoice, page, wallet


@pytest.mark.parametrize("method", METHODS)
def test_a_payment_by_wallet_reaches_paid_without_a_reload(pages, town, method):
    invoice, page, wallet = opened(pages, town, method)
    page.value("window.before = 1")

    page.click(wallet.name)
    page.has(UNDERWAY)
    town.settle(method)

    page.shows("Payment complete")
    assert page.value("window.before") == 1
    (payment,) = town.gateway.get(f"/api/v1/invoices/{invoice['id']}")["payments"]
    assert payment["amount_base_units"] == town.option(invoice, method)["quote"]["amount_base_units"]
    page.keep(f"wallet-paid-{method}")


@pytest.mark.parametrize("method", ["USDC", "USDC-SOL"])
def test_who_says_no_is_told_that_nothing_was_sent_and_can_try_again(pages, town, method):
    _, page, wallet = opened(pages, town, method, refuses=("eth_sendTransaction", "solana:signAndSendTransaction"))

    page.click(wallet.name)

    expect(page.page.get_by_role("status").filter(has_text="nothing was sent")).to_be_visible()
    expect(page.page.get_by_role("button", name=wallet.name)).to_be_enabled()


def test_a_wallet_on_another_network_is_led_to_the_right_one(pages, town):
    _, page, wallet = opened(pages, town, "USDC", at=1)

    page.click(wallet.name)

    page.has(UNDERWAY)
    assert [each for each in wallet.asked if each != "eth_chainId"] == ["eth_requestAccounts", "wallet_switchEthereumChain", "eth_sendTransaction"]


def test_a_network_that_a_wallet_does_not_know_and_cannot_reach_is_the_buyers_to_add(pages, town):
    _, page, wallet = opened(pages, town, "USDC", at=1, chains=(1,))

    page.click(wallet.name)

    page.shows(re.compile("Your wallet does not know Dev"))
    assert "eth_sendTransaction" not in wallet.asked
