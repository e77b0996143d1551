"""Every state of the checkout, reached by really doing it: seen on two widths in two themes, usable by everybody in both directions of writing."""

from __future__ import annotations

import time

import pytest
from blackbox import until


def followed(pages, town, invoice):
    """A page that is open while things happen."""
    page = pages.open(invoice["payment_url"])
    page.mark()
    return page


def test_choose(town, everywhere):
    everywhere(town.invoice(), "choose")


@pytest.mark.parametrize("method", ["ETH", "USDC", "SOL", "USDC-SOL"])
def test_awaiting(town, everywhere, method):
    everywhere(town.invoice(method), "awaiting", f"awaiting-{method}")


def test_submitted(town, everywhere):
    invoice = town.invoice("ETH")
    option = town.option(invoice, "ETH")
    sent = town.node.send(option["destination"], int(option["quote"]["amount_base_units"]))
    everywhere(invoice, "submitted", sent=sent, sent_at=str(int(time.time())))
    town.node.mine()


def test_detected_confirming_and_paid(pages, town, everywhere):
    invoice = town.invoice("USDC")
    page = followed(pages, town, invoice)

    town.pay(invoice, "USDC")
    page.reaches("detected")
    everywhere(invoice, "detected")
    town.advance("USDC")
    page.reaches("confirming")
    everywhere(invoice, "confirming")
    town.settle("USDC")
    page.reaches("paid")
    everywhere(invoice, "paid")
    assert page.marked


def test_underpaid_and_overpaid(pages, town, everywhere):
    invoice = town.invoice("ETH")
    page = followed(pages, town, invoice)

    town.pay(invoice, "ETH", 10**16)
    town.settle("ETH")
    page.reaches("underpaid")
    page.shows("0.00667 ETH still to pay")
    everywhere(invoice, "underpaid")
    town.pay(invoice, "ETH", 10**16)
    town.settle("ETH")
    page.reaches("overpaid")
    everywhere(invoice, "overpaid")
    assert page.marked


def test_expired(pages, town, everywhere):
    invoice = town.invoice("USDC")
    page = followed(pages, town, invoice)
    town.expire(invoice, "USDC")
    page.reaches("expired")
    everywhere(invoice, "expired")
    assert page.marked


def test_over_by_the_clock_and_the_chain_not_looked_at_so_far(pages, town, everywhere):
    invoice = town.invoice("USDC")
    page = followed(pages, town, invoice)
    town.node.stop()
    page.shows("slow right now", seconds=60)
    town.as_buyer(invoice, "expire")
    page.reaches("checking")
    everywhere(invoice, "checking")
    town.node.start()
    page.reaches("expired", seconds=60)
    assert page.marked


def test_partial(town, everywhere):
    invoice = town.invoice("USDC")
    town.pay(invoice, "USDC", 20_000_000)
    town.settle("USDC")
    town.gateway.await_status(invoice, "underpaid")
    town.expire(invoice, "USDC")
    until(lambda: town.gateway.get(f"/api/v1/invoices/{invoice['id']}")["resolution"] == "pending", "the invoice to be closed")
    everywhere(invoice, "partial")


def test_late_and_held_and_then_accepted(pages, town, everywhere):
    town.gateway.call("PATCH", "/api/v1/merchant", {"late_policy": "hold"})
    invoice = town.invoice("ETH")
    town.gateway.call("PATCH", "/api/v1/merchant", {"late_policy": "accept"})
    town.expire(invoice, "ETH")
    page = followed(pages, town, invoice)
    town.pay(invoice, "ETH")
    town.settle("ETH")
    page.reaches("late")
    everywhere(invoice, "late")
    town.gateway.post(f"/api/v1/invoices/{invoice['id']}/resolve", {"action": "accept", "reason": ""}, 200)
    page.reaches("accepted")
    everywhere(invoice, "accepted")
    assert page.marked


def test_wrong_token(pages, town, everywhere):
    invoice = town.invoice("USDC")
    page = followed(pages, town, invoice)
    town.send("ETH", town.option(invoice, "USDC")["destination"], 10**16)
    town.settle("ETH")
    page.reaches("wrong")
    page.shows("We see 0.01 ETH on Dev")
    everywhere(invoice, "wrong")
    assert page.marked


def test_canceled_stray_and_refunded(pages, town, everywhere):
    invoice = town.invoice("SOL")
    page = followed(pages, town, invoice)
    town.gateway.post(f"/api/v1/invoices/{invoice['id']}/cancel", {}, 200)
    page.reaches("canceled")
    everywhere(invoice, "canceled")
    town.pay(invoice, "SOL")
    town.settle("SOL")
    page.reaches("stray")
    everywhere(invoice, "stray")
    town.gateway.post(f"/api/v1/invoices/{invoice['id']}/resolve", {"action": "refund", "reason": ""}, 200)
    page.reaches("refunded")
    everywhere(invoice, "refunded")
    assert page.marked


def test_closed_by_the_shop(town, everywhere):
    invoice = town.invoice("USDC-SOL")
    town.pay(invoice, "USDC-SOL", 5_000_000)
    town.settle("USDC-SOL")
    town.gateway.await_status(invoice, "underpaid")
    town.gateway.post(f"/api/v1/invoices/{invoice['id']}/resolve", {"action": "write_off", "reason": ""}, 200)
    everywhere(invoice, "closed")


def test_a_fork_takes_the_page_back_to_waiting(pages, town):
    invoice = town.invoice("USDC")
    page = followed(pages, town, invoice)
    town.pay(invoice, "USDC")
    town.advance("USDC")
    page.reaches("confirming")
    town.node.reorg(2)
    town.advance("USDC")
    page.reaches("awaiting")
    page.shows("The network took a payment back")
    page.keep("reverted")
    assert page.marked
