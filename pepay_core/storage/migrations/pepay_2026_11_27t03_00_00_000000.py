"""What buyers may do by themselves, and what is to go back to them."""

# ruff: noqa: D101, D103 - frozen pictures of tables need no words

from __future__ import annotations

from typing import Any, Final

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns import Boolean, ForeignKey, Integer, OnDelete, Text, Timestamptz
from piccolo.table import Table

from pepay_core.storage.columns import BaseUnits, Id

ID = "2026-11-27T03:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "What buyers may do by themselves, and what is to go back to them"


class MerchantRow(Table, tablename="pepay_merchant"):
    id = Id(primary_key=True)


class InvoiceRow(Table, tablename="pepay_invoice"):
    id = Id(primary_key=True)


def to(table: type[Table]) -> tuple[type[ForeignKey[Any]], dict[str, Any]]:
    return (ForeignKey, {"references": table, "null": False, "on_delete": OnDelete.restrict})


COLUMNS: Final[dict[str, tuple[type[Any], dict[str, Any]]]] = {
    "id": (Id, {"primary_key": True}),
    "invoice": to(InvoiceRow),
    "merchant": to(MerchantRow),
    "livemode": (Boolean, {}),
    "reason": (Text, {}),
    "asset": (Text, {}),
    "decimals": (Integer, {}),
    "units": (BaseUnits, {}),
    "address": (Text, {}),
    "status": (Text, {}),
    "created_at": (Timestamptz, {"default": None}),
    "decided_at": (Timestamptz, {"default": None, "null": True}),
    "completed_at": (Timestamptz, {"default": None, "null": True}),
    "tx": (Text, {"default": None, "null": True}),
    "message": (Text, {"default": None, "null": True}),
}


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pepay", description=DESCRIPTION)
    manager.add_column(table_class_name="MerchantRow", tablename="pepay_merchant", column_name="self_service", column_class=Text, params={})
    manager.add_table("RefundRow", "pepay_refund")
    for column, (kind, params) in COLUMNS.items():
        manager.add_column(table_class_name="RefundRow", tablename="pepay_refund", column_name=column, column_class=kind, params=params)
    return manager
