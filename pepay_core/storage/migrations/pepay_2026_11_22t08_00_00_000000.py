"""The first tables."""

# ruff: noqa: D101, D103 - frozen pictures of tables need no words

from __future__ import annotations

from typing import Any, Final

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns import BigInt, BigSerial, Boolean, Bytea, ForeignKey, Integer, OnDelete, Text, Timestamptz
from piccolo.table import Table

from pepay_core.storage.columns import BaseUnits, Id

ID = "2026-11-22T08:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "The first tables"

_Column = tuple[type[Any], dict[str, Any]]
_MAYBE: Final = {"default": None, "null": True}

KEY: Final[_Column] = (Id, {"primary_key": True})
TEXT_KEY: Final[_Column] = (Text, {"primary_key": True})
SERIAL: Final[_Column] = (BigSerial, {"primary_key": True})
ID_TEXT: Final[_Column] = (Id, {})
UNIQUE_ID: Final[_Column] = (Id, {"unique": True})
TEXT: Final[_Column] = (Text, {})
MAYBE_TEXT: Final[_Column] = (Text, _MAYBE)
TIME: Final[_Column] = (Timestamptz, {"default": None})
MAYBE_TIME: Final[_Column] = (Timestamptz, _MAYBE)
BOOLEAN: Final[_Column] = (Boolean, {})
INTEGER: Final[_Column] = (Integer, {})
MAYBE_INTEGER: Final[_Column] = (Integer, _MAYBE)
BIG: Final[_Column] = (BigInt, {})
MAYBE_BIG: Final[_Column] = (BigInt, _MAYBE)
BYTES: Final[_Column] = (Bytea, {})
MAYBE_BYTES: Final[_Column] = (Bytea, _MAYBE)
UNITS: Final[_Column] = (BaseUnits, {})


class MerchantRow(Table, tablename="pepay_merchant"):
    id = Id(primary_key=True)


class WalletRow(Table, tablename="pepay_wallet"):
    id = Id(primary_key=True)


class InvoiceRow(Table, tablename="pepay_invoice"):
    id = Id(primary_key=True)


class QuoteRow(Table, tablename="pepay_quote"):
    id = Id(primary_key=True)


class PaymentRow(Table, tablename="pepay_payment"):
    id = Id(primary_key=True)


class EventRow(Table, tablename="pepay_event"):
    seq = BigSerial(primary_key=True)
    id = Id(unique=True)


class EndpointRow(Table, tablename="pepay_endpoint"):
    id = Id(primary_key=True)


class DeliveryRow(Table, tablename="pepay_delivery"):
    id = Id(primary_key=True)


def to(table: type[Table], *, null: bool = False, cascade: bool = False) -> _Column:
    target = {"target_column": "id"} if table is EventRow else {}
    return (ForeignKey, {"references": table, "null": null, "on_delete": OnDelete.cascade if cascade else OnDelete.restrict, **target})


