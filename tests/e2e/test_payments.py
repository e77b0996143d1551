"""A dollar invoice, paid on a real node, told by a signed webhook: as a shop sees it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from blackbox import until
from standardwebhooks import Webhook, WebhookVerificationError

from pepay_core.testing import erc20


def test_a_token_payment_goes_from_unpaid_over_processing_to_paid_and_each_step_is_told_once(world):
    invoice = world.gateway.invoice(pay_with=world.token(world.usdc))

    world.pay(invoice, "USDC")
    processing = world.gateway.await_status(invoice, "processing")
    world.node.mine()
    paid = world.gateway.await_status(invoice, "paid")

    assert processing["fulfil"] is False
    assert paid["fulfil"] is True
    assert paid["amount_paid"] == "49.99"
    assert paid["amount_remaining"] == "0.00"
    assert [(each["amount_base_units"], each["status"]) for each in paid["payments"]] == [("49990000", "confirmed")]
    expected = ["invoice.created", "payment.detected", "invoice.processing", "payment.confirmed", "invoice.paid"]
    until(lambda: len(world.shop.types(invoice["id"])) == len(expected), "five webhooks")
    assert world.shop.types(invoice["id"]) == expected


def test_a_native_payment_is_credited_to_the_base_unit(world):
    invoice = world.gateway.invoice(pay_with=world.eth())
    option = world.gateway.option(invoice, "ETH")
    assert option["quote"]["amount"] == "0.01667"

    world.pay(invoice, "ETH", 16_670_000_000_000_001)
    world.node.mine()
    paid = world.gateway.await_status(invoice, "paid")

    assert paid["payments"][0]["amount_base_units"] == "16670000000000001"
    assert paid["payments"][0]["amount"] == "0.016670000000000001"
    assert paid["amount_paid"] == "49.99"


def test_both_signatures_verify_without_our_own_code(world):
    endpoint = world.gateway.post("/api/v1/webhooks", {"url": f"{world.shop.url}/signed", "enabled_events": ["invoice.created"]})
    world.shop.calls.clear()
    world.gateway.invoice()
    until(lambda: len(world.shop.calls) == 2, "a webhook at both endpoints")

    headers, body = next(call for call in world.shop.calls if _standard(endpoint["secret"], *call))
    others = [call for call in world.shop.calls if not _standard(endpoint["secret"], *call)]

    stamped = headers["x-pepay-timestamp"].encode() + b"." + body
    assert headers["x-pepay-signature"] == hmac.new(endpoint["secret"].encode(), stamped, hashlib.sha256).hexdigest()
    assert len(others) == 1
    assert len(base64.b64decode(endpoint["secret"].removeprefix("whsec_"))) == 32
    assert headers["webhook-id"] == headers["x-pepay-event-id"] == json.loads(body)["id"]
    assert headers["x-pepay-network-environment"] == "devnet"


def _standard(secret, headers, body):
    """Tell whether the unmodified package of the standard accepts a delivery."""
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def test_two_transfers_of_one_transaction_are_two_payments(world):
    invoice = world.gateway.invoice(pay_with=world.token(world.usdc))
    to = world.gateway.option(invoice, "USDC")["destination"]
    disperse = world.node.deploy(erc20.DISPERSE)
    world.send(disperse, 100_000_000, world.usdc)

    hash_ = world.node.send(disperse, data=erc20.disperse_tokens(world.usdc, [(to, 20_000_000), (to, 29_990_000)]))
    world.node.mine(2)
    paid = world.gateway.await_status(invoice, "paid")

    assert sorted(each["amount_base_units"] for each in paid["payments"]) == ["20000000", "29990000"]
    assert {each["transaction"] for each in paid["payments"]} == {hash_}
    assert len({each["index"] for each in paid["payments"]}) == 2
    assert [each["id"] for each in world.gateway.get(f"/api/v1/invoices/by-transaction/{hash_}")["data"]] == [invoice["id"]]


def test_an_underpaid_invoice_quotes_the_rest_and_a_second_payment_completes_it(world):
    invoice = world.gateway.invoice(pay_with=world.eth())

    world.pay(invoice, "ETH", 10**16)
    partial = world.gateway.await_status(invoice, "underpaid")
    rest = world.gateway.option(partial, "ETH")
    assert (partial["amount_remaining"], rest["quote"]["amount"]) == ("19.99", "0.00667")
    assert rest["destination"] == world.gateway.option(invoice, "ETH")["destination"]

    world.pay(partial, "ETH")
    world.node.mine()
    paid = world.gateway.await_status(invoice, "paid")

    assert paid["amount_paid"] == "49.99"
    until(lambda: {"invoice.underpaid", "invoice.paid"} <= set(world.shop.types(invoice["id"])), "the webhooks of both payments")


def test_too_much_is_overpaid_and_says_by_how_much(world):
    invoice = world.gateway.invoice(pay_with=world.token(world.usdc))

    world.pay(invoice, "USDC", 60_000_000)
    world.node.mine()
    overpaid = world.gateway.await_status(invoice, "overpaid")

    assert (overpaid["fulfil"], overpaid["amount_overpaid"]) == (True, "10.01")
    until(lambda: "invoice.overpaid" in world.shop.types(invoice["id"]), "the webhook")
    assert "invoice.paid" not in world.shop.types(invoice["id"])


def test_another_registered_token_is_kept_apart_and_waits_for_the_merchant(world):
    invoice = world.gateway.invoice(pay_with=world.token(world.usdc))
    to = world.gateway.option(invoice, "USDC")["destination"]

    world.send(to, 50 * 10**18, world.dai)
    world.node.mine()
    waiting = until(lambda: (found := world.gateway.get(f"/api/v1/invoices/{invoice['id']}"))["payments"] and found, "the payment")

    assert (waiting["status"], waiting["resolution"], waiting["amount_paid"]) == ("unpaid", "pending", "0.00")
    assert waiting["payments"][0]["mismatch"] == "wrong_asset"
    until(lambda: "payment.detected" in world.shop.types(invoice["id"]), "the webhook")

    accepted = world.gateway.post(f"/api/v1/invoices/{invoice['id']}/resolve", {"action": "accept", "reason": "as good"}, status=200)
    assert (accepted["resolution"], accepted["fulfil"]) == ("accepted", True)
    until(lambda: "invoice.resolved" in world.shop.types(invoice["id"]), "the webhook of the decision")


def test_look_alikes_failed_and_empty_transfers_change_nothing(world):
    invoice = world.gateway.invoice(pay_with=world.token(world.usdc))
    to = world.gateway.option(invoice, "USDC")["destination"]
    fake = world.node.deploy(erc20.coin("USDC", 6, 10**15))
    world.send(to, 49_990_000, fake)
    world.send(to, 0, world.usdc)
    failed = world.node.send(world.usdc, data=erc20.transfer(to, 10**30), gas=200_000)
    world.node.mine()
    assert world.node.receipt(failed)["status"] == "0x0"

    # What comes after them is seen, so they were looked at.
    world.send(to, 1_000_000, world.usdc)
    seen = world.gateway.await_status(invoice, "underpaid")

    assert [each["amount_base_units"] for each in seen["payments"]] == ["1000000"]


def test_a_reorganisation_takes_the_invoice_back_and_the_same_transaction_is_credited_once_more(world):
    invoice = world.gateway.invoice(pay_with=world.token(world.usdc))
    world.pay(invoice, "USDC")
    world.node.mine(2)
    world.gateway.await_status(invoice, "paid")

    world.node.reorg(3)
    world.node.mine()
    back = world.gateway.await_status(invoice, "unpaid")
    assert (back["fulfil"], [each["status"] for each in back["payments"]]) == (False, ["reverted"])
    until(lambda: {"invoice.reverted", "payment.reverted"} <= set(world.shop.types(invoice["id"])), "the webhooks")

    world.pay(invoice, "USDC")
    world.node.mine()
    paid = world.gateway.await_status(invoice, "paid")
    assert paid["amount_paid"] == "49.99"
