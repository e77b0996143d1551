"""Invoices as their buyers see them, and a page of each."""

from __future__ import annotations

from typing import Any

import pytest

from pepay_core.services.revisions import Network, Networks
from pepay_core.web.checkout.languages import language
from pepay_core.web.checkout.themes import theme
from pepay_core.web.checkout.view import Visit, view
from pepay_core.web.templating import render

NOW = 1_000_000
USDC = "eip155:1/erc20:0xabc"
ETH = "eip155:1/slip44:60"
SOL = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp/slip44:501"
NETWORKS = Networks(
    {
        "eip155:1": Network("Ethereum", ETH, 12.0, 100),
        "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp": Network("Solana", SOL, 0.4, 100),
    }
)
HASH = "0x" + "5e" * 32


class Samples:
    """What pages are made of."""

    now = NOW
    usdc, eth, sol, hash = USDC, ETH, SOL, HASH

    def option(self, **changed: Any) -> dict[str, Any]:
        return {
            "asset": USDC, "symbol": "USDC", "chain": "eip155:1", "network": "Ethereum", "available": True, "unavailable_reason": None,
            "quote": {"amount": "25.00", "amount_base_units": "25000000", "rate": "1", "valid_until": NOW + 600, "evidence": []},
            "destination": "0x7A58c0Be72BE218B41C608b7Fe7C5bB630736C71", "reference": None, "payment_uri": "ethereum:0xabc",
            "finality": "confirmations", "confirmations_required": 12,
        } | changed  # fmt: skip

    def unchosen(self, **changed: Any) -> dict[str, Any]:
        return self.option(**({"quote": None, "destination": None, "payment_uri": None} | changed))

    def payment(self, **changed: Any) -> dict[str, Any]:
        return {
            "asset": USDC, "symbol": "USDC", "amount": "25.00", "value": "25.00", "status": "confirming", "mismatch": None, "transaction": HASH,
            "explorer_url": "https://example.org/tx", "confirmations": 3, "confirmations_required": 12, "block": 98,
        } | changed  # fmt: skip

    def invoice(self, **changed: Any) -> dict[str, Any]:
        return {
            "id": "inv_" + "0" * 26, "livemode": True, "status": "unpaid", "fulfil": False, "timing": "on_time", "resolution": "none",
            "amount": "25.00", "currency": "USD", "amount_paid": "0.00", "amount_remaining": "25.00", "amount_overpaid": "0.00",
            "description": None, "title": None, "footer": None, "line_items": [], "return_url": None, "payment_url": "https://pay.example/pay/inv_",
            "payment_options": [self.option()], "payments": [], "created_at": NOW - 60, "expires_at": NOW + 3600, "paid_at": None, "version": 1,
            "merchant_name": "Acme",
        } | changed  # fmt: skip

    def view(self, *, networks: Networks = NETWORKS, lang: str = "en", branding: Any = None, visit: Any = None, **changed: Any):
        """Return the view of an invoice that differs from the usual one."""
        made = Visit(token="token", now=NOW, language=language(lang), theme=theme("mer_1", branding or {}), **(visit or {}))
        return view(self.invoice(**changed), made, networks)

    def page(self, **changed: Any) -> str:
        """Return the page of the same."""
        return render("pay.html", view=self.view(**changed), notice=None)


@pytest.fixture
def samples() -> Samples:
    return Samples()


def states(s: Samples) -> dict[str, dict[str, Any]]:
    """Return an example of every state that a page can be in."""
    wrong = s.payment(asset=ETH, symbol="ETH", mismatch="wrong_asset", amount="1", value=None)
    part = {"amount": "20.00", "value": "20.00", "status": "confirmed"}
    return {
        "nothing": {"payment_options": []},
        "choose": {"payment_options": [s.unchosen(), s.unchosen(asset=ETH, symbol="ETH", available=False, unavailable_reason="no_rate")]},
        "awaiting": {},
        "submitted": {"visit": {"sent": HASH, "sent_at": NOW - 61}},
        "requote": {"payment_options": [s.option(quote={"amount": "25.00", "rate": "1", "valid_until": NOW})]},
        "underpaid": {
            "status": "underpaid", "amount_remaining": "5.00", "payments": [s.payment(**part)],
            "payment_options": [s.option(quote={"amount": "5.00", "amount_base_units": "1", "rate": "1", "valid_until": NOW + 9})],
        },
        "detected": {"status": "processing", "payments": [s.payment(confirmations=1)]},
        "confirming": {"status": "processing", "payments": [s.payment()]},
        "paid": {"status": "paid", "fulfil": True, "paid_at": NOW, "payments": [s.payment(status="confirmed")]},
        "overpaid": {"status": "overpaid", "fulfil": True, "amount_overpaid": "5.00", "paid_at": NOW},
        "checking": {"expires_at": NOW - 1},
        "expired": {"status": "expired", "expires_at": NOW - 1},
        "partial": {"status": "underpaid", "resolution": "pending", "expires_at": NOW - 1, "payments": [s.payment(**part)]},
        "late": {"status": "expired", "resolution": "pending", "timing": "late", "amount_remaining": "0.00", "payments": [s.payment()]},
        "held": {"resolution": "pending", "payments": [s.payment(value=None)]},
        "wrong": {"resolution": "pending", "payments": [wrong]},
        "canceled": {"status": "canceled"},
        "stray": {"status": "canceled", "resolution": "pending", "payments": [s.payment(status="confirmed")]},
        "accepted": {"status": "expired", "resolution": "accepted", "fulfil": True},
        "refunded": {"status": "canceled", "resolution": "refunded"},
        "closed": {"status": "underpaid", "resolution": "written_off"},
    }  # fmt: skip


EXAMPLES = states(Samples())


@pytest.fixture
def examples() -> dict[str, dict[str, Any]]:
    """An invoice in each state."""
    return EXAMPLES


@pytest.fixture(params=EXAMPLES)
def example(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """A state, and an invoice in it."""
    return request.param, EXAMPLES[request.param]