TABLES: Final[dict[str, tuple[str, dict[str, _Column]]]] = {
    "MerchantRow": (
        "pepay_merchant",
        {
            "id": KEY,
            "name": TEXT,
            "created_at": TIME,
            "currency": TEXT,
            "tokens": MAYBE_TEXT,
            "settlement_asset": MAYBE_TEXT,
            "tolerance_percent": TEXT,
            "tolerance_amount": TEXT,
            "late_policy": TEXT,
            "finality": TEXT,
            "branding": TEXT,
            "embed_origins": TEXT,
        },
    ),
    "KeyRow": (
        "pepay_key",
        {
            "id": KEY,
            "merchant": to(MerchantRow),
            "livemode": BOOLEAN,
            "name": TEXT,
            "scopes": TEXT,
            "digest": BYTES,
            "created_at": TIME,
            "expires_at": MAYBE_TIME,
            "revoked_at": MAYBE_TIME,
            "last_used_at": MAYBE_TIME,
            "allowed_ips": TEXT,
            "writes_per_minute": MAYBE_INTEGER,
        },
    ),
    "WalletRow": (
        "pepay_wallet",
        {
            "id": KEY,
            "merchant": to(MerchantRow),
            "livemode": BOOLEAN,
            "family": TEXT,
            "kind": TEXT,
            "value": TEXT,
            "digest": TEXT,
            "label": MAYBE_TEXT,
            "created_at": TIME,
            "archived_at": MAYBE_TIME,
            "next_index": BIG,
        },
    ),
    "InvoiceRow": (
        "pepay_invoice",
        {
            "id": KEY,
            "merchant": to(MerchantRow),
            "livemode": BOOLEAN,
            "version": BIG,
            "amount": TEXT,
            "currency": TEXT,
            "decimals": INTEGER,
            "expires_at": TIME,
            "tolerance_percent": TEXT,
            "tolerance_amount": TEXT,
            "late_policy": TEXT,
            "tokens": MAYBE_TEXT,
            "status": TEXT,
            "timing": TEXT,
            "resolution": TEXT,
            "fulfil": BOOLEAN,
            "amount_paid": TEXT,
            "amount_remaining": TEXT,
            "amount_overpaid": TEXT,
            "created_at": TIME,
            "paid_at": MAYBE_TIME,
            "closed_at": MAYBE_TIME,
            "decisions": TEXT,
            "settlement_asset": MAYBE_TEXT,
            "description": MAYBE_TEXT,
            "customer_id": MAYBE_TEXT,
            "customer_email": MAYBE_TEXT,
            "metadata": TEXT,
            "return_url": MAYBE_TEXT,
            "title": MAYBE_TEXT,
            "footer": MAYBE_TEXT,
            "line_items": TEXT,
        },
    ),
    "DestinationRow": (
        "pepay_destination",
        {
            "seq": SERIAL,
            "invoice": to(InvoiceRow),
            "merchant": to(MerchantRow),
            "livemode": BOOLEAN,
            "family": TEXT,
            "address": TEXT,
            "reference": TEXT,
            "wallet": to(WalletRow),
            "wallet_index": BIG,
            "issued_at": TIME,
            "watch_until": TIME,
        },
    ),
    "QuoteRow": (
        "pepay_quote",
        {
            "id": KEY,
            "invoice": to(InvoiceRow),
            "asset": TEXT,
            "decimals": INTEGER,
            "value": TEXT,
            "units": UNITS,
            "rate": TEXT,
            "evidence": TEXT,
            "created_at": TIME,
            "valid_until": TIME,
            "remainder": BOOLEAN,
        },
    ),
    "PaymentRow": (
        "pepay_payment",
        {
            "id": KEY,
            "invoice": to(InvoiceRow),
            "merchant": to(MerchantRow),
            "livemode": BOOLEAN,
            "chain": TEXT,
            "tx": TEXT,
            "position": TEXT,
            "asset": TEXT,
            "address": TEXT,
            "reference": MAYBE_TEXT,
            "units": UNITS,
            "height": BIG,
            "block_hash": TEXT,
            "block_time": TIME,
            "sender": MAYBE_TEXT,
            "decimals": INTEGER,
            "status": TEXT,
            "detected_at": TIME,
            "confirmed_at": MAYBE_TIME,
            "quote": to(QuoteRow, null=True),
            "rate": MAYBE_TEXT,
            "mismatch": MAYBE_TEXT,
            "value": MAYBE_TEXT,
        },
    ),
    "EntryRow": (
        "pepay_entry",
        {
            "seq": SERIAL,
            "posting": ID_TEXT,
            "side": TEXT,
            "merchant": to(MerchantRow),
            "livemode": BOOLEAN,
            "account": TEXT,
            "asset": TEXT,
            "units": UNITS,
            "value": MAYBE_TEXT,
            "currency": TEXT,
            "reason": TEXT,
            "invoice": to(InvoiceRow, null=True),
            "payment": to(PaymentRow, null=True),
            "made_at": TIME,
        },
    ),
    "EventRow": (
        "pepay_event",
        {
            "seq": SERIAL,
            "id": UNIQUE_ID,
            "type": TEXT,
            "merchant": to(MerchantRow),
            "livemode": BOOLEAN,
            "created": TIME,
            "subject": TEXT,
            "body": BYTES,
        },
    ),
    "EndpointRow": (
        "pepay_endpoint",
        {
            "id": KEY,
            "merchant": to(MerchantRow),
            "livemode": BOOLEAN,
            "scheme": TEXT,
            "url": TEXT,
            "events": TEXT,
            "secret": BYTES,
            "created_at": TIME,
            "description": MAYBE_TEXT,
            "previous_secret": MAYBE_BYTES,
            "previous_until": MAYBE_TIME,
            "failing_since": MAYBE_TIME,
            "disabled_at": MAYBE_TIME,
            "disabled_reason": MAYBE_TEXT,
        },
    ),
    "DeliveryRow": (
        "pepay_delivery",
        {
            "id": KEY,
            "event": to(EventRow, cascade=True),
            "event_type": TEXT,
            "endpoint": to(EndpointRow, cascade=True),
            "merchant": to(MerchantRow),
            "state": TEXT,
            "attempts": INTEGER,
            "created_at": TIME,
            "next_at": MAYBE_TIME,
            "leased_until": MAYBE_TIME,
            "delivered_at": MAYBE_TIME,
            "last_status": MAYBE_INTEGER,
            "last_error": MAYBE_TEXT,
        },
    ),
    "AttemptRow": (
        "pepay_attempt",
        {
            "seq": SERIAL,
            "delivery": to(DeliveryRow, cascade=True),
            "number": INTEGER,
            "made_at": TIME,
            "status": MAYBE_INTEGER,
            "error": MAYBE_TEXT,
            "excerpt": TEXT,
            "duration_ms": BIG,
        },
    ),
    "CheckpointRow": (
        "pepay_checkpoint",
        {
            "seq": SERIAL,
            "chain": TEXT,
            "height": BIG,
            "hash": TEXT,
            "time": TIME,
        },
    ),
    "CoverageRow": (
        "pepay_coverage",
        {
            "seq": SERIAL,
            "chain": TEXT,
            "first_block": BIG,
            "last_block": BIG,
            "last_hash": TEXT,
            "covered_until": TIME,
        },
    ),
    "ChainStateRow": (
        "pepay_chain_state",
        {
            "chain": TEXT_KEY,
            "health": TEXT,
            "reason": MAYBE_TEXT,
            "tip": MAYBE_BIG,
            "tip_time": MAYBE_TIME,
            "checked_at": TIME,
        },
    ),
    "RateRow": (
        "pepay_rate",
        {
            "seq": SERIAL,
            "base": TEXT,
            "quote": TEXT,
            "agreed_at": TIME,
            "value": MAYBE_TEXT,
            "reason": MAYBE_TEXT,
            "evidence": TEXT,
        },
    ),
    "IdempotencyRow": (
        "pepay_idempotency",
        {
            "seq": SERIAL,
            "scope": TEXT,
            "key": TEXT,
            "fingerprint": TEXT,
            "claimed_at": TIME,
            "running_until": MAYBE_TIME,
            "status": MAYBE_INTEGER,
            "body": MAYBE_BYTES,
        },
    ),
    "LeaseRow": (
        "pepay_lease",
        {
            "name": TEXT_KEY,
            "holder": TEXT,
            "held_until": TIME,
        },
    ),
    "FactRow": (
        "pepay_fact",
        {
            "name": TEXT_KEY,
            "value": TEXT,
        },
    ),
}


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pepay", description=DESCRIPTION)
    for name, (tablename, columns) in TABLES.items():
        manager.add_table(name, tablename)
        for column, (kind, params) in columns.items():
            manager.add_column(table_class_name=name, tablename=tablename, column_name=column, column_class=kind, params=params)
    return manager
