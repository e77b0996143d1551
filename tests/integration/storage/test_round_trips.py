"""What goes in comes out as it was, on both engines."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from pepay_core.domain.assets import Address, ChainId
from pepay_core.domain.chains import Block, Destination
from pepay_core.domain.coverage import ChainHealth, ChainState, Coverage
from pepay_core.domain.endpoints import Attempt, DeliveryState
from pepay_core.domain.errors import Conflict, InvalidInput, NotFound
from pepay_core.domain.invoices import Resolution, Status
from pepay_core.domain.ledger import Account, balances
from pepay_core.domain.payments import Mismatch, PaymentStatus
from pepay_core.domain.rates import AgreedRate, Evidence, NoRate, Pair
from pepay_core.services.paging import Page


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


async def test_a_merchant_comes_back_as_it_was(store, samples, merchant):
    other = samples.merchant(tokens=None, settlement_asset=None, finality={}, branding={}, embed_origins=())
    async with store.begin() as tx:
        await tx.merchants.add(other)
        await tx.merchants.save(replace(merchant, name="new"))
    async with store.read() as tx:
        assert await tx.merchants.all() == [replace(merchant, name="new"), other]
        assert await tx.merchants.get(other.id) == other


async def test_a_key_comes_back_as_it_was_and_is_touched(store, samples, merchant):
    key = samples.key(merchant, expires_at=samples.now + timedelta(days=1))
    async with store.begin() as tx:
        await tx.keys.add(key)
        assert await tx.keys.find(key.id) == key
        await tx.keys.save(replace(key, revoked_at=samples.now))
        await tx.keys.touch(key.id, samples.now)
    async with store.read() as tx:
        assert await tx.keys.get(merchant.id, key.id) == replace(key, revoked_at=samples.now, last_used_at=samples.now)
        assert (await tx.keys.page(merchant.id, livemode=False, page=Page())).items[0].id == key.id
        assert (await tx.keys.page(merchant.id, livemode=True, page=Page())).items == ()


async def test_an_invoice_comes_back_as_it_was(store, samples, merchant, invoice):
    bare = samples.invoice(merchant, tokens=None, decisions=(), settlement_asset=None, description=None, customer_id=None, line_items=(), metadata={})
    async with store.begin() as tx:
        await tx.invoices.add(bare)
    async with store.read() as tx:
        assert await tx.invoices.get(merchant.id, invoice.id, livemode=False) == invoice
        assert await tx.invoices.find(bare.id) == bare


async def test_metadata_comes_back_digit_by_digit(store, samples, merchant):
    metadata = {
        "price": Decimal("1.10"),
        "huge": Decimal("1E+400"),
        "tiny": Decimal("1E-7"),
        "long": 12345678901234567890,
        "text": 'a"\\\n\u2028é\U0001f600\x00',
        "nested": {"list": [True, None, [], {}]},
    }
    invoice = samples.invoice(merchant, metadata=metadata)
    async with store.begin() as tx:
        await tx.invoices.add(invoice)
    async with store.read() as tx:
        found = (await tx.invoices.get(merchant.id, invoice.id, livemode=False)).metadata
    assert found == metadata
    assert [str(found["price"]), str(found["huge"]), str(found["tiny"])] == ["1.10", "1E+400", "1E-7"]
    assert type(found["long"]) is int


async def test_an_invoice_is_saved_only_over_the_version_before(store, samples, merchant, invoice):
    second = replace(invoice, version=2, assessment=samples.assessment(Status.PAID, "49.99"), paid_at=samples.now, closed_at=samples.now)
    async with store.begin() as tx:
        await tx.invoices.save(second)
        with pytest.raises(Conflict):
            await tx.invoices.save(second)
        with pytest.raises(Conflict):
            await tx.invoices.save(replace(second, version=4))
    async with store.read() as tx:
        assert await tx.invoices.find(invoice.id, lock=False) == second


async def test_nobody_sees_what_is_another_merchants_or_another_environments(store, samples, merchant, invoice):
    stranger = samples.merchant()
    async with store.begin() as tx:
        await tx.merchants.add(stranger)
        for who, livemode in ((stranger.id, False), (merchant.id, True)):
            with pytest.raises(NotFound):
                await tx.invoices.get(who, invoice.id, livemode=livemode)
        assert await tx.invoices.get(merchant.id, invoice.id, livemode=False, lock=True) == invoice


@pytest.mark.parametrize("id", ["", "inv_", "x" * 5000, "'; --", "inv_\x00", "inv_\ud800", "💥", "{}", "%", "{0}"])
async def test_a_malformed_id_is_not_found(store, merchant, id):
    async with store.begin() as tx:
        for look in (
            tx.invoices.get(merchant.id, id, livemode=False),
            tx.payments.get(merchant.id, id, livemode=False),
            tx.keys.get(merchant.id, id),
            tx.wallets.get(merchant.id, id),
            tx.events.get(merchant.id, id, livemode=False),
            tx.endpoints.get(merchant.id, id, livemode=False),
            tx.deliveries.get(merchant.id, id, livemode=False),
            tx.merchants.get(id),
        ):
            with pytest.raises(NotFound):
                await look
        assert await tx.invoices.find(id) is None
        assert await tx.keys.find(id) is None
        with pytest.raises(InvalidInput) as caught:
            await tx.invoices.page(merchant.id, livemode=False, page=Page(starting_after=id), where={})
        assert caught.value.field == "starting_after" or id == ""
