"""Replays."""

# ruff: noqa: D101, D103 - frozen pictures of tables need no words

from __future__ import annotations

from typing import Any, Final

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns import BigInt, Boolean, ForeignKey, OnDelete, Text, Timestamptz
from piccolo.table import Table

from pepay_core.storage.columns import Id

ID = "2026-11-27T05:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Replays"


class MerchantRow(Table, tablename="pepay_merchant"):
    id = Id(primary_key=True)


class EndpointRow(Table, tablename="pepay_endpoint"):
    id = Id(primary_key=True)


TIME: Final[tuple[type[Any], dict[str, Any]]] = (Timestamptz, {"default": None})

COLUMNS: Final[dict[str, tuple[type[Any], dict[str, Any]]]] = {
    "id": (Id, {"primary_key": True}),
    "endpoint": (ForeignKey, {"references": EndpointRow, "null": False, "on_delete": OnDelete.cascade}),
    "merchant": (ForeignKey, {"references": MerchantRow, "null": False, "on_delete": OnDelete.restrict}),
    "livemode": (Boolean, {}),
    "events": (Text, {}),
    "start_at": TIME,
    "end_at": TIME,
    "total": (BigInt, {}),
    "created_at": TIME,
    "next_at": TIME,
    "reached_at": TIME,
    "reached_event": (Id, {}),
    "queued": (BigInt, {}),
    "state": (Text, {}),
    "reason": (Text, {"default": None, "null": True}),
    "finished_at": (Timestamptz, {"default": None, "null": True}),
}


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pepay", description=DESCRIPTION)
    manager.add_table("ReplayRow", "pepay_replay")
    for column, (kind, params) in COLUMNS.items():
        manager.add_column(table_class_name="ReplayRow", tablename="pepay_replay", column_name=column, column_class=kind, params=params)
    return manager
