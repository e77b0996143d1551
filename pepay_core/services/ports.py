"""What services need of storage. ``storage/`` implements it; nothing here knows how.

A repository never returns what belongs to another merchant when it is given one, and raises NotFound instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from pepay_core.secrets import Vault
    from pepay_core.services.allowing import Counting
    from pepay_core.services.chain_ports import Chains, Rates, Sweeps
    from pepay_core.services.delivery_ports import Deliveries, Endpoints, Events, Mails, Replays
    from pepay_core.services.invoice_ports import Destinations, Invoices, Ledger, Payments, Quotes, Refunds
    from pepay_core.services.keeping_ports import Facts, Idempotency, Leases
    from pepay_core.services.merchant_ports import Grants, Keys, Merchants, Wallets
    from pepay_core.services.people import ports as people
    from pepay_core.services.retaining import Retention
    from pepay_core.services.secret_ports import AuditLog, Keyring, SealedRecords

_T = TypeVar("_T")


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
    replays: Replays
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
