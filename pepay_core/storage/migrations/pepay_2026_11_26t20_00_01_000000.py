"""The indexes of users, members and sessions."""

# ruff: noqa: D103 - a frozen picture needs no words

from __future__ import annotations

from typing import Final

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-26T20:00:01:000000"
VERSION = "1.38.0"
DESCRIPTION = "The indexes of users, members and sessions"

INDEXES: Final = (
    "CREATE UNIQUE INDEX pepay_member_once ON pepay_member (merchant, user_id)",
    "CREATE INDEX pepay_member_by_user ON pepay_member (user_id)",
    "CREATE INDEX pepay_session_by_user ON pepay_session (user_id, id)",
    "CREATE INDEX pepay_session_age ON pepay_session (expires_at)",
    "CREATE INDEX pepay_passkey_by_user ON pepay_passkey (user_id, id)",
    "CREATE UNIQUE INDEX pepay_recovery_code_once ON pepay_recovery_code (user_id, digest)",
    "CREATE INDEX pepay_invitation_by_merchant ON pepay_invitation (merchant, id)",
    "CREATE INDEX pepay_letter_by_user ON pepay_letter (user_id)",
    "CREATE INDEX pepay_try_age ON pepay_try (tried_at)",
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
