"""What the installation keeps for itself."""

from __future__ import annotations

from piccolo.columns import BigSerial, Bytea, Integer, Text
from piccolo.table import Table

from pepay_core.storage.routing import ENGINE
from pepay_core.storage.tables.shapes import maybe_time, text, time


class IdempotencyRow(Table, tablename="pepay_idempotency", db=ENGINE):
    """A request by its idempotency key."""

    seq = BigSerial(primary_key=True)
    scope = text()
    key = text()
    fingerprint = text()
    claimed_at = time()
    # None once the answer is stored.
    running_until = maybe_time()
    status = Integer(default=None, null=True)
    body = Bytea(default=None, null=True)


class LeaseRow(Table, tablename="pepay_lease", db=ENGINE):
    """Who does what only one may do."""

    name = Text(primary_key=True)
    holder = text()
    held_until = time()


class FactRow(Table, tablename="pepay_fact", db=ENGINE):
    """Something that the installation knows of itself."""

    name = Text(primary_key=True)
    value = text()


class KeyringRow(Table, tablename="pepay_keyring", db=ENGINE):
    """A key that is sealed with a master key: the root of all keyed hashes, or a master key that was replaced."""

    name = Text(primary_key=True)
    sealed = Bytea()
