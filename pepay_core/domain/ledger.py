"""The ledger: double entry, append-only, per merchant and asset."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from decimal import Decimal

    from pepay_core.domain.assets import AssetId
    from pepay_core.domain.ids import InvoiceId, MerchantId, PaymentId


class Account(StrEnum):
    """Where value is."""

    BUYER = "buyer"
    RECEIVABLE = "receivable"
    WALLET = "wallet"
    TREASURY = "treasury"
    """The merchant's own account, to which deposits are swept."""


class Reason(StrEnum):
    """Why value moved."""

    DETECTED = "detected"
    FINAL = "final"
    REVERTED = "reverted"
    SWEPT = "swept"
    UNSWEPT = "unswept"
    """A sweep left the chain."""


@dataclass(frozen=True, slots=True)
class Posting:
    """A movement of ``units`` base units from one account to another, with its value at that moment where it is known.

    Storage writes it as two entries, a credit and a debit, so that every transaction sums to zero by construction.
    """

    id: str
    merchant: MerchantId
    livemode: bool
    asset: AssetId
    source: Account
    target: Account
    units: int
    value: Decimal | None
    currency: str
    reason: Reason
    invoice: InvoiceId | None
    payment: PaymentId | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One side of a posting as it is stored; ``units`` is positive where value came in, negative where it went out."""

    posting: str
    merchant: MerchantId
    account: Account
    asset: AssetId
    units: int
    value: Decimal | None
    currency: str
    reason: Reason
    invoice: InvoiceId | None
    payment: PaymentId | None
    at: datetime


def balances(entries: Iterable[Entry]) -> dict[tuple[MerchantId, Account, AssetId], int]:
    """Return the balance of every account in base units."""
    totals: dict[tuple[MerchantId, Account, AssetId], int] = {}
    for entry in entries:
        key = (entry.merchant, entry.account, entry.asset)
        totals[key] = totals.get(key, 0) + entry.units
    return totals
