"""What goes in comes out as it was, on both engines."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from pepay_core.domain.assets import Address, ChainId
from pepay_core.domain.chains import Block, Destination
from pepay_core.domain.coverage import ChainHealth, ChainState, Coverage
from pepay_core.domain.endpoints import Attempt, DeliveryState
from pepay_core.domain.errors import Conflict, InvalidInput, NotFound
from pepay_core.domain.invoices import Status
from pepay_core.domain.ledger import Account, balances
from pepay_core.domain.payments import Mismatch, PaymentStatus
from pepay_core.domain.rates import AgreedRate, Evidence, NoRate, Pair
from pepay_core.domain.sources import Source, SourceState
from pepay_core.services.paging import Page


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
        assert await tx.keys.get(merchant.id, key.id, livemode=False) == replace(key, revoked_at=samples.now, last_used_at=samples.now)
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
            tx.keys.get(merchant.id, id, livemode=False),
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


async def test_a_wallet_comes_back_as_it_was(store, samples, merchant):
    wallet = samples.wallet(merchant, label=None)
    async with store.begin() as tx:
        await tx.wallets.add(wallet)
        assert await tx.wallets.get(merchant.id, wallet.id) == wallet
        assert await tx.wallets.active(merchant.id, livemode=False) == [wallet]
        assert await tx.wallets.active(merchant.id, livemode=True) == []
        await tx.wallets.archive(merchant.id, wallet.id, samples.now)
        assert await tx.wallets.active(merchant.id, livemode=False) == []
        assert await tx.wallets.get(merchant.id, wallet.id) == replace(wallet, archived_at=samples.now)


async def test_material_that_is_active_is_refused_to_everybody(store, samples, merchant):
    stranger = samples.merchant()
    wallet = samples.wallet(merchant, value="xpub1")
    async with store.begin() as tx:
        await tx.merchants.add(stranger)
        await tx.wallets.add(wallet)
        for owner in (merchant, stranger):
            with pytest.raises(Conflict):
                await tx.wallets.add(samples.wallet(owner, value="xpub1"))
        await tx.wallets.archive(merchant.id, wallet.id, samples.now)
        # Its addresses may be known to buyers of the first owner.
        with pytest.raises(Conflict):
            await tx.wallets.add(samples.wallet(stranger, value="xpub1"))
        await tx.wallets.add(samples.wallet(stranger, value="xpub1", livemode=True))


async def test_archived_material_comes_back_with_its_next_index(store, samples, merchant):
    wallet = samples.wallet(merchant, value="xpub1", next_index=5)
    async with store.begin() as tx:
        await tx.wallets.add(wallet)
        assert [await tx.wallets.next_index(wallet.id) for _ in range(2)] == [5, 6]
        await tx.wallets.archive(merchant.id, wallet.id, samples.now)
        await tx.wallets.add(samples.wallet(merchant, value="xpub1", label="again"))
        (revived,) = await tx.wallets.active(merchant.id, livemode=False)
        assert (revived.id, revived.label, revived.next_index) == (wallet.id, "again", 7)
        with pytest.raises(NotFound):
            await tx.wallets.next_index("wal_unknown")


async def test_a_destination_comes_back_as_it_was_and_is_issued_once(store, samples, merchant, invoice):
    wallet = samples.wallet(merchant)
    plain = samples.destination(invoice, wallet)
    referenced = samples.destination(invoice, wallet, family="solana", destination=Destination(Address("So1"), "ref"))
    async with store.begin() as tx:
        await tx.wallets.add(wallet)
        for each in (plain, referenced):
            await tx.destinations.add(each)
            with pytest.raises(Conflict):
                await tx.destinations.add(each)
        await tx.destinations.add(replace(referenced, destination=Destination(Address("So1"), "ref2")))
    async with store.read() as tx:
        assert (await tx.destinations.of([invoice.id]))[:2] == [plain, referenced]
        assert await tx.destinations.of([]) == []


async def test_destinations_are_watched_while_their_invoice_is_open_and_for_a_while_after(store, samples, merchant):
    wallet = samples.wallet(merchant)
    ended = samples.now - timedelta(seconds=1)
    open_, closed, recent, live = (
        samples.invoice(merchant),
        samples.invoice(merchant, closed_at=samples.now),
        samples.invoice(merchant, closed_at=samples.now),
        samples.invoice(merchant, livemode=True),
    )
    issued = {
        "open": samples.destination(open_, wallet, watch_until=ended),
        "closed": samples.destination(closed, wallet, watch_until=samples.now),
        "recent": samples.destination(recent, wallet, watch_until=samples.now + timedelta(microseconds=1)),
        "live": samples.destination(live, wallet, watch_until=ended),
        "other": samples.destination(open_, wallet, family="solana"),
    }
    async with store.begin() as tx:
        await tx.wallets.add(wallet)
        for each in (open_, closed, recent, live):
            await tx.invoices.add(each)
        for each in issued.values():
            await tx.destinations.add(each)
    async with store.read() as tx:
        test = await tx.destinations.watched("eip155", live=False, now=samples.now)
        live_too = await tx.destinations.watched("eip155", live=True, now=samples.now)
        assert (test.destinations, test.whole) == ((issued["open"], issued["recent"]), True)
        assert live_too.destinations == (issued["open"], issued["recent"], issued["live"])
        assert await tx.invoices.still_open({open_.id, closed.id}) == {open_.id}


async def test_destinations_are_found_by_place_and_one_after_the_other(store, samples, merchant):
    wallet = samples.wallet(merchant)
    closed, open_ = samples.invoice(merchant, closed_at=samples.now), samples.invoice(merchant)
    cold = samples.destination(closed, wallet, watch_until=samples.now)
    referenced = samples.destination(open_, wallet, watch_until=samples.now, destination=Destination(Address("So1"), "ref"))
    live = samples.destination(closed, wallet, livemode=True, watch_until=samples.now)
    async with store.begin() as tx:
        await tx.wallets.add(wallet)
        for invoice in (closed, open_):
            await tx.invoices.add(invoice)
        for each in (cold, referenced, live):
            await tx.destinations.add(each)
    period = (samples.now - timedelta(seconds=1), samples.now)
    async with store.read() as tx:
        assert await tx.destinations.at("eip155", live=True, places=["ref", "0xnobody", cold.destination.address]) == [cold, referenced]
        assert await tx.destinations.at("eip155", live=False, places=[live.destination.address]) == []
        first, after = await tx.destinations.ever("eip155", live=True, after=0, limit=2)
        rest, end = await tx.destinations.ever("eip155", live=True, after=after, limit=2)
        assert (first, rest) == ([cold, referenced], [live])
        assert await tx.destinations.ever("eip155", live=True, after=end, limit=2) == ([], end)
        assert (await tx.destinations.ever("eip155", live=False, after=0, limit=9, cold=period))[0] == [cold]
        assert (await tx.destinations.ever("eip155", live=False, after=0, limit=9, cold=(samples.now, samples.now)))[0] == []


async def test_quotes_and_payments_come_back_as_they_were(store, samples, invoice):
    quote = samples.quote(invoice, evidence=(*samples.quote(invoice).evidence, Evidence("x", Decimal("1E-18"), samples.now, "stale")))
    under_quote = samples.payment(invoice, quote=quote.id, rate=None, value=None, mismatch=Mismatch.WRONG_ASSET)
    plain = samples.payment(invoice, transfer=samples.transfer(sender=None, to=Destination(Address("So1"), "ref"), units=1))
    async with store.begin() as tx:
        await tx.quotes.add(quote)
        assert await tx.payments.add(under_quote)
        assert await tx.payments.add(plain)
        assert not await tx.payments.add(replace(plain, id=samples.id("pay")))
        confirmed = replace(plain, status=PaymentStatus.CONFIRMED, confirmed_at=samples.now)
        await tx.payments.save(confirmed)
        with pytest.raises(NotFound):
            await tx.payments.save(samples.payment(invoice))
    async with store.read() as tx:
        assert await tx.quotes.of([invoice.id]) == [quote]
        assert await tx.payments.of([invoice.id]) == [under_quote, confirmed]
        assert await tx.payments.known([plain.transfer.key, (*plain.transfer.key[:2], "1", plain.transfer.asset)]) == {plain.transfer.key: confirmed}
        assert await tx.payments.known([]) == {}
        assert await tx.payments.get(invoice.merchant, plain.id, livemode=False) == confirmed


async def test_payments_are_found_by_what_is_still_to_be_done_with_them(store, samples, invoice):
    at = lambda height: samples.transfer(block=Block(height, "0x", samples.now))  # noqa: E731
    low, high = samples.payment(invoice, transfer=at(10)), samples.payment(invoice, transfer=at(11), rate=None)
    reverted = samples.payment(invoice, transfer=at(12), status=PaymentStatus.REVERTED, rate=None)
    confirmed = samples.payment(invoice, transfer=at(13), status=PaymentStatus.CONFIRMED)
    async with store.begin() as tx:
        for each in (low, high, reverted, confirmed):
            await tx.payments.add(each)
    async with store.read() as tx:
        assert await tx.payments.above(samples.chain, 10) == [high, confirmed]
        assert await tx.payments.above(ChainId("eip155:1"), 0) == []
        assert await tx.payments.confirming(samples.chain) == [low, high]
        assert await tx.payments.without_value(10) == [high]


async def test_a_posting_becomes_two_entries_that_balance(store, samples, invoice):
    payment = samples.payment(invoice)
    postings = [samples.posting(invoice, payment), replace(samples.posting(invoice), invoice=None, value=None)]
    async with store.begin() as tx:
        await tx.payments.add(payment)
        await tx.ledger.post(postings)
        await tx.ledger.post([])
    async with store.read() as tx:
        entries = await tx.ledger.of(invoice.id)
        assert [(each.account, each.units) for each in entries] == [(Account.BUYER, 1 - 2**256), (Account.RECEIVABLE, 2**256 - 1)]
        assert {each.value for each in entries} == {Decimal("49.99")}
        everything = (await tx.ledger.page(invoice.merchant, livemode=False, page=Page(), where={})).items
        assert len(everything) == 4
        assert sum(balances(everything).values()) == 0
        assert await tx.ledger.imbalances() == []


async def test_events_and_webhooks_come_back_as_they_were(store, samples, merchant):
    event = samples.event(merchant)
    endpoint = samples.endpoint(merchant, previous_secret=b"old", previous_until=samples.now)
    delivery = samples.delivery(event, endpoint)
    attempt = Attempt(delivery.id, 1, samples.now, 500, None, "oops", 1234)
    async with store.begin() as tx:
        await tx.events.add(event)
        await tx.endpoints.add(endpoint)
        await tx.deliveries.add([delivery])
        await tx.deliveries.add([])
        await tx.deliveries.record(attempt)
        await tx.endpoints.save(replace(endpoint, description="shop"))
        done = replace(delivery, state=DeliveryState.DELIVERED, attempts=1, next_at=None, delivered_at=samples.now, last_status=200)
        await tx.deliveries.save(done)
    async with store.read() as tx:
        assert await tx.events.get(merchant.id, event.id, livemode=False) == event
        assert await tx.endpoints.find(endpoint.id) == replace(endpoint, description="shop")
        assert await tx.endpoints.active(merchant.id, livemode=False) == [replace(endpoint, description="shop")]
        assert await tx.deliveries.get(merchant.id, delivery.id, livemode=False) == done
        with pytest.raises(NotFound):
            await tx.deliveries.get(merchant.id, delivery.id, livemode=True)
        assert await tx.deliveries.attempts([delivery.id]) == [attempt]
        assert (await tx.deliveries.page(endpoint.id, page=Page())).items == (done,)
        assert await tx.deliveries.next_due() is None


async def test_an_endpoint_goes_with_all_that_it_was_to_be_told(store, samples, merchant):
    event, endpoint = samples.event(merchant), samples.endpoint(merchant)
    delivery = samples.delivery(event, endpoint)
    async with store.begin() as tx:
        await tx.events.add(event)
        await tx.endpoints.add(endpoint)
        await tx.deliveries.add([delivery])
        await tx.deliveries.record(Attempt(delivery.id, 1, samples.now, None, "refused", "", 1))
        with pytest.raises(NotFound):
            await tx.endpoints.delete(merchant.id, endpoint.id, livemode=True)
        await tx.endpoints.delete(merchant.id, endpoint.id, livemode=False)
    async with store.read() as tx:
        assert await tx.endpoints.find(endpoint.id) is None
        assert (await tx.deliveries.page(endpoint.id, page=Page())).items == ()
        assert await tx.deliveries.attempts([delivery.id]) == []
        assert await tx.events.get(merchant.id, event.id, livemode=False) == event


async def test_checkpoints_coverage_and_health_come_back_as_they_were(store, samples):
    blocks = [Block(height, f"0x{height}", samples.now) for height in range(1, 5)]
    covered = Coverage(samples.chain, 1, 10, "0xa", samples.now, "http://node")
    newer = Coverage(samples.chain, 11, 20, "0xb", samples.now, "http://other")
    sources = (Source("https://one", SourceState.SERVING, None, 10), Source("https://two", SourceState.QUARANTINED, "it lies", None))
    state = ChainState(samples.chain, ChainHealth.DEGRADED, "behind", 10, samples.now, samples.now, 512, sources)
    async with store.begin() as tx:
        assert await tx.chains.checkpoints(samples.chain) == []
        assert await tx.chains.state(samples.chain) is None
        await tx.chains.add_checkpoints(samples.chain, [])
        await tx.chains.add_checkpoints(samples.chain, blocks)
        await tx.chains.add_checkpoints(samples.chain, [Block(4, "0xfork", samples.now)])
        await tx.chains.add_checkpoints(samples.chain, [Block(5, "0x5", samples.now)])
        await tx.chains.thin_checkpoints(samples.chain, 1, 4, 2)
        await tx.chains.cut_checkpoints(samples.chain, 4)
        await tx.chains.set_coverage(samples.chain, [replace(covered, last=5), replace(newer, first=6, last=7)], 0)
        await tx.chains.set_coverage(samples.chain, [covered, newer], 5)
        await tx.chains.save_state(replace(state, tip=None, tip_time=None, reason=None))
        await tx.chains.save_state(state)
    async with store.read() as tx:
        fork = Block(4, "0xfork", samples.now)
        assert await tx.chains.checkpoints(samples.chain) == [fork, blocks[1], blocks[0]]
        assert await tx.chains.newest_checkpoint(samples.chain) == fork
        assert await tx.chains.checkpoint(samples.chain, above=3) == fork
        assert await tx.chains.checkpoint(samples.chain, below=3) == blocks[1]
        assert await tx.chains.checkpoint(samples.chain, above=5) is None
        assert await tx.chains.coverage(samples.chain) == [covered, newer]
        assert await tx.chains.coverage(samples.chain, reaching=11) == [newer]
        assert await tx.chains.state(samples.chain) == state


async def test_the_history_of_rates_has_its_gaps(store, samples):
    pair = Pair("ethereum", "USD")
    evidence = (Evidence("coingecko", Decimal("3141.592653589793238"), samples.now),)
    later = samples.now + timedelta(seconds=1)
    async with store.begin() as tx:
        await tx.rates.record(pair, AgreedRate(Decimal("3141.592653589793238"), samples.now, evidence), samples.now)
        await tx.rates.record(pair, NoRate("1 of 1 providers agree, 2 are needed", evidence), later)
        await tx.rates.record(Pair("ethereum", "EUR"), NoRate("none", ()), samples.now)
    async with store.read() as tx:
        history = list(reversed(await tx.rates.history(pair, samples.now, later, 10)))
        assert [(each.at, each.value, each.reason) for each in history] == [
            (samples.now, Decimal("3141.592653589793238"), None),
            (later, None, "1 of 1 providers agree, 2 are needed"),
        ]
        assert history[0].evidence == evidence
        assert await tx.rates.history(pair, samples.now, later, 1) == history[-1:]


async def test_moments_keep_their_microseconds_and_come_back_in_utc(store, samples, merchant):
    for microsecond in (0, 1, 999_999):
        at = samples.now.replace(microsecond=microsecond).astimezone(timezone(timedelta(hours=5, minutes=45)))
        key = samples.key(merchant, created_at=at)
        async with store.begin() as tx:
            await tx.keys.add(key)
            found = (await tx.keys.get(merchant.id, key.id, livemode=False)).created_at
        assert found == at
        assert found.utcoffset() == timedelta(0)


async def test_a_time_without_a_zone_is_refused(store, samples, merchant):
    with pytest.raises(TypeError, match="time zone"):
        async with store.begin() as tx:
            await tx.keys.add(samples.key(merchant, created_at=datetime(2026, 1, 1)))  # noqa: DTZ001


@pytest.mark.parametrize("text", ["nul \x00", "half \ud800"])
async def test_a_text_that_cannot_be_stored_is_refused_before_it_is_sent(store, samples, merchant, text):
    with pytest.raises(InvalidInput):
        async with store.begin() as tx:
            await tx.invoices.add(samples.invoice(merchant, description=text))


async def test_a_number_that_is_too_large_is_refused(store, samples):
    with pytest.raises(InvalidInput):
        async with store.begin() as tx:
            await tx.chains.add_checkpoints(samples.chain, [Block(2**63, "0x", samples.now)])


async def test_facts_are_kept_by_name(store):
    async with store.begin() as tx:
        assert await tx.facts.get("master_key") is None
        await tx.facts.put("master_key", "one")
        await tx.facts.put("master_key", "two")
    async with store.read() as tx:
        assert await tx.facts.get("master_key") == "two"
