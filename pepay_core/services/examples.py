"""What objects look like in states that cannot be brought about at once: for events that say of themselves that they are examples."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain import money

if TYPE_CHECKING:
    from collections.abc import Callable

    from pepay_core.services.minting import Ids

_TRANSACTION: Final = "0x" + "0" * 64
_TOLD: Final = ("status", "fulfil", "timing", "resolution", "amount_paid", "amount_remaining", "amount_overpaid", "expires_at")


def invoice_example(kind: str, invoice: dict[str, Any], ids: Ids, now: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a real unpaid invoice as it would be told by an event of a type, and what it was before."""
    amount = invoice["amount"]
    quarter, half, more = (_times(amount, Decimal(part)) for part in ("0.25", "0.5", "1.25"))
    paid = {"status": "paid", "fulfil": True, "amount_paid": amount, "amount_remaining": _times(amount, Decimal(0)), "paid_at": now}
    under = {"status": "underpaid", "amount_paid": half, "amount_remaining": _minus(amount, half)}
    states: dict[str, Callable[[], dict[str, Any]]] = {
        "invoice.processing": lambda: {
            "status": "processing",
            "amount_remaining": _times(amount, Decimal(0)),
            "payments": [pay("confirming", amount)],
        },
        "invoice.paid": lambda: {**paid, "payments": [pay("confirmed", amount)]},
        "invoice.overpaid": lambda: {
            **paid,
            "status": "overpaid",
            "amount_paid": more,
            "amount_overpaid": _minus(more, amount),
            "payments": [pay("confirmed", more)],
        },
        "invoice.underpaid": lambda: {**under, "payments": [pay("confirmed", half)]},
        "invoice.partial_payment": lambda: {**under, "payments": [pay("confirmed", half)]},
        "invoice.expired": lambda: {"status": "expired", "expires_at": now},
        "invoice.reopened": lambda: {"expires_at": now + 3600},
        "invoice.reverted": lambda: {"payments": [pay("reverted", amount)]},
        "invoice.resolved": lambda: {**under, "resolution": "accepted", "fulfil": True, "payments": [pay("confirmed", half)]},
    }

    def pay(status: str, value: str) -> dict[str, Any]:
        return payment_example(status, invoice, value, ids, now)

    before = {
        "invoice.reverted": {**invoice, "status": "processing", "amount_remaining": _times(amount, Decimal(0))},
        "invoice.resolved": {**invoice, **under, "resolution": "pending"},
        "invoice.partial_payment": {**invoice, **under, "amount_paid": quarter, "amount_remaining": _minus(amount, quarter)},
        "invoice.reopened": {**invoice, "status": "expired", "expires_at": now},
    }.get(kind, invoice)
    after = {**invoice, **states[kind](), "version": invoice["version"] + 1}
    return after, {name: before[name] for name in _TOLD if before[name] != after[name]}


def payment_example(status: str, invoice: dict[str, Any], value: str, ids: Ids, now: int) -> dict[str, Any]:
    """Return a payment of an invoice in a state; no chain has its transaction, which is nothing but zeros."""
    option = invoice["payment_options"][0]
    units = money.to_base_units(Decimal(value), option["decimals"])
    final = status == "confirmed"
    needed = option["confirmations_required"]
    return {
        "object": "payment",
        "id": ids.payment(),
        "invoice": invoice["id"],
        "livemode": invoice["livemode"],
        "asset": option["asset"],
        "symbol": option["symbol"],
        "amount": money.plain(Decimal(value)),
        "amount_base_units": str(units),
        "value": value,
        "status": status,
        "mismatch": None,
        "transaction": _TRANSACTION,
        "index": 0,
        "block": 1,
        "block_time": now,
        "from": None,
        "to": option["destination"] or "",
        "confirmations": (needed or 1) if final else 0,
        "confirmations_required": needed,
        "explorer_url": None,
        "detected_at": now,
        "confirmed_at": now if final else None,
    }


def refund_example(status: str, invoice: dict[str, Any], refund: str, now: int) -> dict[str, Any]:
    """Return a refund of an invoice in a state."""
    option = invoice["payment_options"][0]
    return {
        "object": "refund",
        "id": refund,
        "livemode": invoice["livemode"],
        "invoice": invoice["id"],
        "status": status,
        "reason": "excess",
        "asset": option["asset"],
        "symbol": option["symbol"],
        "chain": option["chain"],
        "network": option["network"],
        "amount": invoice["amount"],
        "amount_base_units": str(money.to_base_units(Decimal(invoice["amount"]), option["decimals"])),
        "address": option["destination"] or "",
        "transaction": _TRANSACTION if status == "completed" else None,
        "message": None,
        "created_at": now,
        "decided_at": None if status == "requested" else now,
        "completed_at": now if status == "completed" else None,
    }


def chain_example(state: str, invoice: dict[str, Any]) -> dict[str, Any]:
    """Return a chain in a state."""
    option = invoice["payment_options"][0]
    reason = "this is an example" if state == "degraded" else None
    return {
        "object": "chain",
        "id": option["chain"],
        "name": option["network"],
        "livemode": invoice["livemode"],
        "state": state,
        "reason": reason,
        "endpoints": [],
        "tip": None,
        "tip_time": None,
    }


def _times(amount: str, factor: Decimal) -> str:
    return _like(amount, Decimal(amount) * factor)


def _minus(amount: str, less: str) -> str:
    return _like(amount, Decimal(amount) - Decimal(less))


def _like(amount: str, value: Decimal) -> str:
    """Return a value with as many decimals as an amount has."""
    places = len(amount.partition(".")[2])
    return money.plain(value.quantize(Decimal(1).scaleb(-places)), places=places)
