"""One of everything that is stored."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from pepay_core.domain.assets import Address, AssetId, ChainId
from pepay_core.domain.chains import Block, Destination, Finality, FinalityBand, Transfer
from pepay_core.domain.coverage import IssuedDestination
from pepay_core.domain.endpoints import DeliveryState, Endpoint, EventDelivery
from pepay_core.domain.events import Event
from pepay_core.domain.ids import make_id
from pepay_core.domain.invoices import (
    Action,
    Assessment,
    Decision,
    Invoice,
    LatePolicy,
    Resolution,
    Status,
    Terms,
    Timing,
    Tolerance,
)
from pepay_core.domain.ledger import Account, Posting, Reason
from pepay_core.domain.merchants import ApiKey, Merchant, Wallet
from pepay_core.domain.payments import Payment, PaymentStatus, Quote
from pepay_core.domain.rates import Evidence
from pepay_core.domain.refunds import ClaimPolicy, Refund, RefundReason, RefundStatus, SelfService

NOW = datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC)
CHAIN = ChainId("eip155:31337")
ASSET = AssetId("eip155:31337/slip44:60")


@dataclass
class Samples:
    """Makes valid objects; what matters to a test is given by it."""

    now: datetime = NOW
    chain: ChainId = CHAIN
    asset: AssetId = ASSET
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def id(self, prefix: str) -> Any:
        number = next(self._numbers)
        return make_id(prefix, 1_790_000_000_000 + number, number)

    def merchant(self, **changes: Any) -> Merchant:
        rules = {CHAIN: Finality((FinalityBand(Decimal("100.50"), 2), FinalityBand(None, None)))}
        given = {
            "id": self.id("mer"),
            "name": "Bücher & Söhne 🛒",
            "created_at": NOW,
            "currency": "EUR",
            "tokens": (ASSET,),
            "settlement_asset": ASSET,
            "tolerance": Tolerance(Decimal("1.25"), Decimal("0.05")),
            "late_policy": LatePolicy.HOLD,
            "finality": rules,
            "branding": {"color": "#fff", "scale": Decimal("1.10")},
            "embed_origins": ("https://shop.example",),
            "self_service": SelfService(new_quote=False, lookup=False, claims=ClaimPolicy.APPROVE, claim_minimum=Decimal("2.50")),
        }
        return Merchant(**(given | changes))

    def key(self, merchant: Merchant, **changes: Any) -> ApiKey:
        given = {
            "id": self.id("key"),
            "merchant": merchant.id,
            "livemode": False,
            "name": "shop",
            "scopes": ("invoices:write", "webhooks:read"),
            "digest": b"\x00\xff digest",
            "created_at": NOW,
            "allowed_ips": ("10.0.0.0/8",),
            "writes_per_minute": 5,
        }
        return ApiKey(**(given | changes))

    def wallet(self, merchant: Merchant, **changes: Any) -> Wallet:
        given = {
            "id": self.id("wal"),
            "merchant": merchant.id,
            "livemode": False,
            "family": "eip155",
            "kind": "xpub",
            "value": f"xpub{next(self._numbers)}",
            "label": "main",
            "created_at": NOW,
        }
        return Wallet(**(given | changes))

    def invoice(self, merchant: Merchant, **changes: Any) -> Invoice:
        given = {
            "id": self.id("inv"),
            "merchant": merchant.id,
            "livemode": False,
            "terms": Terms(Decimal("49.99"), "EUR", 2, NOW + timedelta(minutes=15), Tolerance(Decimal("0.5"), Decimal("0.1"))),
            "tokens": (ASSET,),
            "assessment": self.assessment(),
            "created_at": NOW,
            "decisions": (Decision(Action.ACCEPT, NOW, "why not", "key_1"),),
            "settlement_asset": ASSET,
            "description": "two books",
            "customer_id": "cus 1",
            "customer_email": "a@example.com",
            "metadata": {"order": "17"},
            "return_url": "https://shop.example/thanks",
            "title": "Order",
            "footer": "Danke",
            "line_items": ({"name": "book", "quantity": 2},),
        }
        return Invoice(**(given | changes))

    def closed(self, invoice: Invoice, at: datetime) -> Invoice:
        return replace(invoice, closed_at=at, version=invoice.version + 1)

    def assessment(self, status: Status = Status.UNPAID, paid: str = "0", **changes: Any) -> Assessment:
        given = {
            "status": status,
            "timing": Timing.ON_TIME,
            "resolution": Resolution.NONE,
            "amount_paid": Decimal(paid),
            "amount_remaining": Decimal("49.99"),
            "amount_overpaid": Decimal(0),
        }
        return Assessment(**(given | changes))

    def destination(self, invoice: Invoice, wallet: Wallet, **changes: Any) -> IssuedDestination:
        given = {
            "invoice": invoice.id,
            "merchant": invoice.merchant,
            "livemode": invoice.livemode,
            "family": "eip155",
            "destination": Destination(Address(f"0x{next(self._numbers):040x}"), None),
            "wallet": wallet.id,
            "index": 7,
            "issued_at": NOW,
            "watch_until": NOW + timedelta(days=7),
        }
        return IssuedDestination(**(given | changes))

    def quote(self, invoice: Invoice, **changes: Any) -> Quote:
        given = {
            "id": self.id("quo"),
            "invoice": invoice.id,
            "asset": ASSET,
            "decimals": 18,
            "value": Decimal("49.99"),
            "units": 10**18 + 1,
            "rate": Decimal("3141.592653589793238"),
            "evidence": (Evidence("coingecko", Decimal("3141.6"), NOW), Evidence("kraken", Decimal(1), NOW, "deviation")),
            "created_at": NOW,
            "valid_until": NOW + timedelta(minutes=15),
        }
        return Quote(**(given | changes))

    def transfer(self, **changes: Any) -> Transfer:
        given = {
            "chain": CHAIN,
            "tx": f"0x{next(self._numbers):064x}",
            "index": "0",
            "asset": ASSET,
            "to": Destination(Address("0xabc"), None),
            "units": 2**256 - 1,
            "block": Block(10, "0xb10c", NOW),
            "sender": "0xsender",
        }
        return Transfer(**(given | changes))

    def refund(self, invoice: Invoice, **changes: Any) -> Refund:
        given = {
            "id": self.id("ref"),
            "invoice": invoice.id,
            "merchant": invoice.merchant,
            "livemode": invoice.livemode,
            "reason": RefundReason.EXCESS,
            "asset": ASSET,
            "decimals": 18,
            "units": 2**255,
            "address": Address("0xB0b"),
            "status": RefundStatus.REQUESTED,
            "created_at": NOW,
        }
        return Refund(**(given | changes))

    def payment(self, invoice: Invoice, **changes: Any) -> Payment:
        given = {
            "id": self.id("pay"),
            "invoice": invoice.id,
            "merchant": invoice.merchant,
            "livemode": invoice.livemode,
            "transfer": self.transfer(),
            "decimals": 18,
            "status": PaymentStatus.CONFIRMING,
            "detected_at": NOW,
            "rate": Decimal("3141.592653589793238"),
            "value": Decimal("49.99"),
        }
        return Payment(**(given | changes))

    def posting(self, invoice: Invoice, payment: Payment | None = None, **changes: Any) -> Posting:
        given = {
            "id": self.id("pst"),
            "merchant": invoice.merchant,
            "livemode": invoice.livemode,
            "asset": ASSET,
            "source": Account.BUYER,
            "target": Account.RECEIVABLE,
            "units": 2**256 - 1,
            "value": Decimal("49.99"),
            "currency": "EUR",
            "reason": Reason.DETECTED,
            "invoice": invoice.id,
            "payment": payment.id if payment else None,
            "at": NOW,
        }
        return Posting(**(given | changes))

    def event(self, merchant: Merchant, **changes: Any) -> Event:
        given = {
            "id": self.id("evt"),
            "type": "invoice.paid",
            "merchant": merchant.id,
            "livemode": False,
            "created": NOW,
            "subject": "inv_1",
            "body": b'{"amount":"1.10"}',
        }
        return Event(**(given | changes))

    def endpoint(self, merchant: Merchant, **changes: Any) -> Endpoint:
        given = {
            "id": self.id("whk"),
            "merchant": merchant.id,
            "livemode": False,
            "scheme": "standard",
            "url": "https://shop.example/hook",
            "events": ("invoice.*", "payment.detected"),
            "secret": b"\x00sealed\xff",
            "created_at": NOW,
        }
        return Endpoint(**(given | changes))

    def delivery(self, event: Event, endpoint: Endpoint, **changes: Any) -> EventDelivery:
        given = {
            "id": self.id("dlv"),
            "event": event.id,
            "event_type": event.type,
            "endpoint": endpoint.id,
            "merchant": endpoint.merchant,
            "state": DeliveryState.PENDING,
            "attempts": 0,
            "created_at": NOW,
            "next_at": NOW,
        }
        return EventDelivery(**(given | changes))


@pytest.fixture
def samples() -> Samples:
    return Samples()


@pytest.fixture
async def merchant(store, samples):
    made = samples.merchant()
    async with store.begin() as tx:
        await tx.merchants.add(made)
    return made


@pytest.fixture
async def invoice(store, samples, merchant):
    made = samples.invoice(merchant)
    async with store.begin() as tx:
        await tx.invoices.add(made)
    return made
