"""What is owed, where it may be paid, and what was paid."""

from __future__ import annotations

from piccolo.columns import BigInt, BigSerial, Boolean, Bytea, Integer
from piccolo.table import Table

from pepay_core.storage.columns import BaseUnits
from pepay_core.storage.routing import ENGINE
from pepay_core.storage.tables.merchants import MerchantRow, WalletRow
from pepay_core.storage.tables.shapes import key, maybe_text, maybe_time, maybe_to, text, time, to


class InvoiceRow(Table, tablename="pepay_invoice", db=ENGINE):
    """An invoice with its last assessment."""

    id = key()
    merchant = to(MerchantRow)
    livemode = Boolean()
    version = BigInt()
    amount = text()
    currency = text()
    decimals = Integer()
    expires_at = time()
    tolerance_percent = text()
    tolerance_amount = text()
    late_policy = text()
    tokens = maybe_text()
    status = text()
    timing = text()
    resolution = text()
    fulfil = Boolean()
    amount_paid = text()
    amount_remaining = text()
    amount_overpaid = text()
    created_at = time()
    paid_at = maybe_time()
    closed_at = maybe_time()
    decisions = text()
    settlement_asset = maybe_text()
    description = maybe_text()
    customer_id = maybe_text()
    # In clear, as it was stored once. What is written now goes into `customer`, sealed.
    customer_email = maybe_text()
    metadata = text()
    return_url = maybe_text()
    title = maybe_text()
    footer = maybe_text()
    line_items = text()
    customer = Bytea(default=None, null=True)


class DestinationRow(Table, tablename="pepay_destination", db=ENGINE):
    """A destination that was given to a buyer. On PostgreSQL there is ``xid`` too, the issuing transaction, which only SQL in payments.py knows."""

    seq = BigSerial(primary_key=True)
    invoice = to(InvoiceRow)
    merchant = to(MerchantRow)
    livemode = Boolean()
    family = text()
    address = text()
    # Empty where there is none: NULLs would all be different to the unique index.
    reference = text()
    wallet = to(WalletRow)
    wallet_index = BigInt()
    issued_at = time()
    watch_until = time()


class QuoteRow(Table, tablename="pepay_quote", db=ENGINE):
    """A locked price."""

    id = key()
    invoice = to(InvoiceRow)
    asset = text()
    decimals = Integer()
    value = text()
    units = BaseUnits()
    rate = text()
    evidence = text()
    created_at = time()
    valid_until = time()
    remainder = Boolean()


class PaymentRow(Table, tablename="pepay_payment", db=ENGINE):
    """A transfer that was attributed to an invoice."""

    id = key()
    invoice = to(InvoiceRow)
    merchant = to(MerchantRow)
    livemode = Boolean()
    chain = text()
    tx = text()
    position = text()
    asset = text()
    address = text()
    reference = maybe_text()
    units = BaseUnits()
    height = BigInt()
    block_hash = text()
    block_time = time()
    sender = maybe_text()
    decimals = Integer()
    status = text()
    detected_at = time()
    confirmed_at = maybe_time()
    quote = maybe_to(QuoteRow)
    rate = maybe_text()
    mismatch = maybe_text()
    value = maybe_text()


class SweepRow(Table, tablename="pepay_sweep", db=ENGINE):
    """What went on from a destination to the merchant; not active once its block left the chain."""

    seq = BigSerial(primary_key=True)
    chain = text()
    tx = text()
    position = text()
    asset = text()
    address = text()
    reference = maybe_text()
    recipient = text()
    units = BaseUnits()
    height = BigInt()
    block_hash = text()
    block_time = time()
    invoice = to(InvoiceRow)
    merchant = to(MerchantRow)
    livemode = Boolean()
    wallet = to(WalletRow)
    seen_at = time()
    active = Boolean()
