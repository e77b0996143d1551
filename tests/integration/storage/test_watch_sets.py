"""What a watcher looks for is what was issued and not yet let go, in whichever order transactions commit."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from pepay_core.services.watch_sets import WatchSet
from pepay_core.testing.toy import ToyChain, ToyNet


@pytest.fixture
def chain():
    """Return a chain of the environment and the family of the samples."""
    made = ToyChain(ToyNet())
    made.id = "eip155:31337"
    return made


@pytest.fixture
async def wallet(store, samples, merchant):
    made = samples.wallet(merchant)
    async with store.begin() as tx:
        await tx.wallets.add(made)
    return made


@pytest.fixture
def issue(store, samples, merchant, wallet):
    """Return a function that issues a destination for an invoice of its own."""

    async def make(tx=None, *, closed=False, **changes):
        invoice = samples.invoice(merchant, closed_at=samples.now if closed else None, livemode=changes.get("livemode", False))
        issued = samples.destination(invoice, wallet, **changes)
        if tx is None:
            async with store.begin() as own:
                await own.invoices.add(invoice)
                await own.destinations.add(issued)
        else:
            await tx.invoices.add(invoice)
            await tx.destinations.add(issued)
        return issued

    return make


async def refreshed(store, watched, now):
    async with store.read() as tx:
        await watched.refresh(tx, now)
    return set(watched.list)


async def test_a_destination_of_a_transaction_that_commits_late_is_watched_all_the_same(store, samples, issue, chain, engine):
    watched = WatchSet(chain)
    await refreshed(store, watched, samples.now)
    written, commit = asyncio.Event(), asyncio.Event()

    async def slow():
        async with store.begin() as tx:
            issued = await issue(tx)
            written.set()
            await commit.wait()
        return issued

    running = asyncio.create_task(slow())
    await written.wait()
    # SQLite lets nobody else write meanwhile, so there nothing can overtake.
    overtaking = {(await issue()).destination} if engine == "postgres" else set()
    early = await refreshed(store, watched, samples.now)
    again = await refreshed(store, watched, samples.now)
    commit.set()
    late = await running

    assert early == again == overtaking
    assert await refreshed(store, watched, samples.now) == overtaking | {late.destination}
    assert watched.invoice_of(late.destination) == late.invoice


async def test_a_refresh_reads_only_what_was_issued_since_the_last_one(store, samples, issue, chain):
    old = await issue()
    watched = WatchSet(chain)
    await refreshed(store, watched, samples.now)
    async with store.read() as tx:
        family = "eip155"
        first = await tx.destinations.watched(family, live=False, now=samples.now)
    new = await issue()
    async with store.read() as tx:
        later = await tx.destinations.watched(family, live=False, now=samples.now, since=first.mark)

    assert (first.destinations, first.whole) == ((old,), True)
    assert (later.destinations, later.whole) == ((new,), False)
    assert await refreshed(store, watched, samples.now) == {old.destination, new.destination}


async def test_a_mark_of_another_database_is_worth_nothing(store, samples, issue):
    issued = await issue()
    async with store.read() as tx:
        answer = await tx.destinations.watched("eip155", live=False, now=samples.now, since=10**15)

    assert (answer.destinations, answer.whole) == ((issued,), True)


async def test_what_is_past_its_watch_is_let_go_once_its_invoice_is_closed(store, samples, issue, chain):
    until = samples.now + timedelta(days=1)
    open_, closed = await issue(watch_until=until), await issue(watch_until=until, closed=True)
    watched = WatchSet(chain)

    assert await refreshed(store, watched, samples.now) == {open_.destination, closed.destination}
    assert await refreshed(store, watched, until) == {open_.destination}
    async with store.begin() as tx:
        invoice = await tx.invoices.find(open_.invoice)
        await tx.invoices.save(samples.closed(invoice, until))
    assert await refreshed(store, watched, until) == {open_.destination}
    assert await refreshed(store, watched, until + timedelta(minutes=10)) == set()


async def test_a_refresh_that_fails_lets_nothing_go(store, samples, issue, chain):
    until = samples.now + timedelta(days=1)
    issued = await issue(watch_until=until, closed=True)
    watched = WatchSet(chain)
    await refreshed(store, watched, samples.now)
    async with store.read() as ended:
        pass
    with pytest.raises(RuntimeError, match="has ended"):
        await watched.refresh(ended, until)

    assert set(watched.list) == {issued.destination}
    assert await refreshed(store, watched, until) == set()


async def test_a_destination_of_both_environments_is_the_chain_s_own_environment_s(store, samples, issue, chain):
    chain.testnet = False
    test = await issue()
    live = await issue(livemode=True, destination=test.destination)
    watched = WatchSet(chain)

    assert await refreshed(store, watched, samples.now) == {test.destination}
    assert watched.invoice_of(test.destination) == live.invoice
