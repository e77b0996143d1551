"""What only one may have goes to one, however many reach for it at once."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from pepay_core.domain.endpoints import DeliveryState
from pepay_core.domain.errors import Conflict, IdempotencyConflict, RequestInProgress
from pepay_core.services.paging import Page
from pepay_core.services.records import StoredResponse

PAGE = Page(limit=100)


_WORKER = """
import asyncio, json, os, sys
from datetime import datetime, timedelta
from pepay_core.clock import SystemClock
from pepay_core.secrets import Vault
from pepay_core.storage.opening import open_store

async def main(url, now, dies):
    ids = []
    async with open_store(url, SystemClock()) as store:
        store.use(Vault(bytes(range(32))))
        while True:
            claimed = await store.run(lambda tx: tx.deliveries.claim(now, limit=3, lease_until=now + timedelta(seconds=30), per_endpoint=100))
            if dies:
                os._exit(9)
            if not claimed:
                break
            ids += [each.delivery.id for each in claimed]
    print(json.dumps(ids))

asyncio.run(main(sys.argv[1], datetime.fromisoformat(sys.argv[2]), sys.argv[3] == "dies"))
"""


async def claim_key(store, now, *, fingerprint="f", key="k", lasts=60):
    async with store.begin() as tx:
        return await tx.idempotency.claim("scope", key, fingerprint, now, now + timedelta(seconds=lasts))


class TestIdempotency:
    async def test_of_fifty_requests_with_one_key_one_runs(self, store, samples):
        results = await asyncio.gather(*(claim_key(store, samples.now) for _ in range(50)), return_exceptions=True)
        assert Counter(type(each).__name__ for each in results) == {"NoneType": 1, "RequestInProgress": 49}

    async def test_a_repeated_request_gets_the_stored_answer(self, store, samples):
        await claim_key(store, samples.now)
        async with store.begin() as tx:
            await tx.idempotency.complete("scope", "k", StoredResponse(201, b'{"a":"\xc3\xa9"}'), samples.now)
        assert await claim_key(store, samples.now) == StoredResponse(201, b'{"a":"\xc3\xa9"}')
        with pytest.raises(IdempotencyConflict):
            await claim_key(store, samples.now, fingerprint="other")
        assert await claim_key(store, samples.now, key="another") is None

    async def test_a_running_request_is_in_progress_until_its_time_is_over(self, store, samples):
        await claim_key(store, samples.now)
        with pytest.raises(RequestInProgress):
            await claim_key(store, samples.now + timedelta(seconds=59))
        with pytest.raises(IdempotencyConflict):
            await claim_key(store, samples.now + timedelta(seconds=59), fingerprint="other")
        assert await claim_key(store, samples.now + timedelta(seconds=60)) is None
        with pytest.raises(RequestInProgress):
            await claim_key(store, samples.now + timedelta(seconds=61))

    async def test_of_fifty_that_take_over_one_does(self, store, samples):
        await claim_key(store, samples.now)
        later = samples.now + timedelta(seconds=60)
        results = await asyncio.gather(*(claim_key(store, later) for _ in range(50)), return_exceptions=True)
        assert Counter(type(each).__name__ for each in results) == {"NoneType": 1, "RequestInProgress": 49}

    async def test_a_request_without_effect_frees_its_key(self, store, samples):
        await claim_key(store, samples.now)
        async with store.begin() as tx:
            await tx.idempotency.release("scope", "k", samples.now)
        assert await claim_key(store, samples.now, fingerprint="other") is None

    async def test_an_answer_that_is_stored_is_not_released(self, store, samples):
        await claim_key(store, samples.now)
        async with store.begin() as tx:
            await tx.idempotency.complete("scope", "k", StoredResponse(200, b"x"), samples.now)
            await tx.idempotency.release("scope", "k", samples.now)
        assert await claim_key(store, samples.now) == StoredResponse(200, b"x")

    async def test_who_was_held_up_for_too_long_neither_answers_nor_releases_the_key_of_who_took_over(self, store, samples):
        await claim_key(store, samples.now)
        later = samples.now + timedelta(seconds=60)
        await claim_key(store, later)
        with pytest.raises(RequestInProgress):
            await store.run(lambda tx: tx.idempotency.complete("scope", "k", StoredResponse(201, b"stale"), samples.now))
        await store.run(lambda tx: tx.idempotency.release("scope", "k", samples.now))
        await store.run(lambda tx: tx.idempotency.complete("scope", "k", StoredResponse(201, b"fresh"), later))
        with pytest.raises(RequestInProgress):
            await store.run(lambda tx: tx.idempotency.complete("scope", "k", StoredResponse(201, b"stale"), samples.now))
        assert await claim_key(store, later) == StoredResponse(201, b"fresh")

    async def test_answers_are_kept_for_a_day(self, store, samples):
        await claim_key(store, samples.now)
        async with store.begin() as tx:
            await tx.idempotency.complete("scope", "k", StoredResponse(200, b"x"), samples.now)
            await tx.idempotency.sweep(samples.now + timedelta(hours=24))
        assert await claim_key(store, samples.now) == StoredResponse(200, b"x")
        async with store.begin() as tx:
            await tx.idempotency.sweep(samples.now + timedelta(hours=24, microseconds=1))
        assert await claim_key(store, samples.now) is None


class TestLeases:
    async def take(self, store, holder, now, lasts=10):
        return await store.run(lambda tx: tx.leases.take("watch", holder, now, now + timedelta(seconds=lasts)))

    async def test_one_of_many_takes_a_lease(self, store, samples):
        taken = await asyncio.gather(*(self.take(store, str(number), samples.now) for number in range(30)))
        assert sum(taken) == 1

    async def test_its_holder_renews_it_and_others_wait_for_its_end(self, store, samples):
        assert await self.take(store, "a", samples.now)
        assert await self.take(store, "a", samples.now, lasts=20)
        assert not await self.take(store, "b", samples.now + timedelta(seconds=19))
        assert await self.take(store, "b", samples.now + timedelta(seconds=20))
        assert not await self.take(store, "a", samples.now + timedelta(seconds=21))

    async def test_only_its_holder_may_insist_on_it(self, store, samples):
        await self.take(store, "a", samples.now)
        await store.run(lambda tx: tx.leases.insist("watch", "a"))
        for name, holder in (("watch", "b"), ("other", "a")):
            with pytest.raises(Conflict):
                await store.run(lambda tx, name=name, holder=holder: tx.leases.insist(name, holder))

    async def test_what_was_insisted_on_is_not_taken_over_before_the_commit(self, store, samples):
        await self.take(store, "a", samples.now)
        insisted = asyncio.Event()

        async def take_over():
            await insisted.wait()
            return await self.take(store, "b", samples.now + timedelta(seconds=60))

        rival = asyncio.create_task(take_over())
        async with store.begin() as tx:
            await tx.leases.insist("watch", "a")
            insisted.set()
            await asyncio.sleep(0)
            await tx.facts.put("written", "by a")
            assert not rival.done()
        assert await rival
        async with store.read() as tx:
            assert await tx.facts.get("written") == "by a"
        with pytest.raises(Conflict):
            await store.run(lambda tx: tx.leases.insist("watch", "a"))

    async def test_it_is_dropped_by_its_holder_only(self, store, samples):
        assert await self.take(store, "a", samples.now)
        await store.run(lambda tx: tx.leases.drop("watch", "b"))
        assert not await self.take(store, "b", samples.now)
        await store.run(lambda tx: tx.leases.drop("watch", "a"))
        assert await self.take(store, "b", samples.now)


class TestDeliveries:
    @pytest.fixture
    async def queue(self, store, samples, merchant):
        """Three endpoints with ten deliveries each."""
        event, endpoints = samples.event(merchant), [samples.endpoint(merchant) for _ in range(3)]
        deliveries = [samples.delivery(event, endpoint) for endpoint in endpoints for _ in range(10)]
        async with store.begin() as tx:
            await tx.events.add(event)
            for endpoint in endpoints:
                await tx.endpoints.add(endpoint)
            await tx.deliveries.add(deliveries)
        return endpoints

    async def claim(self, store, now, *, limit=100, per_endpoint=100, lease=30, exclude=()):
        async with store.begin() as tx:
            return await tx.deliveries.claim(now, limit=limit, lease_until=now + timedelta(seconds=lease), per_endpoint=per_endpoint, exclude=exclude)

    async def test_concurrent_claimers_get_each_delivery_once(self, store, samples, queue):
        claimed = await asyncio.gather(*(self.claim(store, samples.now, limit=4) for _ in range(20)))
        ids = [each.delivery.id for some in claimed for each in some]
        assert len(ids) == len(set(ids))
        while more := await self.claim(store, samples.now, limit=4):
            ids += [each.delivery.id for each in more]
        assert len(ids) == len(set(ids)) == 30

    @pytest.mark.parametrize("engine", ["postgres"], indirect=True)  # on SQLite one claims after the other
    async def test_a_claimer_does_not_wait_for_another(self, store, samples, queue):
        claimed, over = asyncio.Event(), asyncio.Event()

        async def dawdle():
            async with store.begin() as tx:
                await tx.deliveries.claim(samples.now, limit=5, lease_until=samples.now + timedelta(seconds=30), per_endpoint=2)
                claimed.set()
                await over.wait()

        async with asyncio.TaskGroup() as group:
            group.create_task(dawdle())
            await claimed.wait()
            async with asyncio.timeout(5):
                assert len(await self.claim(store, samples.now)) == 25
            over.set()

    async def test_a_claim_comes_with_the_event_and_the_endpoint(self, store, samples, queue):
        (claimed,) = await self.claim(store, samples.now, limit=1)
        assert claimed.delivery.event == claimed.event.id
        assert claimed.endpoint in queue
        assert claimed.delivery.next_at == samples.now + timedelta(seconds=30)
        assert claimed.delivery.attempts == 0

    async def test_no_endpoint_has_more_than_its_share_under_way(self, store, samples, queue):
        claimed = await self.claim(store, samples.now, per_endpoint=4)
        assert Counter(each.endpoint.id for each in claimed) == {endpoint.id: 4 for endpoint in queue}
        assert await self.claim(store, samples.now, per_endpoint=4) == []
        done = claimed[0].delivery
        async with store.begin() as tx:
            await tx.deliveries.save(replace(done, state=DeliveryState.DELIVERED, next_at=None))
        (next_,) = await self.claim(store, samples.now, per_endpoint=4)
        assert next_.endpoint.id == done.endpoint

    async def test_concurrent_claimers_keep_the_share_together(self, store, samples, queue):
        claimed = await asyncio.gather(*(self.claim(store, samples.now, per_endpoint=3) for _ in range(10)))
        assert max(Counter(each.endpoint.id for some in claimed for each in some).values()) == 3

    async def test_a_delivery_that_waits_for_its_next_try_takes_no_share(self, store, samples, queue):
        later = samples.now + timedelta(hours=1)
        for claimed in await self.claim(store, samples.now, per_endpoint=9):
            async with store.begin() as tx:
                await tx.deliveries.save(replace(claimed.delivery, attempts=1, next_at=later))
        assert len(await self.claim(store, samples.now, per_endpoint=1)) == 3

    async def test_what_a_dead_claimer_held_is_due_again_when_its_lease_ends(self, store, samples, queue):
        assert len(await self.claim(store, samples.now)) == 30
        ends = samples.now + timedelta(seconds=30)
        assert await self.claim(store, ends - timedelta(microseconds=1)) == []
        async with store.read() as tx:
            assert await tx.deliveries.next_due() == ends
        assert len(await self.claim(store, ends, per_endpoint=10)) == 30

    async def test_excluded_and_disabled_endpoints_are_passed_over(self, store, samples, queue):
        excluded, disabled, other = queue
        async with store.begin() as tx:
            await tx.endpoints.save(replace(disabled, disabled_at=samples.now))
        claimed = await self.claim(store, samples.now, exclude=[excluded.id])
        assert {each.endpoint.id for each in claimed} == {other.id}

    async def test_what_is_not_due_is_not_claimed(self, store, samples, queue):
        assert await self.claim(store, samples.now - timedelta(microseconds=1)) == []
        async with store.read() as tx:
            assert await tx.deliveries.next_due() == samples.now

    async def test_what_is_abandoned_is_never_due(self, store, samples, queue):
        async with store.begin() as tx:
            for endpoint in queue:
                await tx.deliveries.abandon(endpoint.id, "disabled")
            assert await tx.deliveries.next_due() is None
            page = await tx.deliveries.page(queue[0].id, page=PAGE)
        assert {(each.state, each.next_at, each.last_error) for each in page.items} == {(DeliveryState.FAILED, None, "disabled")}
        assert await self.claim(store, samples.now) == []

    async def test_processes_share_a_queue_and_survive_each_other(self, store, database_url, samples, queue):
        def spawn(fate):
            arguments = [sys.executable, "-c", _WORKER, database_url, samples.now.isoformat(), fate]
            return subprocess.Popen(arguments, stdout=subprocess.PIPE)

        dying = spawn("dies")
        await asyncio.to_thread(dying.communicate)
        assert dying.returncode == 9
        living = [spawn("lives") for _ in range(2)]
        outputs = await asyncio.gather(*(asyncio.to_thread(each.communicate) for each in living))
        ids = [each for output, _ in outputs for each in json.loads(output)]
        assert len(ids) == len(set(ids)) == 27
        left = await self.claim(store, samples.now + timedelta(seconds=30))
        assert len(left) == 30
        assert {each.delivery.id for each in left} > set(ids)


_KILLED = """
import asyncio, os, sys
from pepay_core.clock import SystemClock
from pepay_core.storage.opening import open_store

