"""The indexes of sweeps, and of destinations by wallet and address."""

# ruff: noqa: D103 - a frozen picture needs no words

from __future__ import annotations

from typing import Final

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-26T10:00:01:000000"
VERSION = "1.38.0"
DESCRIPTION = "The indexes of sweeps, and of destinations by wallet and address"

INDEXES: Final = (
    "CREATE INDEX pepay_destination_by_wallet ON pepay_destination (wallet)",
    "CREATE INDEX pepay_destination_by_address ON pepay_destination (address)",
    "CREATE UNIQUE INDEX pepay_sweep_departure ON pepay_sweep (chain, tx, position, asset)",
    "CREATE INDEX pepay_sweep_by_tx ON pepay_sweep (tx)",
    "CREATE INDEX pepay_sweep_by_wallet ON pepay_sweep (wallet, asset) WHERE active",
    "CREATE INDEX pepay_sweep_active ON pepay_sweep (chain, height) WHERE active",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pepay", description=DESCRIPTION)

    async def run() -> None:
        engine = engine_finder()
        assert engine is not None
        for statement in INDEXES:
            await engine.run_ddl(statement)

    manager.add_raw(run)
    return manager
