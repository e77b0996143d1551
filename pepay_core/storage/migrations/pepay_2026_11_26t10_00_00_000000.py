"""What goes on from deposits to their merchants."""

# ruff: noqa: D101, D103 - frozen pictures of tables need no words

from __future__ import annotations

from typing import Any, Final

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns import BigInt, BigSerial, Boolean, ForeignKey, OnDelete, Text, Timestamptz
from piccolo.table import Table

from pepay_core.storage.columns import BaseUnits, Id

ID = "2026-11-26T10:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "What goes on from deposits to their merchants"


class MerchantRow(Table, tablename="pepay_merchant"):
    id = Id(primary_key=True)


class WalletRow(Table, tablename="pepay_wallet"):
    id = Id(primary_key=True)


class InvoiceRow(Table, tablename="pepay_invoice"):
    id = Id(primary_key=True)


def to(table: type[Table]) -> tuple[type[ForeignKey[Any]], dict[str, Any]]:
    return (ForeignKey, {"references": table, "null": False, "on_delete": OnDelete.restrict})


COLUMNS: Final[dict[str, tuple[type[Any], dict[str, Any]]]] = {
    "seq": (BigSerial, {"primary_key": True}),
    "chain": (Text, {}),
    "tx": (Text, {}),
    "position": (Text, {}),
    "asset": (Text, {}),
    "address": (Text, {}),
    "reference": (Text, {"default": None, "null": True}),
    "recipient": (Text, {}),
    "units": (BaseUnits, {}),
    "height": (BigInt, {}),
    "block_hash": (Text, {}),
    "block_time": (Timestamptz, {"default": None}),
    "invoice": to(InvoiceRow),
    "merchant": to(MerchantRow),
    "livemode": (Boolean, {}),
    "wallet": to(WalletRow),
    "seen_at": (Timestamptz, {"default": None}),
    "active": (Boolean, {}),
}


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pepay", description=DESCRIPTION)
    manager.add_table("SweepRow", "pepay_sweep")
    for column, (kind, params) in COLUMNS.items():
        manager.add_column(table_class_name="SweepRow", tablename="pepay_sweep", column_name=column, column_class=kind, params=params)
    return manager
