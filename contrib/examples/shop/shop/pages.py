"""The shop's pages. All that comes from elsewhere is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from shop.orders import PRODUCTS

if TYPE_CHECKING:
    from shop.orders import Order
    from shop.settings import Settings

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/shop.css">
<title>{title}</title>
<main><h1>{title}</h1>
{body}
</main>
</html>
"""


def front() -> str:
    """Return the page with everything that is sold."""
    offers = "\n".join(
        f'<li>{escape(name)} <b>${price}</b> <button name="product" value="{escape(key)}">Order</button></li>'
        for key, (name, price) in PRODUCTS.items()
    )
    return _PAGE.format(title="Beans", body=f'<form method="post" action="/orders"><ul>{offers}</ul></form>')


def order_page(settings: Settings, order: Order) -> str:
    """Return the page of an order, with the button that opens the checkout on it."""
    pay = f"""<button data-pepay-invoice="{escape(order.invoice or "")}" data-pepay-token="{escape(order.token or "")}">Pay with crypto</button>
<script src="{escape(settings.gateway)}/embed/v1.js" defer></script>
<script src="/static/order.js" defer></script>"""
    body = f"""<p>{escape(order.product)}: <b>${order.price}</b></p>
<p id="state" role="status" data-order="{escape(order.id)}">{state(order)}</p>
{"" if order.shipped else pay}"""
    return _PAGE.format(title=f"Order {escape(order.id)}", body=body)


def state(order: Order) -> str:
    """Return what the buyer is told."""
    if order.shipped:
        return "Thank you: it is on its way."
    told = {"processing": "Your payment is being confirmed.", "underpaid": "A part of the money has arrived.", "expired": "The time to pay is over."}
    return told.get(order.status, "Waiting for your payment.")


def policy(settings: Settings) -> str:
    """Return the pages' policy: of strangers, the checkout's script and frame, and nothing else."""
    return f"default-src 'self'; img-src 'self' data:; script-src 'self' {settings.gateway}; frame-src {settings.gateway}; base-uri 'none'"
