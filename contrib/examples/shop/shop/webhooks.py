"""What PePay tells the shop. This alone decides whether goods are shipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from standardwebhooks import Webhook, WebhookVerificationError

if TYPE_CHECKING:
    from shop.orders import Orders


def receive(orders: Orders, secret: str, headers: dict[str, str], body: bytes) -> int:
    """Take an event and return the status to answer with.

    A signature that is wrong, or older than five minutes, is refused. What came already is accepted again and changes nothing, so that
    PePay need not send it a third time.
    """
    try:
        event = Webhook(secret).verify(body, headers)
    except (WebhookVerificationError, ValueError):
        return 401
    if event["data"]["object"]["object"] != "invoice":
        return 204
    invoice = event["data"]["object"]
    orders.note(invoice["id"], invoice["status"], invoice["version"])
    # `fulfil` is true when enough final money has arrived, or the merchant accepted what did; no status needs to be interpreted.
    if invoice["fulfil"] and orders.ship(invoice["id"]):
        pack_and_send(invoice["id"])
    return 204


def pack_and_send(invoice: str) -> None:
    """Do what the buyer paid for. This is called once for each order."""
    print(f"shipping what invoice {invoice} paid for", flush=True)  # noqa: T201 (the goods of an example)
