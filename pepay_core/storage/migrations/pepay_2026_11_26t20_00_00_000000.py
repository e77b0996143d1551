"""Users, members, sessions, and what they sign in with."""

# ruff: noqa: D101, D103 - frozen pictures of tables need no words

from __future__ import annotations

from typing import Any, Final

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns import BigInt, BigSerial, Boolean, Bytea, ForeignKey, Integer, OnDelete, Text, Timestamptz
from piccolo.table import Table

from pepay_core.storage.columns import Id

ID = "2026-11-26T20:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Users, members, sessions, and what they sign in with"

_Column = tuple[type[Any], dict[str, Any]]
_MAYBE: Final = {"default": None, "null": True}

KEY: Final[_Column] = (Id, {"primary_key": True})
TEXT_KEY: Final[_Column] = (Text, {"primary_key": True})
SERIAL: Final[_Column] = (BigSerial, {"primary_key": True})
UNIQUE_ID: Final[_Column] = (Id, {"unique": True})
TEXT: Final[_Column] = (Text, {})
UNIQUE_TEXT: Final[_Column] = (Text, {"unique": True})
MAYBE_TEXT: Final[_Column] = (Text, _MAYBE)
TIME: Final[_Column] = (Timestamptz, {"default": None})
MAYBE_TIME: Final[_Column] = (Timestamptz, _MAYBE)
BOOLEAN: Final[_Column] = (Boolean, {})
INTEGER: Final[_Column] = (Integer, {})
BIG: Final[_Column] = (BigInt, {})
BYTES: Final[_Column] = (Bytea, {})
UNIQUE_BYTES: Final[_Column] = (Bytea, {"unique": True})
MAYBE_BYTES: Final[_Column] = (Bytea, _MAYBE)


class MerchantRow(Table, tablename="pepay_merchant"):
    id = Id(primary_key=True)


class UserRow(Table, tablename="pepay_user"):
    id = Id(primary_key=True)


def to(table: type[Table], on_delete: OnDelete, *, null: bool = False) -> _Column:
    return ForeignKey, {"references": table, "on_delete": on_delete, "null": null}


TO_USER: Final = to(UserRow, OnDelete.cascade)

TABLES: Final[dict[str, tuple[str, dict[str, _Column]]]] = {
    "UserRow": (
        "pepay_user",
        {
            "id": KEY,
            "name": TEXT,
            "email": BYTES,
            "email_digest": UNIQUE_TEXT,
            "password": BYTES,
            "created_at": TIME,
            "is_admin": BOOLEAN,
            "epoch": INTEGER,
            "suspended_at": MAYBE_TIME,
            "totp": MAYBE_BYTES,
            "totp_since": MAYBE_TIME,
            "totp_step": BIG,
        },
    ),
    "MemberRow": (
        "pepay_member",
        {"seq": SERIAL, "merchant": to(MerchantRow, OnDelete.restrict), "user_id": TO_USER, "role": TEXT, "created_at": TIME},
    ),
    "SessionRow": (
        "pepay_session",
        {
            "digest": TEXT_KEY,
            "id": UNIQUE_ID,
            "user_id": TO_USER,
            "epoch": INTEGER,
            "level": TEXT,
            "created_at": TIME,
            "seen_at": TIME,
            "expires_at": TIME,
            "authenticated_at": TIME,
            "address": MAYBE_TEXT,
            "agent": MAYBE_TEXT,
            "challenge": MAYBE_BYTES,
            "challenge_until": MAYBE_TIME,
        },
    ),
    "PasskeyRow": (
        "pepay_passkey",
        {
            "id": KEY,
            "user_id": TO_USER,
            "name": TEXT,
            "credential": UNIQUE_BYTES,
            "public_key": BYTES,
            "signatures": BIG,
            "created_at": TIME,
            "last_used_at": MAYBE_TIME,
        },
    ),
    "RecoveryCodeRow": ("pepay_recovery_code", {"seq": SERIAL, "user_id": TO_USER, "digest": TEXT}),
    "InvitationRow": (
        "pepay_invitation",
        {
            "id": KEY,
            "digest": UNIQUE_TEXT,
            "email": BYTES,
            "email_digest": TEXT,
            "created_at": TIME,
            "expires_at": TIME,
            "invited_by": TEXT,
            "merchant": to(MerchantRow, OnDelete.restrict, null=True),
            "role": MAYBE_TEXT,
            "is_admin": BOOLEAN,
        },
    ),
    "LetterRow": (
        "pepay_letter",
        {
            "digest": TEXT_KEY,
            "user_id": TO_USER,
            "errand": TEXT,
            "created_at": TIME,
            "expires_at": TIME,
            "email": MAYBE_BYTES,
            "email_digest": MAYBE_TEXT,
        },
    ),
    "TryRow": ("pepay_try", {"name": TEXT_KEY, "failures": INTEGER, "tried_at": TIME, "not_before": TIME}),
}


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pepay", description=DESCRIPTION)
    for name, (tablename, columns) in TABLES.items():
        manager.add_table(name, tablename)
        for column, (kind, params) in columns.items():
            manager.add_column(table_class_name=name, tablename=tablename, column_name=column, column_class=kind, params=params)
    manager.add_column(
        table_class_name="MerchantRow", tablename="pepay_merchant", column_name="suspended_at", column_class=Timestamptz, params=MAYBE_TIME[1]
    )
    return manager
