"""A page that loses the network, the server or the chain tells so, and goes on by itself."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect


@pytest.fixture
def page(pages, town):
    """An open page of an invoice in USDC, which may lose what it asks for."""
    invoice = town.invoice("USDC")
    page = pages.open(invoice["payment_url"])
    page.watch.forgive("ERR_")
    page.watch.forgive("Failed to load resource")
    page.watch.forgive("MIME type")
    page.mark()
    page.invoice = invoice
    return page


def lose_the_network(page):
    page.watch.forgive("ERR_")
    page.page.context.set_offline(True)
    expect(page.page.locator("#offline")).to_be_visible()


def test_offline_and_back(page, town, everywhere):
    everywhere(page.invoice, "awaiting", "offline", lose_the_network)
    lose_the_network(page)
    assert page.state == "awaiting"

    town.pay(page.invoice, "USDC")
    town.settle("USDC")
    town.gateway.await_status(page.invoice, "paid")
    page.page.context.set_offline(False)

    page.reaches("paid", seconds=30)
    expect(page.page.locator("#offline")).to_be_hidden()
    assert page.marked


def test_the_server_is_started_again_under_an_open_page(page, town):
    town.gateway.restart()

    town.pay(page.invoice, "USDC")
    town.settle("USDC")

    page.reaches("paid", seconds=40)
    assert page.marked


def test_a_chain_that_cannot_be_read_is_told_and_the_payment_is_safe(page, town, everywhere):
    town.node.stop()
    page.shows(re.compile("slow right now"), seconds=60)
    everywhere(page.invoice, "awaiting", "degraded")
    town.node.start()

    town.pay(page.invoice, "USDC")
    town.settle("USDC")
    page.reaches("paid", seconds=60)
    assert page.marked
