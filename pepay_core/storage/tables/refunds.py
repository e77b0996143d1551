"""What is to go back to buyers."""

from __future__ import annotations

from piccolo.columns import Boolean, Integer
from piccolo.table import Table

from pepay_core.storage.columns import BaseUnits
from pepay_core.storage.routing import ENGINE
from pepay_core.storage.tables.invoices import InvoiceRow
from pepay_core.storage.tables.merchants import MerchantRow
from pepay_core.storage.tables.shapes import key, maybe_text, maybe_time, text, time, to


class RefundRow(Table, tablename="pepay_refund", db=ENGINE):
    """Money that somebody asked back."""

    id = key()
    invoice = to(InvoiceRow)
    merchant = to(MerchantRow)
    livemode = Boolean()
    reason = text()
    asset = text()
    decimals = Integer()
    units = BaseUnits()
    address = text()
    status = text()
    created_at = time()
    decided_at = maybe_time()
    completed_at = maybe_time()
    tx = maybe_text()
    message = maybe_text()
