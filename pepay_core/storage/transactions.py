"""One unit of work as services see it: every repository, on one connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_core.storage.repositories.audit import AuditRepository
from pepay_core.storage.repositories.chains import ChainRepository, RateRepository
from pepay_core.storage.repositories.claims import IdempotencyRepository, LeaseRepository
from pepay_core.storage.repositories.deliveries import DeliveryRepository
from pepay_core.storage.repositories.events import EventRepository
from pepay_core.storage.repositories.facts import FactRepository
from pepay_core.storage.repositories.grants import GrantRepository
from pepay_core.storage.repositories.invoices import InvoiceRepository
from pepay_core.storage.repositories.ledger import LedgerRepository
from pepay_core.storage.repositories.mails import MailRepository
from pepay_core.storage.repositories.members import InvitationRepository, MemberRepository
from pepay_core.storage.repositories.merchants import KeyRepository, MerchantRepository, WalletRepository
from pepay_core.storage.repositories.payments import DestinationRepository, PaymentRepository, QuoteRepository
from pepay_core.storage.repositories.refunds import RefundRepository
from pepay_core.storage.repositories.replays import ReplayRepository
from pepay_core.storage.repositories.retention import RetentionRepository
from pepay_core.storage.repositories.sealed import KeyringRepository, SealedRepository
from pepay_core.storage.repositories.sessions import AttemptRepository, LetterRepository, SessionRepository
from pepay_core.storage.repositories.sweeps import SweepRepository
from pepay_core.storage.repositories.users import PasskeyRepository, RecoveryCodeRepository, UserRepository
from pepay_core.storage.repositories.webhooks import EndpointRepository

if TYPE_CHECKING:
    from collections.abc import Callable

    from pepay_core.services import chain_ports, delivery_ports, invoice_ports, keeping_ports, merchant_ports, secret_ports
    from pepay_core.services.people import ports as people
    from pepay_core.services.retaining import Retention
    from pepay_core.storage.sessions import Session


class UnitOfWork:
    """Everything done through it commits together, or not at all."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.merchants: merchant_ports.Merchants = MerchantRepository(session)
        self.keys: merchant_ports.Keys = KeyRepository(session)
        self.wallets: merchant_ports.Wallets = WalletRepository(session)
        self.invoices: invoice_ports.Invoices = InvoiceRepository(session)
        self.destinations: invoice_ports.Destinations = DestinationRepository(session)
        self.quotes: invoice_ports.Quotes = QuoteRepository(session)
        self.payments: invoice_ports.Payments = PaymentRepository(session)
        self.refunds: invoice_ports.Refunds = RefundRepository(session)
        self.sweeps: chain_ports.Sweeps = SweepRepository(session)
        self.ledger: invoice_ports.Ledger = LedgerRepository(session)
        self.events: delivery_ports.Events = EventRepository(session)
        self.endpoints: delivery_ports.Endpoints = EndpointRepository(session)
        self.deliveries: delivery_ports.Deliveries = DeliveryRepository(session)
        self.replays: delivery_ports.Replays = ReplayRepository(session)
        self.grants: merchant_ports.Grants = GrantRepository(session)
        self.mails: delivery_ports.Mails = MailRepository(session)
        self.chains: chain_ports.Chains = ChainRepository(session)
        self.rates: chain_ports.Rates = RateRepository(session)
        self.idempotency: keeping_ports.Idempotency = IdempotencyRepository(session)
        self.leases: keeping_ports.Leases = LeaseRepository(session)
        self.retention: Retention = RetentionRepository(session)
        self.facts: keeping_ports.Facts = FactRepository(session)
        self.users: people.Users = UserRepository(session)
        self.members: people.Members = MemberRepository(session)
        self.sessions: people.Sessions = SessionRepository(session)
        self.passkeys: people.Passkeys = PasskeyRepository(session)
        self.recovery_codes: people.RecoveryCodes = RecoveryCodeRepository(session)
        self.invitations: people.Invitations = InvitationRepository(session)
        self.letters: people.Letters = LetterRepository(session)
        self.attempts: people.Attempts = AttemptRepository(session)
        self.audit: secret_ports.AuditLog = AuditRepository(session)
        self.sealed: secret_ports.SealedRecords = SealedRepository(session)
        self.keyring: secret_ports.Keyring = KeyringRepository(session)

    def after_commit(self, call: Callable[[], None]) -> None:
        """Run this once the transaction has committed, and not otherwise."""
        self._session.after_commit(call)

    def wake(self, topic: str) -> None:
        """Have those who wait for a topic look, in every process, once the transaction has committed."""
        self._session.wake(topic)
