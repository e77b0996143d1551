"""Consents to give a shop a key."""

# ruff: noqa: D101, D103 - frozen pictures of tables need no words

from __future__ import annotations

from typing import Any, Final

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns import Boolean, ForeignKey, Integer, OnDelete, Text, Timestamptz
from piccolo.table import Table

from pepay_core.storage.columns import Id

ID = "2026-11-26T23:02:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Consents to give a shop a key"


class MerchantRow(Table, tablename="pepay_merchant"):
    id = Id(primary_key=True)


class UserRow(Table, tablename="pepay_user"):
    id = Id(primary_key=True)


GRANT: Final[dict[str, tuple[type[Any], dict[str, Any]]]] = {
    "digest": (Text, {"primary_key": True}),
    "merchant": (ForeignKey, {"references": MerchantRow, "on_delete": OnDelete.cascade, "null": False}),
    "user_id": (ForeignKey, {"references": UserRow, "on_delete": OnDelete.cascade, "null": False}),
    "livemode": (Boolean, {}),
    "name": (Text, {}),
    "scopes": (Text, {}),
    "origin": (Text, {}),
    "challenge": (Text, {}),
    "lifetime": (Integer, {}),
    "created_at": (Timestamptz, {"default": None}),
    "expires_at": (Timestamptz, {"default": None}),
}


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pepay", description=DESCRIPTION)
    manager.add_table("GrantRow", "pepay_grant")
    for column, (kind, params) in GRANT.items():
        manager.add_column(table_class_name="GrantRow", tablename="pepay_grant", column_name=column, column_class=kind, params=params)
    return manager
