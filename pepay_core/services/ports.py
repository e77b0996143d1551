"""What services need of storage. ``storage/`` implements it; nothing here knows how.

A repository never returns what belongs to another merchant when it is given one, and raises NotFound instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from datetime import datetime

    from pepay_core.domain.assets import ChainId
    from pepay_core.domain.connecting import Grant
    from pepay_core.domain.coverage import Issued, IssuedDestination
    from pepay_core.domain.endpoints import Attempt, Endpoint, EventDelivery
    from pepay_core.domain.events import Event
    from pepay_core.domain.ids import DeliveryId, EndpointId, EventId, InvoiceId, KeyId, MailId, MerchantId, PaymentId, RefundId, WalletId
    from pepay_core.domain.images import Image
    from pepay_core.domain.invoices import Invoice
    from pepay_core.domain.ledger import Entry, Posting
    from pepay_core.domain.mails import Mail, MailState
    from pepay_core.domain.merchants import ApiKey, Merchant, Wallet
    from pepay_core.domain.payments import Payment, Quote
    from pepay_core.domain.refunds import Refund
    from pepay_core.secrets import Vault
    from pepay_core.services.allowing import Counting
    from pepay_core.services.chain_ports import Chains, Rates, Sweeps
    from pepay_core.services.paging import Page, Slice
    from pepay_core.services.people import ports as people
    from pepay_core.services.records import ClaimedDelivery, StoredResponse, TransferKey
    from pepay_core.services.retaining import Retention
    from pepay_core.services.secret_ports import AuditLog, Keyring, SealedRecords

_T = TypeVar("_T")


class Merchants(Protocol):
    """Tenants."""

    async def add(self, merchant: Merchant) -> None: ...
    async def get(self, merchant: MerchantId) -> Merchant: ...
    async def all(self) -> list[Merchant]: ...
    async def save(self, merchant: Merchant) -> None:
        """Store its preferences; whether it is suspended is not among them."""
        ...

    async def logo(self, merchant: MerchantId) -> Image | None:
        """Return its logo, if it has one."""
        ...

    async def put_logo(self, merchant: MerchantId, image: Image | None) -> None:
        """Give it a logo, or take it away."""
        ...

    async def suspend(self, merchant: MerchantId, at: datetime | None) -> None:
        """Suspend it from a moment on; None lets it go on."""
        ...

    async def is_suspended(self, merchant: MerchantId) -> bool: ...


class Keys(Protocol):
    """API keys."""

    async def add(self, key: ApiKey) -> None: ...
    async def find(self, key: KeyId) -> ApiKey | None: ...
    async def get(self, merchant: MerchantId, key: KeyId, *, livemode: bool, lock: bool = False) -> ApiKey: ...
    async def page(self, merchant: MerchantId, *, livemode: bool, page: Page) -> Slice[ApiKey]: ...
    async def save(self, key: ApiKey) -> None: ...
    async def touch(self, key: KeyId, at: datetime) -> None: ...
    async def expiring(self, now: datetime, before: datetime) -> list[ApiKey]:
        """Return keys of all merchants that are valid now and will not be then, soonest first."""
        ...


class Wallets(Protocol):
    """Receiving material. The same material may be active only once per environment and family, for all merchants together."""

    async def add(self, wallet: Wallet) -> None:
        """Store it; raises Conflict when the same material is active already. Archived material comes back with its next index."""
        ...

    async def get(self, merchant: MerchantId, wallet: WalletId) -> Wallet: ...
    async def active(self, merchant: MerchantId, *, livemode: bool) -> list[Wallet]: ...
    async def of_kind(self, family: str, kind: str) -> list[Wallet]:
        """Return the wallets of a kind, of all merchants and both environments, archived ones too."""
        ...

    async def archive(self, merchant: MerchantId, wallet: WalletId, at: datetime) -> None: ...
    async def next_index(self, wallet: WalletId) -> int:
        """Allocate and return an index that was never returned before."""
        ...


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


class Events(Protocol):
    """The outbox. Reading in order misses nothing: what an open transaction may still write is not passed."""

    async def add(self, event: Event) -> None: ...
    async def get(self, merchant: MerchantId, event: EventId, *, livemode: bool) -> Event: ...
    async def page(self, merchant: MerchantId, *, livemode: bool, page: Page, kinds: Collection[str] = ()) -> Slice[Event]:
        """Return events, oldest first."""
        ...

    async def latest(self, merchant: MerchantId, *, livemode: bool) -> EventId | None:
        """Return the event that a page would end with, if all of them were on it; None where there is none."""
        ...

    async def between(self, merchant: MerchantId, *, livemode: bool, start: datetime, end: datetime, limit: int) -> list[Event]: ...


class Endpoints(Protocol):
    """Webhook endpoints."""

    async def add(self, endpoint: Endpoint) -> None: ...
    async def get(self, merchant: MerchantId, endpoint: EndpointId, *, livemode: bool, lock: bool = False) -> Endpoint: ...
    async def find(self, endpoint: EndpointId, *, lock: bool = False) -> Endpoint | None: ...
    async def page(self, merchant: MerchantId, *, livemode: bool, page: Page) -> Slice[Endpoint]: ...
    async def active(self, merchant: MerchantId, *, livemode: bool) -> list[Endpoint]:
        """Return the endpoints that are not disabled; none of them can be deleted before this transaction ends."""
        ...

    async def hold(self, endpoints: Collection[EndpointId]) -> dict[EndpointId, Endpoint]:
        """Return those that are there, and let nobody else change them or their deliveries before the transaction ends."""
        ...

    async def among(self, endpoints: Collection[EndpointId]) -> dict[EndpointId, Endpoint]:
        """Return those that are there."""
        ...

    async def save(self, endpoint: Endpoint) -> None: ...
    async def delete(self, merchant: MerchantId, endpoint: EndpointId, *, livemode: bool) -> None: ...


class Deliveries(Protocol):
    """Which endpoint is still to be told of which event."""

    async def add(self, deliveries: Sequence[EventDelivery]) -> None: ...
    async def claim(
        self, now: datetime, *, limit: int, lease_until: datetime, per_endpoint: int, exclude: Collection[EndpointId] = ()
    ) -> list[ClaimedDelivery]:
        """Take due deliveries, and make them due again when the lease ends; a claim counts no attempt: who makes one records it.

        No endpoint that is not excluded has more than ``per_endpoint`` under way, one that is failing a single one. All that have
        something due get a delivery before any gets another, those first that have waited for longest.
        """
        ...

    async def renew(self, deliveries: Collection[DeliveryId], now: datetime, lease_until: datetime) -> None:
        """Keep claims that have not run out for longer."""
        ...

    async def next_due(self) -> datetime | None: ...
    async def get(self, merchant: MerchantId, delivery: DeliveryId, *, livemode: bool) -> EventDelivery: ...
    async def hold(self, deliveries: Collection[DeliveryId]) -> dict[DeliveryId, EventDelivery]:
        """Return those that are there, and let nobody else change them before the transaction ends."""
        ...

    async def save(self, *deliveries: EventDelivery) -> None: ...
    async def record(self, *attempts: Attempt) -> None: ...
    async def attempts(self, deliveries: Collection[DeliveryId]) -> list[Attempt]: ...
    async def page(self, endpoint: EndpointId, *, page: Page) -> Slice[EventDelivery]:
        """Return deliveries, newest first."""
        ...

    async def abandon(self, endpoint: EndpointId, error: str) -> None:
        """Give up whatever is pending for an endpoint."""
        ...


class Mails(Protocol):
    """Letters to people, as they wait to be sent."""

    async def add(self, mail: Mail) -> None: ...
    async def find(self, mail: MailId) -> Mail | None: ...
    async def claim(self, now: datetime, *, limit: int, lease_until: datetime) -> list[Mail]:
        """Take due mails, count an attempt of each, and make them due again when the lease ends."""
        ...

    async def record(self, mail: Mail) -> bool:
        """Store what came of an attempt; False, and nothing stored, when somebody else has made another one since."""
        ...

    async def overdue(self, now: datetime, limit: int) -> list[Mail]:
        """Return pending mails that are no longer worth sending."""
        ...

    async def page(self, *, state: MailState | None, page: Page) -> Slice[Mail]:
        """Return mails, newest first."""
        ...

    async def numbers(self) -> dict[MailState, int]:
        """Return how many mails there are in each state."""
        ...

    async def forget(self, before: datetime) -> None:
        """Delete what was sent, or given up, and was made before a time."""
        ...


class Grants(Protocol):
    """Consents to give a shop a key."""

    async def add(self, grant: Grant) -> None: ...
    async def take(self, digest: str) -> Grant | None:
        """Use one up; None when it was used already."""
        ...

    async def sweep(self, now: datetime) -> None:
        """Forget those that have expired."""
        ...


class Idempotency(Protocol):
    """Answers remembered by key, so that a repeated request has one effect."""

    async def claim(self, scope: str, key: str, fingerprint: str, now: datetime, until: datetime) -> StoredResponse | None:
        """Take the key for a running request, or return what is stored; raises IdempotencyConflict or RequestInProgress.

        ``now`` is the mark of whoever took it: another one that takes the key over, because ``until`` has passed, has a later mark.
        """
        ...

    async def complete(self, scope: str, key: str, response: StoredResponse, mark: datetime) -> None:
        """Store an answer; raises RequestInProgress when somebody else has taken the key over, and then nothing may be committed."""
        ...

    async def release(self, scope: str, key: str, mark: datetime) -> None:
        """Forget a request that had no effect, unless somebody else has taken the key over."""
        ...

    async def sweep(self, now: datetime) -> None: ...


class Leases(Protocol):
    """Who does what only one may do."""

    async def take(self, name: str, holder: str, now: datetime, until: datetime) -> bool:
        """Take or renew a lease; False while somebody else's is running."""
        ...

    async def insist(self, name: str, holder: str) -> None:
        """Raise Conflict unless the holder still has it; nobody takes it over before this transaction ends."""
        ...

    async def drop(self, name: str, holder: str) -> None: ...


