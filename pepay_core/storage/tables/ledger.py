"""The double-entry ledger."""

from __future__ import annotations

from piccolo.columns import BigSerial, Boolean
from piccolo.table import Table

from pepay_core.storage.columns import BaseUnits, Id
from pepay_core.storage.routing import ENGINE
from pepay_core.storage.tables.invoices import InvoiceRow, PaymentRow
from pepay_core.storage.tables.merchants import MerchantRow
from pepay_core.storage.tables.shapes import maybe_text, maybe_to, text, time, to


class EntryRow(Table, tablename="pepay_entry", db=ENGINE):
    """One side of a posting."""

    seq = BigSerial(primary_key=True)
    posting = Id()
    # "in" or "out": the sign of the units.
    side = text()
    merchant = to(MerchantRow)
    livemode = Boolean()
    account = text()
    asset = text()
    units = BaseUnits()
    value = maybe_text()
    currency = text()
    reason = text()
    invoice = maybe_to(InvoiceRow)
    payment = maybe_to(PaymentRow)
    made_at = time()
