"""The server is killed and the node goes away, for longer than an invoice lives: nothing is lost, nothing is told twice.

Time cannot be hurried from outside, so the long outage is run on one engine; with time in hand both are, in ``tests/integration/engine``.
"""

from __future__ import annotations

import signal
import time

import pytest
from blackbox import until


def test_killed_between_payment_and_confirmation_it_goes_on_where_it_was(world):
    invoice = world.gateway.invoice(pay_with=world.token(world.usdc))
    world.pay(invoice, "USDC")
    world.gateway.await_status(invoice, "processing")

    world.gateway.stop(signal.SIGKILL)
    world.node.mine(2)
    world.gateway.start()

    paid = world.gateway.await_status(invoice, "paid")
    assert paid["timing"] == "on_time"
    until(lambda: "invoice.paid" in world.shop.types(invoice["id"]), "the webhook", 60)
    told = world.shop.types(invoice["id"])
    assert sorted(told) == sorted(set(told))


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_payment_in_time_is_paid_although_nobody_could_look_before_the_invoice_was_over(world):
    invoice = world.gateway.invoice(pay_with=world.token(world.usdc), expires_in=60)
    unpaid = world.gateway.invoice(pay_with=world.eth(), expires_in=60)
    deadline = time.time() + 61
    world.pay(invoice, "USDC")
    world.gateway.await_status(invoice, "processing")

    world.gateway.stop(signal.SIGKILL)
    world.node.stop()
    world.gateway.start()
    until(lambda: time.time() > deadline, "the deadline to pass", 90)
    frozen = (world.gateway.status_of(invoice), world.gateway.status_of(unpaid))
    world.node.start()
    world.node.mine(2)

    paid = world.gateway.await_status(invoice, "paid")
    world.gateway.await_status(unpaid, "expired")
    assert frozen == ("processing", "unpaid")
    assert (paid["timing"], paid["amount_paid"]) == ("on_time", "49.99")
    until(lambda: "invoice.expired" in world.shop.types(unpaid["id"]), "the webhook", 60)
    until(lambda: "invoice.paid" in world.shop.types(invoice["id"]), "the webhook", 60)
    told = world.shop.types(invoice["id"])
    assert sorted(told) == ["invoice.created", "invoice.paid", "invoice.processing", "payment.confirmed", "payment.detected"]
