from __future__ import annotations

from typing import Any

import pytest

from pepay_core.web.checkout.codes import code, payload
from pepay_core.web.checkout.views import view
from pepay_core.web.templating import grouped, price, render, shortened, utc

NOW = 1_000_000


def option(**changed: Any) -> dict[str, Any]:
    return {
        "asset": "eip155:1/erc20:0xabc", "symbol": "USDC", "chain": "eip155:1", "network": "Ethereum", "available": True, "unavailable_reason": None,
        "quote": {"amount": "25.00", "amount_base_units": "25000000", "rate": "1", "valid_until": NOW + 600, "evidence": []},
        "destination": "0x7A58c0Be72BE218B41C608b7Fe7C5bB630736C71", "reference": None, "payment_uri": "ethereum:0xabc", "finality": "confirmations",
        "confirmations_required": 12,
    } | changed  # fmt: skip


def payment(**changed: Any) -> dict[str, Any]:
    return {
        "asset": "eip155:1/erc20:0xabc", "symbol": "USDC", "amount": "25.00", "status": "confirming", "mismatch": None,
        "transaction": "0x" + "5e" * 32,
        "explorer_url": "https://example.org/tx", "confirmations": 3, "confirmations_required": 12,
    } | changed  # fmt: skip


def invoice(**changed: Any) -> dict[str, Any]:
    return {
        "id": "inv_" + "0" * 26, "livemode": True, "status": "unpaid", "fulfil": False, "timing": "on_time", "resolution": "none", "amount": "25.00",
        "currency": "USD", "amount_remaining": "25.00", "description": None, "title": None, "footer": None, "line_items": [], "return_url": None,
        "payment_options": [option()], "payments": [], "expires_at": NOW + 3600, "paid_at": None, "merchant_name": "Acme",
        "payment_url": "https://pay.example.com/pay/inv_0?token=token",
    } | changed  # fmt: skip


def shown(**changed: Any):
    return view(invoice(**changed), "token", now=NOW, changing=False, natives=())


@pytest.mark.parametrize(
    ("state", "headline", "refresh"),
    [
        ({}, "Waiting for your payment", 5),
        ({"payment_options": [option(quote=None, destination=None)]}, "Choose how to pay", None),
        ({"status": "processing", "payments": [payment()]}, "Payment seen", 5),
        ({"status": "underpaid", "payments": [payment(status="confirmed")]}, "25.00 USDC still to pay", 5),
        ({"status": "underpaid", "resolution": "pending", "expires_at": NOW - 1}, "We received money for this order", 30),
        ({"status": "paid", "fulfil": True}, "Payment complete", None),
        ({"status": "overpaid", "fulfil": True}, "Payment complete", None),
        ({"status": "expired"}, "The time to pay is over", 30),
        ({"status": "expired", "resolution": "pending", "timing": "late"}, "We received money for this order", 30),
        ({"status": "expired", "resolution": "accepted", "fulfil": True}, "Payment accepted", None),
        ({"status": "canceled"}, "This order was canceled", None),
        ({"status": "canceled", "resolution": "pending"}, "We received money for this order", 30),
        ({"status": "canceled", "resolution": "refunded"}, "Payment refunded", None),
        ({"status": "underpaid", "resolution": "written_off"}, "Closed by the shop", None),
        ({"status": "unpaid", "expires_at": NOW - 1}, "The time to pay is over", 30),
    ],
)
def test_every_state_has_its_words_and_is_rendered(state, headline, refresh):
    seen = shown(**state)
    assert seen.headline == headline
    assert seen.refresh == refresh
    page = render("pay.html", view=seen, notice=None)
    assert "Acme" in page
    if seen.qr is None and not seen.choosing:
        assert headline in page
        assert "Send exactly" not in page


@pytest.mark.parametrize("status", ["paid", "overpaid", "expired", "canceled", "processing"])
def test_an_address_is_shown_only_while_it_is_to_be_paid(status):
    assert option()["destination"] not in render("pay.html", view=shown(status=status), notice=None)


def test_an_amount_in_an_asset_is_told_by_its_symbol():
    priced = shown(amount="0.5", currency="eip155:1/erc20:0xabc")
    assert "0.5 USDC" in render("pay.html", view=priced, notice=None)


def test_the_payment_that_has_the_furthest_to_go_is_what_is_waited_for():
    payments = [payment(confirmations=11), payment(confirmations=2), payment(status="reverted", confirmations=0)]
    assert shown(status="processing", payments=payments).final == (2, 12)


def test_the_asset_that_was_paid_in_stays_the_one_that_is_asked():
    options = [option(), option(asset="eip155:1/slip44:60", symbol="ETH", quote=option()["quote"] | {"valid_until": NOW + 900})]
    assert shown(payment_options=options).option["symbol"] == "ETH"
    assert shown(payment_options=options, status="underpaid", payments=[payment(status="confirmed")]).option["symbol"] == "USDC"


@pytest.mark.parametrize(
    ("changed", "natives", "held"),
    [
        ({}, (), "0x7A58c0Be72BE218B41C608b7Fe7C5bB630736C71"),
        ({"asset": "eip155:1/slip44:60"}, ("eip155:1/slip44:60",), "ethereum:0xabc"),
        ({"asset": "eip155:1/slip44:60", "payment_uri": None}, ("eip155:1/slip44:60",), "0x7A58c0Be72BE218B41C608b7Fe7C5bB630736C71"),
        ({"chain": "solana:x", "asset": "solana:x/token:y", "payment_uri": "solana:abc"}, (), "solana:abc"),
    ],
)
def test_the_code_of_an_evm_token_is_the_bare_address(changed, natives, held):
    assert payload(option(**changed), natives) == held


def test_a_code_has_its_quiet_zone():
    made = code("0x7A58c0Be72BE218B41C608b7Fe7C5bB630736C71")
    assert made.side == 29 + 8
    assert made.path.startswith("M4 4h7v1h-7z")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (price("1234567.50", "USD"), "$1,234,567.50"),
        (price("1000", "JPY"), "¥1,000"),
        (price("5.00", "CHF"), "5.00 CHF"),
        (price("0.000000000000000001", "eip155:1/slip44:60"), "0.000000000000000001 eip155:1/slip44:60"),
        (utc(0), "1 Jan 1970, 00:00 UTC"),
        (shortened("0x" + "ab" * 32), "0xababab…ababab"),
        (" ".join(grouped("0x7A58c0Be72BE")), "0x7A58 c0Be 72BE"),
    ],
)
def test_numbers_are_written_for_reading(written, expected):
    assert written == expected
