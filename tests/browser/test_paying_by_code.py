"""A buyer points a wallet at the code on the screen, and watches the page."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("method", ["ETH", "USDC", "SOL", "USDC-SOL"])
def test_what_the_code_says_is_paid_and_the_page_says_so(pages, town, method):
    invoice = town.invoice(method)
    page = pages.open(invoice["payment_url"])
    amount = town.option(invoice, method)["quote"]["amount"]
    page.keep(f"awaiting-{method}")

    town.pay_code(page.qr(), method, amount)
    town.settle(method)

    page.shows("Payment complete")
    page.keep(f"paid-{method}")
    assert town.gateway.status_of(invoice) == "paid"
