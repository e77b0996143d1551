"""The pages of the demo shop, as text. They need no script; one keeps them fresh where scripts run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pepay_sandbox.demo.catcher import Received
    from pepay_sandbox.demo.shop import Choice

OPEN: Final = frozenset({"unpaid", "processing", "underpaid"})
_TONES: Final = {
    "paid": "good",
    "overpaid": "good",
    "confirmed": "good",
    "processing": "busy",
    "confirming": "busy",
    "underpaid": "warn",
    "expired": "bad",
    "canceled": "bad",
    "reverted": "bad",
}
_SENTENCES: Final = {
    "unpaid": ("", "Waiting for a payment."),
    "processing": ("", "The payment is on the chain. It counts once enough blocks stand on it."),
    "underpaid": ("warn", "Some of it has arrived. Pay the rest to the same address."),
    "paid": ("good", "The shop may hand out the coffee."),
    "overpaid": ("good", "More arrived than was asked. The shop may hand out the coffee, and owes the difference."),
    "expired": ("bad", "The time to pay is over."),
    "canceled": ("bad", "The order was canceled."),
}


def page(title: str, body: str, *, here: str, live: int = 0) -> str:
    """Return a whole page; ``live`` is how often it is asked for again, in milliseconds, 0 for never."""
    links = "".join(
        f'<a href="{path}"{" aria-current=page" if path == here else ""}>{name}</a>' for path, name in (("/", "Shop"), ("/webhooks", "Webhooks"))
    )
    refresh = '<noscript><meta http-equiv="refresh" content="2"></noscript>' if live else ""
    script = '<script src="/static/live.js" defer></script>' if live else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{escape(title)} · Demo shop</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/shop.css">
{refresh}{script}
</head>
<body>
<header class="bar"><div><strong>Sandbox: no real money</strong><nav aria-label="Demo">{links}</nav></div></header>
<main{f' data-live="{live}"' if live else ""}>
{body}
</main>
<footer>This shop runs on your machine and speaks to PePay through its public API and webhooks, as any other shop would.</footer>
</body>
</html>
"""


def shop(product: str, price: str, choices: Sequence[Choice], orders: Sequence[Mapping[str, Any]]) -> str:
    """Return the page with the product."""
    options = "".join(
        f'<label class="choice"><input type="radio" name="asset" value="{escape(each.asset)}"{" checked" if number == 0 else ""}>'
        f'<span>{escape(each.symbol)}</span><span class="soft small">{escape(each.note)}</span></label>'
        for number, each in enumerate(choices)
    )
    rows = "".join(
        f'<li><a href="/orders/{escape(order["id"])}"><code>{escape(order["id"][-8:])}</code></a> {badge(order["status"])}'
        f"{_time(order['created_at'])}</li>"
        for order in orders
    )
    recent = f'<section class="card"><h2>Orders</h2><ul class="list">{rows}</ul></section>' if rows else ""
    return f"""<section class="what" aria-label="What this is">
<p class="lead"><strong>PePay takes crypto for your shop, on your own server.</strong> You ask for dollars; buyers pay in the coins and tokens
that you accept, straight into wallets that you own; your shop is told by signed webhooks when it may deliver.</p>
<ol class="three">
<li><b>1</b> Press <em>Pay with crypto</em>, as a buyer of this shop would.</li>
<li><b>2</b> On the payment page, let the sandbox <em>Pay in full</em>, or pay with the test wallet.</li>
<li><b>3</b> Watch it become <em>paid</em>, and see the <a href="/webhooks">webhooks</a> that told the shop.</li>
</ol>
</section>
<div class="columns">
<div class="stack">
<img class="picture" src="/static/coffee.svg" width="416" height="312" alt="A bag of coffee beans">
<h1>{escape(product)}</h1>
<p class="soft">Washed, light roast: bergamot, peach, honey. Roasted on the day it is paid for.</p>
</div>
<div class="stack">
<form class="card key" method="post" action="/orders">
<p class="price">${escape(price)}</p>
<fieldset><legend>Pay with</legend>{options}</fieldset>
<button class="primary" name="go" value="page">Pay with crypto</button>
<button name="go" value="wallet">Pay from the test wallet</button>
<p class="soft small">The first button goes to PePay's payment page, as for any buyer.
The second stays here, where a wallet full of test money can pay for you.</p>
</form>
{recent}
</div>
</div>"""