async def main(url, merchant, before_commit):
    async with open_store(url, SystemClock()) as store:
        async with store.begin() as tx:
            found = await tx.merchants.get(merchant)
            await tx.leases.take("first", "me", found.created_at, found.created_at)
            await tx.leases.take("second", "me", found.created_at, found.created_at)
            if before_commit:
                os.kill(os.getpid(), 9)
        os.kill(os.getpid(), 9)

asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3] == "before"))
"""


@pytest.mark.parametrize(("moment", "stored"), [("before", False), ("after", True)])
async def test_a_process_that_is_killed_leaves_all_of_a_transaction_or_nothing(store, database_url, samples, merchant, moment, stored):
    arguments = [sys.executable, "-c", _KILLED, database_url, merchant.id, moment]
    done = await asyncio.to_thread(subprocess.run, arguments, check=False)
    assert done.returncode == -9
    for name in ("first", "second"):
        taken = await store.run(lambda tx, name=name: tx.leases.take(name, "you", samples.now - timedelta(1), samples.now))
        assert taken is not stored


class TestUniqueness:
    async def test_a_transfer_that_many_see_at_once_is_stored_once(self, store, samples, invoice):
        transfer = samples.transfer()

        async def add():
            async with store.begin() as tx:
                return await tx.payments.add(samples.payment(invoice, transfer=transfer))

        assert sum(await asyncio.gather(*(add() for _ in range(30)))) == 1

    async def test_material_that_many_add_at_once_is_stored_once(self, store, samples, merchant):
        async def add():
            async with store.begin() as tx:
                await tx.wallets.add(samples.wallet(merchant, value="xpub"))

        results = await asyncio.gather(*(add() for _ in range(20)), return_exceptions=True)
        assert Counter(type(each) for each in results) == {type(None): 1, Conflict: 19}

    async def test_no_index_is_given_out_twice(self, store, samples, merchant):
        wallet = samples.wallet(merchant)
        async with store.begin() as tx:
            await tx.wallets.add(wallet)

        async def allocate():
            return await store.run(lambda tx: tx.wallets.next_index(wallet.id))

        assert sorted(await asyncio.gather(*(allocate() for _ in range(40)))) == list(range(40))

    async def test_of_many_that_save_one_version_one_does(self, store, samples, invoice):
        async def save(number):
            async with store.begin() as tx:
                found = await tx.invoices.find(invoice.id, lock=number % 2 == 0)
                await tx.invoices.save(replace(invoice, version=2, description=str(number)))
                return found.version

        results = await asyncio.gather(*(save(number) for number in range(20)), return_exceptions=True)
        assert Counter(type(each) for each in results) == {int: 1, Conflict: 19}
