"""Merchants, their keys and their receiving material."""

from __future__ import annotations

from piccolo.columns import BigInt, Boolean, Bytea, Integer
from piccolo.table import Table

from pepay_core.storage.routing import ENGINE
from pepay_core.storage.tables.shapes import key, maybe_text, maybe_time, text, time, to


class MerchantRow(Table, tablename="pepay_merchant", db=ENGINE):
    """A tenant."""

    id = key()
    name = text()
    created_at = time()
    currency = text()
    tokens = maybe_text()
    settlement_asset = maybe_text()
    tolerance_percent = text()
    tolerance_amount = text()
    late_policy = text()
    finality = text()
    branding = text()
    embed_origins = text()
    self_service = text()
    suspended_at = maybe_time()


class KeyRow(Table, tablename="pepay_key", db=ENGINE):
    """An API key, without its secret."""

    id = key()
    merchant = to(MerchantRow)
    livemode = Boolean()
    name = text()
    scopes = text()
    digest = Bytea()
    created_at = time()
    expires_at = maybe_time()
    revoked_at = maybe_time()
    last_used_at = maybe_time()
    allowed_ips = text()
    writes_per_minute = Integer(default=None, null=True)
    not_before = maybe_time()
    made_by = maybe_text()


class WalletRow(Table, tablename="pepay_wallet", db=ENGINE):
    """Receiving material; ``digest`` is what makes it unique."""

    id = key()
    merchant = to(MerchantRow)
    livemode = Boolean()
    family = text()
    kind = text()
    # In clear, as it was stored once. What is written now goes into `material`, sealed.
    value = text()
    digest = text()
    label = maybe_text()
    created_at = time()
    archived_at = maybe_time()
    next_index = BigInt()
    material = Bytea(default=None, null=True)
