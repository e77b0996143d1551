"""The keyring, and a sealed place for what is known of customers."""

# ruff: noqa: D103 - frozen pictures of tables need no words

from __future__ import annotations

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns import Bytea, Text

ID = "2026-11-26T22:10:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "The keyring, and a sealed place for what is known of customers"


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pepay", description=DESCRIPTION)
    manager.add_table("KeyringRow", "pepay_keyring")
    for column, kind, params in (("name", Text, {"primary_key": True}), ("sealed", Bytea, {})):
        manager.add_column(table_class_name="KeyringRow", tablename="pepay_keyring", column_name=column, column_class=kind, params=params)
    manager.add_column(
        table_class_name="InvoiceRow",
        tablename="pepay_invoice",
        column_name="customer",
        column_class=Bytea,
        params={"default": None, "null": True},
    )
    return manager