def order(product: str, invoice: Mapping[str, Any], events: Sequence[Received], *, told: bool) -> str:
    """Return the page of one order; ``told`` says that a webhook brought the invoice in this state."""
    status = invoice["status"]
    tone, sentence = _SENTENCES.get(status, ("", status))
    source = "as the last webhook said" if told else "as the API answered; no webhook has come yet"
    rows = "".join(f"<li><code>{escape(each.type)}</code> {verdicts(each)}{_time(each.at, seconds=True)}</li>" for each in events)
    return f"""<div class="columns">
<div class="stack">
<p class="soft">Order <code>{escape(invoice["id"])}</code></p>
<h1>{escape(product)}</h1>
<p class="price">${escape(invoice["amount"])}</p>
<div class="note {tone}" role="status"><strong>{escape(status.capitalize())}.</strong> {sentence}</div>
<p class="soft small">Status {source}. The shop acts on <code>fulfil</code>: <strong>{"true" if invoice["fulfil"] else "false"}</strong>.</p>
{_payments(invoice)}
<section class="card"><h2>Webhooks about this order</h2>{f'<ol class="list">{rows}</ol>' if rows else '<p class="soft">None yet.</p>'}</section>
</div>
<div class="stack">{_paying(invoice)}</div>
</div>"""


def _payments(invoice: Mapping[str, Any]) -> str:
    symbols = {each["asset"]: each["symbol"] for each in invoice["payment_options"]}
    rows = "".join(
        f"<li><strong>{escape(each['amount'])} {escape(symbols.get(each['asset'], ''))}</strong> {badge(each['status'])}"
        f'<code class="soft">{escape((each["transaction"] or "")[:18])}…</code></li>'
        for each in invoice["payments"]
    )
    return f'<section class="card"><h2>Payments</h2><ul class="list">{rows}</ul></section>' if rows else ""


def _paying(invoice: Mapping[str, Any]) -> str:
    link = f'<a class="button" href="{escape(invoice["payment_url"])}">Open the payment page</a>'
    if invoice["status"] not in OPEN:
        return f'<div class="card key"><h2>Done</h2>{link}<a class="button primary" href="/">Back to the shop</a></div>'
    if invoice["status"] == "processing":
        return f'<div class="card key"><h2>On its way</h2><p class="soft">Nothing is left to pay.</p>{link}</div>'
    chosen = [each for each in invoice["payment_options"] if each["quote"] and each["destination"]]
    asked = f"{chosen[0]['quote']['amount']} {chosen[0]['symbol']} on {chosen[0]['network']}" if chosen else "the amount that PePay quotes"
    rest = "Pay the rest" if invoice["status"] == "underpaid" else "Pay in full"
    return f"""<form class="card key" method="post" action="/demo/pay/{escape(invoice["id"])}">
<h2>Let the test wallet pay</h2>
<p class="soft">It sends {escape(asked)}, in one transaction on the local chain.</p>
<button class="primary" id="full" name="amount" value="full">{rest}</button>
<div class="row">
<button id="under" name="amount" value="under">Underpay</button>
<button id="over" name="amount" value="over">Overpay</button>
</div>
</form>
<div class="card"><h2>Or pay as a buyer</h2>
<p class="soft small">The page that every buyer gets: address, amount, QR code and live state.</p>
{link}</div>"""


def webhooks(received: Sequence[Received]) -> str:
    """Return the page with every delivery, newest first."""
    items = "".join(_delivery(each) for each in reversed(received))
    return f"""<div class="stack">
<h1>Webhooks</h1>
<p class="soft">What arrived at this shop, newest first. Both signatures are checked here with nothing but the shop's secret.</p>
</div>
<div class="events">{items or '<p class="card soft">Nothing yet. Place an order, and its first event is here before you are.</p>'}</div>"""


def _delivery(received: Received) -> str:
    shown = "\n".join(f"{name}: {value}" for name, value in received.headers.items() if name.lower().startswith(("webhook-", "x-pepay-")))
    body = json.dumps(json.loads(received.body), indent=2, ensure_ascii=False)
    repeat = '<span class="badge warn">again</span>' if received.repeat else ""
    return f"""<details id="{escape(str(received.event.get("id", "")))}-{int(received.at * 1000)}">
<summary><code>{escape(received.type)}</code>{verdicts(received)}{repeat}{_time(received.at, seconds=True)}</summary>
<div><pre>{escape(shown)}</pre><pre>{escape(body)}</pre></div>
</details>"""


def verdicts(received: Received) -> str:
    """Return one badge when both signatures are valid, else one for each."""
    if received.genuine:
        return '<span class="badge good">both signatures valid</span>'
    schemes = (("webhook-signature", received.standard), ("X-Pepay-Signature", received.pepay))
    return "".join(f'<span class="badge {"good" if valid else "bad"}">{name} {"valid" if valid else "INVALID"}</span>' for name, valid in schemes)


def badge(status: str) -> str:
    """Return a status as a badge."""
    return f'<span class="badge {_TONES.get(status, "")}">{escape(status)}</span>'


def problem(message: str) -> str:
    """Return what went wrong, and a way out."""
    return f"""<div class="stack"><h1>That did not work</h1><p class="note bad" role="alert">{escape(message)}</p>
<p><a href="/">Back to the shop</a></p></div>"""


def _time(at: float, *, seconds: bool = False) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return f'<time datetime="{moment.isoformat()}">{moment:%H:%M:%S}{f".{moment.microsecond // 1000:03d}" if seconds else ""} UTC</time>'
