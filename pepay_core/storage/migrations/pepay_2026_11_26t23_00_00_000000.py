"""Letters to people."""

# ruff: noqa: D103 - frozen pictures of tables need no words

from __future__ import annotations

from typing import Any, Final

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns import Bytea, Integer, Text, Timestamptz

from pepay_core.storage.columns import Id

ID = "2026-11-26T23:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Letters to people"

_MAYBE: Final = {"default": None, "null": True}

MAIL: Final[dict[str, tuple[type[Any], dict[str, Any]]]] = {
    "id": (Id, {"primary_key": True}),
    "kind": (Text, {}),
    "language": (Text, {}),
    "recipient": (Bytea, {}),
    "contents": (Bytea, {}),
    "created_at": (Timestamptz, {"default": None}),
    "until": (Timestamptz, {"default": None}),
    "next_at": (Timestamptz, _MAYBE),
    "state": (Text, {}),
    "attempts": (Integer, {}),
    "sent_at": (Timestamptz, _MAYBE),
    "last_error": (Text, _MAYBE),
}


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pepay", description=DESCRIPTION)
    manager.add_table("MailRow", "pepay_mail")
    for column, (kind, params) in MAIL.items():
        manager.add_column(table_class_name="MailRow", tablename="pepay_mail", column_name=column, column_class=kind, params=params)
    return manager
