"""Who looked at which blocks and how fast, and what lay where on the last cold pass."""

# ruff: noqa: D103 - frozen pictures of tables need no words

from __future__ import annotations

from typing import Any, Final

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns import BigInt, BigSerial, Integer, Text

from pepay_core.storage.columns import BaseUnits

ID = "2026-11-26T11:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Who looked at which blocks and how fast, and what lay where on the last cold pass"

_Column = tuple[type[Any], dict[str, Any]]

ADDED: Final[dict[tuple[str, str], dict[str, _Column]]] = {
    ("CoverageRow", "pepay_coverage"): {"source": (Text, {})},
    ("ChainStateRow", "pepay_chain_state"): {"pace": (Integer, {"default": None, "null": True})},
}

COLD_BALANCE: Final[dict[str, _Column]] = {
    "seq": (BigSerial, {"primary_key": True}),
    "chain": (Text, {}),
    "address": (Text, {}),
    "reference": (Text, {}),
    "asset": (Text, {}),
    "units": (BaseUnits, {}),
    "height": (BigInt, {}),
}


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pepay", description=DESCRIPTION)
    for (name, tablename), columns in ADDED.items():
        for column, (kind, params) in columns.items():
            manager.add_column(table_class_name=name, tablename=tablename, column_name=column, column_class=kind, params=params)
    manager.add_table("ColdBalanceRow", "pepay_cold_balance")
    for column, (kind, params) in COLD_BALANCE.items():
        manager.add_column(table_class_name="ColdBalanceRow", tablename="pepay_cold_balance", column_name=column, column_class=kind, params=params)
    return manager
