"""Lists are paged by a neighbour, filtered by columns, and nobody counts them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from pepay_core.domain.errors import InvalidInput
from pepay_core.domain.invoices import Resolution, Status
from pepay_core.domain.payments import PaymentStatus
from pepay_core.services.paging import Page


@pytest.fixture
async def invoices(store, samples, merchant):
    """Seven invoices, oldest first."""
    made = [samples.invoice(merchant, customer_id=f"c{number % 2}", created_at=samples.now + timedelta(seconds=number)) for number in range(7)]
    made[3] = replace(made[3], assessment=samples.assessment(Status.PAID, "49.99"))
    made[4] = replace(made[4], assessment=samples.assessment(Status.EXPIRED, resolution=Resolution.ACCEPTED))
    async with store.begin() as tx:
        for each in made:
            await tx.invoices.add(each)
        await tx.invoices.add(samples.invoice(merchant, livemode=True))
    return made


async def test_pages_forwards_and_backwards_show_everything_once(store, merchant, invoices):
    newest_first = [each.id for each in reversed(invoices)]
    async with store.read() as tx:

        async def page(**where):
            found = await tx.invoices.page(merchant.id, livemode=False, page=Page(limit=3, **where), where={})
            return [each.id for each in found.items], found.has_more

        assert await page() == (newest_first[:3], True)
        assert await page(starting_after=newest_first[2]) == (newest_first[3:6], True)
        assert await page(starting_after=newest_first[5]) == (newest_first[6:], False)
        assert await page(starting_after=newest_first[3]) == (newest_first[4:], False)
        assert await page(ending_before=newest_first[6]) == (newest_first[3:6], True)
        assert await page(ending_before=newest_first[3]) == (newest_first[:3], False)
        assert await page(ending_before=newest_first[0]) == ([], False)


async def test_a_neighbour_must_be_in_the_list(store, samples, merchant, invoices):
    async with store.read() as tx:
        for field in ("starting_after", "ending_before"):
            with pytest.raises(InvalidInput) as caught:
                await tx.invoices.page(merchant.id, livemode=True, page=Page(**{field: invoices[0].id}), where={})
            assert caught.value.field == field


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, [6, 5, 4, 3, 2, 1, 0]),
        ({"status": "paid"}, [3]),
        ({"status": None, "customer_id": "c1"}, [5, 3, 1]),
        ({"fulfil": True}, [4, 3]),
        ({"fulfil": False, "customer_id": "c1"}, [5, 1]),
        ({"resolution": "accepted"}, [4]),
        ({"customer_id": "'; DROP TABLE pepay_invoice; --"}, []),
        ({"customer_id": "{}"}, []),
    ],
)
async def test_invoices_are_filtered(store, merchant, invoices, where, expected):
    async with store.read() as tx:
        found = await tx.invoices.page(merchant.id, livemode=False, page=Page(), where=where)
    assert [invoices.index(each) for each in found.items] == expected


async def test_invoices_are_filtered_by_the_time_of_their_creation(store, samples, merchant, invoices):
    where = {"created_from": samples.now + timedelta(seconds=2), "created_to": samples.now + timedelta(seconds=4)}
    async with store.read() as tx:
        found = await tx.invoices.page(merchant.id, livemode=False, page=Page(), where=where)
    assert [invoices.index(each) for each in found.items] == [4, 3, 2]


async def test_an_unknown_filter_is_refused(store, merchant):
    async with store.read() as tx:
        with pytest.raises(InvalidInput):
            await tx.invoices.page(merchant.id, livemode=False, page=Page(), where={"amount": "1"})


async def test_a_page_costs_at_most_two_statements(store, merchant, invoices):
    before = store.statistics.statements
    async with store.read() as tx:
        await tx.invoices.page(merchant.id, livemode=False, page=Page(starting_after=invoices[3].id), where={"status": "unpaid"})
    assert store.statistics.statements - before == 2


async def test_totals_are_exact_to_the_last_digit(store, samples, merchant):
    huge, tiny = Decimal(9999999999999999999999999999999), Decimal("0.000000000000000001")
    terms = samples.invoice(merchant).terms
    async with store.begin() as tx:
        for amount in (huge, tiny, huge):
            await tx.invoices.add(samples.invoice(merchant, terms=replace(terms, amount=amount), assessment=samples.assessment(paid="0.1")))
        await tx.invoices.add(samples.invoice(merchant, terms=replace(terms, amount=Decimal(5), currency="JPY", decimals=0)))
        await tx.invoices.add(samples.invoice(merchant, livemode=True))
    async with store.read() as tx:
        assert await tx.invoices.totals(merchant.id, livemode=False, where={}) == {
            ("unpaid", "EUR"): (3, "19999999999999999999999999999998.000000000000000001", "0.3"),
            ("unpaid", "JPY"): (1, "5", "0"),
        }
        assert await tx.invoices.totals(merchant.id, livemode=False, where={"status": "paid"}) == {}


async def test_invoices_past_their_deadline_come_by_id(store, samples, merchant):
    terms = samples.invoice(merchant).terms

    def due(seconds, **changes):
        return samples.invoice(merchant, terms=replace(terms, expires_at=samples.now + timedelta(seconds=seconds)), **changes)

    late, closed, later, fresh = due(-1), due(-1, closed_at=samples.now), due(-2), due(0)
    async with store.begin() as tx:
        for each in (late, closed, later, fresh):
            await tx.invoices.add(each)
    async with store.read() as tx:
        assert await tx.invoices.past_deadline(samples.now, 10) == [late, later]
        assert await tx.invoices.past_deadline(samples.now, 1) == [late]
        assert await tx.invoices.past_deadline(samples.now, 10, after=late.id) == [later]


async def test_payments_are_listed_and_filtered(store, samples, merchant, invoice):
    made = [samples.payment(invoice, detected_at=samples.now + timedelta(seconds=number)) for number in range(3)]
    made[1] = replace(made[1], status=PaymentStatus.REVERTED)
    async with store.begin() as tx:
        for each in made:
            await tx.payments.add(each)
    async with store.read() as tx:

        async def listed(**where):
            return list((await tx.payments.page(merchant.id, livemode=False, page=Page(), where=where)).items)

        assert await listed() == made[::-1]
        assert await listed(status="reverted") == [made[1]]
        assert await listed(transaction=made[0].transfer.tx) == [made[0]]
        assert await listed(invoice=invoice.id, asset=samples.asset, created_to=samples.now) == [made[0]]
        assert await listed(invoice="inv_other") == []


async def test_a_page_of_the_ledger_holds_whole_postings(store, samples, invoice):
    postings = [samples.posting(invoice) for _ in range(4)]
    newest_first = [posting.id for posting in reversed(postings) for _ in range(2)]
    async with store.begin() as tx:
        await tx.ledger.post(postings)
    async with store.read() as tx:

        async def page(limit, where=None, **neighbour):
            found = await tx.ledger.page(invoice.merchant, livemode=False, page=Page(limit=limit, **neighbour), where=where or {})
            return [each.posting for each in found.items], found.has_more

        assert await page(10) == (newest_first, False)
        assert await page(8) == (newest_first, False)
        assert await page(4) == (newest_first[:4], True)
        assert await page(5) == (newest_first[:4], True)
        assert await page(1) == (newest_first[:2], True)
        assert await page(3, starting_after=newest_first[2]) == (newest_first[4:6], True)
        assert await page(9, starting_after=newest_first[2]) == (newest_first[4:], False)
        assert await page(2, ending_before=newest_first[6]) == (newest_first[4:6], True)
        assert await page(9, ending_before=newest_first[6]) == (newest_first[:6], False)
        assert await page(3, {"account": "receivable"}) == (newest_first[:6:2], True)
        with pytest.raises(InvalidInput):
            await page(3, starting_after="pst_unknown")


class TestEvents:
    async def write(self, store, event, *, linger=0.0):
        async with store.begin() as tx:
            await tx.events.add(event)
            await asyncio.sleep(linger)

    async def test_they_are_listed_oldest_first(self, store, samples, merchant):
        events = [samples.event(merchant, type=kind) for kind in ("invoice.created", "invoice.paid", "payment.detected", "invoice.paid")]
        for each in events:
            await self.write(store, each)
        async with store.read() as tx:

            async def page(kinds=(), **where):
                found = await tx.events.page(merchant.id, livemode=False, page=Page(limit=2, **where), kinds=kinds)
                return list(found.items), found.has_more

            assert await page() == (events[:2], True)
            assert await page(starting_after=events[1].id) == (events[2:], False)
            assert await page(ending_before=events[3].id) == (events[1:3], True)
            assert await page(ending_before=events[2].id) == (events[:2], False)
            assert await page(["invoice.paid"], starting_after=events[1].id) == ([events[3]], False)
            assert await tx.events.latest(merchant.id, livemode=False) == events[3].id
            assert await tx.events.latest(merchant.id, livemode=True) is None
            with pytest.raises(InvalidInput):
                await page(starting_after="evt_unknown")

    async def test_whoever_reads_in_order_misses_nothing(self, store, samples, merchant):
        """Eight writers commit late and out of order, while a reader follows them."""
        expected = {samples.event(merchant).id: None for _ in range(160)}
        writing = asyncio.Event()

        async def writer(number, mine):
            for count, each in enumerate(mine):
                await self.write(store, samples.event(merchant, id=each), linger=(number * 7 + count * 3) % 11 / 2000)

        async def reader():
            seen, last = [], None
            while True:
                over = writing.is_set()
                async with store.read() as tx:
                    found = await tx.events.page(merchant.id, livemode=False, page=Page(limit=7, starting_after=last))
                seen += [each.id for each in found.items]
                last = seen[-1] if seen else None
                if over and not found.items:
                    return seen
                await asyncio.sleep(0.001)

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            following = group.create_task(reader())
            ids = list(expected)
            async with asyncio.TaskGroup() as writers:
                for number in range(8):
                    writers.create_task(writer(number, ids[number::8]))
            writing.set()
        seen = following.result()
        assert len(seen) == len(set(seen)) == 160
        assert set(seen) == set(expected)

    @pytest.mark.parametrize("engine", ["postgres"], indirect=True)  # on SQLite nothing can come after: there is one writer
    async def test_an_event_of_an_open_transaction_holds_back_those_after_it(self, store, samples, merchant):
        early, late = samples.event(merchant), samples.event(merchant)
        written, over = asyncio.Event(), asyncio.Event()

        async def hold():
            async with store.begin() as tx:
                await tx.events.add(early)
                written.set()
                await over.wait()

        async def visible():
            async with store.read() as tx:
                return list((await tx.events.page(merchant.id, livemode=False, page=Page())).items)

        async with asyncio.TaskGroup() as group:
            group.create_task(hold())
            await written.wait()
            await self.write(store, late)
            assert await visible() == []
            over.set()
        assert await visible() == [early, late]