class Facts(Protocol):
    """What an installation knows of itself, by name."""

    async def get(self, name: str) -> str | None: ...
    async def put(self, name: str, value: str) -> None: ...


class Transaction(Protocol):
    """One unit of work: everything in it commits, or nothing does."""

    merchants: Merchants
    keys: Keys
    wallets: Wallets
    invoices: Invoices
    destinations: Destinations
    quotes: Quotes
    payments: Payments
    refunds: Refunds
    sweeps: Sweeps
    ledger: Ledger
    events: Events
    endpoints: Endpoints
    deliveries: Deliveries
    mails: Mails
    grants: Grants
    chains: Chains
    rates: Rates
    idempotency: Idempotency
    leases: Leases
    retention: Retention
    facts: Facts
    users: people.Users
    members: people.Members
    sessions: people.Sessions
    passkeys: people.Passkeys
    recovery_codes: people.RecoveryCodes
    invitations: people.Invitations
    letters: people.Letters
    attempts: people.Attempts
    audit: AuditLog
    sealed: SealedRecords
    keyring: Keyring

    def after_commit(self, call: Callable[[], None]) -> None:
        """Run this once the transaction has committed, and not otherwise."""
        ...

    def wake(self, topic: str) -> None:
        """Have those who wait for a topic look, in every process, once the transaction has committed.

        Repositories do so by themselves for new events, new deliveries and new versions of invoices.
        """
        ...


