"""The audit log."""

from __future__ import annotations

from piccolo.columns import BigInt, Bytea, Text
from piccolo.table import Table

from pepay_core.storage.columns import Id
from pepay_core.storage.routing import ENGINE
from pepay_core.storage.tables.shapes import maybe_text, text


class AuditRow(Table, tablename="pepay_audit", db=ENGINE):
    """Something that was done. It refers to nothing: it outlasts what it speaks of.

    Time and environment are not of the usual types: of those, SQLite reads many values as one, and each is covered by ``mac``.
    """

    seq = BigInt(primary_key=True)
    id = Id(unique=True)
    at = BigInt()
    actor_kind = text()
    actor = text()
    merchant = maybe_text()
    environment = maybe_text()
    action = text()
    subject = text()
    details = Bytea()
    mac = Bytea()


class AuditHeadRow(Table, tablename="pepay_audit_head", db=ENGINE):
    """The end of the log, sealed: without it nobody would miss the last entries. One row, at which writers wait for each other."""

    name = Text(primary_key=True)
    sealed = Bytea(default=None, null=True)
