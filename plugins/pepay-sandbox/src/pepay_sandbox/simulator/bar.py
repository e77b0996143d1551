"""The bar above a test payment's page: plain forms, which need no script."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from pepay_core.api import CheckoutPart
from pepay_sandbox.simulator.acting import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

STYLE = "/x/sandbox/simulator.css"
WALLET = "/x/sandbox/wallet.js"


def bar(invoice: Mapping[str, object], token: str) -> CheckoutPart:
    """Return the bar."""
    where = escape(f"/x/sandbox/simulate/{invoice['id']}?token={quote(token)}")
    buttons = "".join(f'<button name="action" value="{escape(name)}">{escape(label)}</button>' for name, label in ACTIONS.items())
    return CheckoutPart(
        html=f'<form class="simulator" method="post" action="{where}" aria-label="Sandbox" lang="en" dir="ltr">'
        f"<p>Sandbox <span>· no real money</span></p><div>{buttons}</div></form>",
        styles=(STYLE,),
        scripts=(WALLET,),
    )