class Wakes(Protocol):
    """Hints, in this process and from others, that it is worth looking at the database. ``waking`` has the topics."""

    @property
    def patience(self) -> float:
        """After how many seconds without a hint it is time to look all the same: a hint may never come."""
        ...

    def on(self, call: Callable[[], object], *topics: str) -> AbstractContextManager[None]:
        """Make a call, which must not wait for anything, at every hint about one of the topics until the block ends."""
        ...

    def tell(self, topics: Collection[str]) -> None:
        """Give a hint to all who wait for one of the topics, in every process."""
        ...

    @property
    def left(self) -> bool:
        """Whether this process ends, so that nobody may wait any longer."""
        ...

    def leave(self) -> None:
        """Send everybody away who waits in this process."""
        ...


class Store(Protocol):
    """The database."""

    def use(self, vault: Vault) -> None:
        """Seal and open what is personal with this vault; without one, nothing of it can be read or written."""
        ...

    @property
    def wakes(self) -> Wakes:
        """Who is told what was committed."""
        ...

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction that commits at the end of the block, and rolls back when an exception or a cancellation leaves it."""
        ...

    def read(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a unit of work that only reads."""
        ...

    async def run(self, work: Callable[[Transaction], Awaitable[_T]]) -> _T:
        """Run ``work`` in a transaction, again from the start when the database asks for it (serialisation, deadlock, lost connection)."""
        ...

    def shared_counts(self) -> Counting | None:
        """Return where several processes count together, or None for a database that only one process may open."""
        ...
