"""What services need of storage for invoices: what is to be paid, what was, and the books."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from pepay_core.domain.assets import ChainId
    from pepay_core.domain.coverage import Issued, IssuedDestination
    from pepay_core.domain.ids import InvoiceId, MerchantId, PaymentId, RefundId, WalletId
    from pepay_core.domain.invoices import Invoice
    from pepay_core.domain.ledger import Entry, Posting
    from pepay_core.domain.payments import Payment, Quote
    from pepay_core.domain.refunds import Refund
    from pepay_core.services.paging import Page, Slice
    from pepay_core.services.records import TransferKey


class Invoices(Protocol):
    """Invoices with their last assessment."""

    async def add(self, invoice: Invoice) -> None: ...
    async def get(self, merchant: MerchantId, invoice: InvoiceId, *, livemode: bool, lock: bool = False) -> Invoice: ...
    async def find(self, invoice: InvoiceId, *, lock: bool = False) -> Invoice | None: ...
    async def save(self, invoice: Invoice) -> None:
        """Store a new version; raises Conflict unless the stored one is ``version - 1``."""
        ...

    async def page(self, merchant: MerchantId, *, livemode: bool, page: Page, where: Mapping[str, Any]) -> Slice[Invoice]:
        """Return invoices, newest first; ``where``: status, customer_id, fulfil, resolution, created_from, created_to (all optional)."""
        ...

    async def totals(self, merchant: MerchantId, *, livemode: bool, where: Mapping[str, Any]) -> dict[tuple[str, str], tuple[int, str, str]]:
        """Return ``(status, currency) -> (count, sum of amounts, sum paid)``, the sums as exact decimal texts."""
        ...

    async def versions(self, invoices: Collection[InvoiceId]) -> dict[InvoiceId, int]:
        """Return the versions of those of the invoices that there are."""
        ...

    async def still_open(self, invoices: Collection[InvoiceId]) -> set[InvoiceId]:
        """Return those of the invoices that are not closed."""
        ...

    async def past_deadline(self, now: datetime, limit: int, *, after: InvoiceId | None = None) -> list[Invoice]:
        """Return invoices that are not closed and whose deadline is before ``now`` by the wall clock, by id, those above ``after``."""
        ...


class Destinations(Protocol):
    """Issued destinations: unique by environment, family, address and reference."""

    async def add(self, issued: IssuedDestination) -> None: ...
    async def of(self, invoices: Collection[InvoiceId]) -> list[IssuedDestination]: ...
    async def watched(self, family: str, *, live: bool, now: datetime, since: int | None = None) -> Issued:
        """Return what a chain of this family must watch; a live chain watches the test environment's addresses too.

        With the mark of an earlier answer, only what was committed after that answer, and perhaps some of what was in it: whatever is
        committed is in one of the two, in whichever order transactions commit.
        """
        ...

    async def at(self, family: str, *, live: bool, places: Collection[str]) -> list[IssuedDestination]:
        """Return what was ever issued, for a chain of this family, with one of these addresses or references."""
        ...

    async def ever(
        self, family: str, *, live: bool, after: int, limit: int, cold: tuple[datetime, datetime] | None = None
    ) -> tuple[list[IssuedDestination], int]:
        """Return the next of what was ever issued, for a chain of this family, and where to go on; nothing when it is at its end.

        ``cold`` leaves only those of closed invoices whose watch ends within a period.
        """
        ...

    async def from_wallets(self, wallets: Collection[WalletId]) -> list[IssuedDestination]:
        """Return everything that was issued from these wallets."""
        ...


class Quotes(Protocol):
    """Locked prices."""

    async def add(self, quote: Quote) -> None: ...
    async def of(self, invoices: Collection[InvoiceId]) -> list[Quote]: ...


class Payments(Protocol):
    """Attributed transfers: unique by chain, transaction, index and asset."""

    async def add(self, payment: Payment) -> bool:
        """Store it unless its transfer is known; tell whether it was new."""
        ...

    async def known(self, keys: Collection[TransferKey]) -> dict[TransferKey, Payment]: ...
    async def of(self, invoices: Collection[InvoiceId]) -> list[Payment]: ...
    async def get(self, merchant: MerchantId, payment: PaymentId, *, livemode: bool) -> Payment: ...
    async def save(self, payment: Payment) -> None: ...
    async def above(self, chain: ChainId, height: int) -> list[Payment]:
        """Return the active payments in blocks above a height."""
        ...

    async def made_by(self, chain: ChainId, transaction: str) -> list[Payment]:
        """Return the payments of a transaction, reverted ones too."""
        ...

    async def within(self, chain: ChainId, first: int, last: int) -> list[Payment]:
        """Return the active payments in blocks ``first`` to ``last``."""
        ...

    async def confirming(self, chain: ChainId) -> list[Payment]: ...
    async def without_value(self, limit: int) -> list[Payment]:
        """Return active payments that had no rate when they were detected."""
        ...

    async def page(self, merchant: MerchantId, *, livemode: bool, page: Page, where: Mapping[str, Any]) -> Slice[Payment]:
        """Return payments, newest first; ``where``: invoice, status, asset, transaction, created_from, created_to (all optional)."""
        ...


class Refunds(Protocol):
    """Money that buyers asked back."""

    async def add(self, refund: Refund) -> None: ...
    async def get(self, merchant: MerchantId, refund: RefundId, *, livemode: bool, lock: bool = False) -> Refund: ...
    async def of(self, invoice: InvoiceId) -> list[Refund]:
        """Return an invoice's refunds, oldest first."""
        ...

    async def save(self, refund: Refund) -> None: ...
    async def page(self, merchant: MerchantId, *, livemode: bool, page: Page, where: Mapping[str, Any]) -> Slice[Refund]:
        """Return refunds, newest first; ``where``: invoice, status (all optional)."""
        ...


class Ledger(Protocol):
    """The append-only double-entry ledger."""

    async def post(self, postings: Sequence[Posting]) -> None: ...
    async def page(self, merchant: MerchantId, *, livemode: bool, page: Page, where: Mapping[str, Any]) -> Slice[Entry]:
        """Return entries, newest first; ``where``: invoice, account, asset (all optional)."""
        ...

    async def of(self, invoice: InvoiceId) -> list[Entry]: ...
    async def imbalances(self) -> list[str]:
        """Return the postings whose entries do not sum to zero; there must be none."""
        ...
