"""Consents to give a shop a key."""

from __future__ import annotations

from piccolo.columns import Boolean, Integer, OnDelete, Text
from piccolo.table import Table

from pepay_core.storage.routing import ENGINE
from pepay_core.storage.tables.merchants import MerchantRow
from pepay_core.storage.tables.people import UserRow
from pepay_core.storage.tables.shapes import text, time, to


class GrantRow(Table, tablename="pepay_grant", db=ENGINE):
    """A member's consent, by the digest of the code that the shop was given; it goes when the code is used."""

    digest = Text(primary_key=True)
    merchant = to(MerchantRow, OnDelete.cascade)
    user_id = to(UserRow, OnDelete.cascade)
    livemode = Boolean()
    name = text()
    scopes = text()
    origin = text()
    challenge = text()
    lifetime = Integer()
    created_at = time()
    expires_at = time()
