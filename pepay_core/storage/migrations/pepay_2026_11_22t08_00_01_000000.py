"""The first indexes, and the order of events on PostgreSQL."""

# ruff: noqa: D103 - frozen pictures of tables need no words

from __future__ import annotations

from typing import Final

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-22T08:00:01:000000"
VERSION = "1.38.0"
DESCRIPTION = "The first indexes, and the order of events on PostgreSQL"

INDEXES: Final = (
    "CREATE INDEX pepay_key_by_merchant ON pepay_key (merchant, livemode, id)",
    "CREATE UNIQUE INDEX pepay_wallet_material ON pepay_wallet (livemode, family, digest)",
    "CREATE INDEX pepay_wallet_by_merchant ON pepay_wallet (merchant, livemode, id)",
    "CREATE INDEX pepay_invoice_by_merchant ON pepay_invoice (merchant, livemode, id)",
    "CREATE INDEX pepay_invoice_by_status ON pepay_invoice (merchant, livemode, status, id)",
    "CREATE INDEX pepay_invoice_by_customer ON pepay_invoice (merchant, livemode, customer_id, id) WHERE customer_id IS NOT NULL",
    "CREATE INDEX pepay_invoice_open ON pepay_invoice (id, expires_at) WHERE closed_at IS NULL",
    "CREATE UNIQUE INDEX pepay_destination_address ON pepay_destination (livemode, family, address, reference)",
    "CREATE INDEX pepay_destination_by_invoice ON pepay_destination (invoice)",
    "CREATE INDEX pepay_destination_watched ON pepay_destination (family, watch_until)",
    "CREATE INDEX pepay_quote_by_invoice ON pepay_quote (invoice)",
    "CREATE UNIQUE INDEX pepay_payment_transfer ON pepay_payment (chain, tx, position, asset)",
    "CREATE INDEX pepay_payment_by_invoice ON pepay_payment (invoice)",
    "CREATE INDEX pepay_payment_by_merchant ON pepay_payment (merchant, livemode, id)",
    "CREATE INDEX pepay_payment_by_tx ON pepay_payment (tx)",
    "CREATE INDEX pepay_payment_active ON pepay_payment (chain, height) WHERE status <> 'reverted'",
    "CREATE INDEX pepay_payment_confirming ON pepay_payment (chain, id) WHERE status = 'confirming'",
    "CREATE INDEX pepay_payment_without_value ON pepay_payment (id) WHERE rate IS NULL AND quote IS NULL AND status <> 'reverted'",
    "CREATE UNIQUE INDEX pepay_entry_sides ON pepay_entry (posting, side)",
    "CREATE INDEX pepay_entry_by_merchant ON pepay_entry (merchant, livemode, posting, side)",
    "CREATE INDEX pepay_entry_by_invoice ON pepay_entry (invoice, posting, side) WHERE invoice IS NOT NULL",
    "CREATE INDEX pepay_event_by_time ON pepay_event (merchant, livemode, created)",
    "CREATE INDEX pepay_endpoint_by_merchant ON pepay_endpoint (merchant, livemode, id)",
    "CREATE INDEX pepay_delivery_due ON pepay_delivery (next_at, id) WHERE state = 'pending'",
    "CREATE INDEX pepay_delivery_by_endpoint ON pepay_delivery (endpoint, id)",
    "CREATE INDEX pepay_delivery_by_event ON pepay_delivery (event)",
    "CREATE INDEX pepay_attempt_by_delivery ON pepay_attempt (delivery, seq)",
    "CREATE UNIQUE INDEX pepay_checkpoint_height ON pepay_checkpoint (chain, height)",
    "CREATE UNIQUE INDEX pepay_coverage_range ON pepay_coverage (chain, first_block)",
    "CREATE INDEX pepay_rate_history ON pepay_rate (base, quote, agreed_at)",
    "CREATE UNIQUE INDEX pepay_idempotency_key ON pepay_idempotency (scope, key)",
    "CREATE INDEX pepay_idempotency_age ON pepay_idempotency (claimed_at)",
)

SQLITE: Final = ("CREATE INDEX pepay_event_order ON pepay_event (merchant, livemode, seq)",)

POSTGRES: Final = (
    # The transaction that wrote the event: readers stop before the oldest one that is still open.
    "ALTER TABLE pepay_event ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id()",
    "CREATE INDEX pepay_event_order ON pepay_event (merchant, livemode, xid, seq)",
    "CREATE INDEX pepay_event_xid ON pepay_event (xid)",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pepay", description=DESCRIPTION)

    async def run() -> None:
        engine = engine_finder()
        assert engine is not None
        for statement in (*INDEXES, *(POSTGRES if engine.engine_type == "postgres" else SQLITE)):
            await engine.run_ddl(statement)

    manager.add_raw(run)
    return manager
