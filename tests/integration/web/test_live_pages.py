"""Open pages are told when they would look different, and of nothing else."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from pepay_core.domain.chains import Destination
from pepay_core.domain.coverage import ChainHealth
from pepay_core.domain.errors import RateLimited
from pepay_core.services.viewing import PER_INVOICE
from pepay_core.testing.toy import COIN, DOLLAR, TOY

LONG = 60.0


@pytest.fixture
async def quoted(web):
    await web.see_chain()
    return await web.invoice(amount="25.00", pay_with=DOLLAR.id)


async def shown(web, invoice) -> str:
    """Return the revision that the page itself has."""
    answer = await web.client.get(f"/pay/{invoice['id']}", params={"token": invoice["client_token"], "fragment": "1"})
    return answer.text.partition('data-revision="')[2].partition('"')[0]


def following(web, invoice, patience=LONG):
    return aclosing(web.runtime.viewers.follow(invoice["id"], "192.0.2.1", patience=patience))


async def coming(told) -> str:
    return await asyncio.wait_for(anext(told), LONG)


async def pay(web, invoice, units):
    (option,) = [each for each in invoice["payment_options"] if each["destination"]]
    await web.net.pay(Destination(option["destination"]), units, DOLLAR.id)
    await web.net.mine(1)
    await web.see_chain()


async def test_a_page_that_is_up_to_date_is_told_what_it_shows(web, quoted):
    async with following(web, quoted) as told:
        assert await coming(told) == await shown(web, quoted)


async def test_money_confirmations_and_the_end_are_told_each_as_it_comes(web, quoted):
    async with following(web, quoted) as told:
        seen = [await coming(told)]
        await pay(web, quoted, 25_000_000)
        seen.append(await coming(told))
        assert seen[-1] == await shown(web, quoted)
        await web.clock.advance(2)
        await web.net.mine(1)
        await web.see_chain()
        seen.append(await coming(told))
        assert seen[-1] == await shown(web, quoted)
    assert len(set(seen)) == 3


async def test_a_network_in_trouble_is_told_and_so_is_its_recovery(web, quoted):
    async with following(web, quoted) as told:
        well = await coming(told)
        state = web.runtime.heads.get(TOY)
        await web.clock.advance(2)
        web.runtime.heads.put(replace(state, health=ChainHealth.DEGRADED))
        assert await coming(told) != well
        await web.clock.advance(2)
        web.runtime.heads.put(state)
        assert await coming(told) == well


async def test_a_price_that_runs_out_is_told(web):
    await web.see_chain()
    invoice = await web.invoice(amount="25.00", pay_with=COIN.id)
    async with following(web, invoice) as told:
        before = await coming(told)
        await web.clock.advance(16 * 60)
        assert await coming(told) != before


async def test_silence_is_broken_by_saying_the_same_again(web, quoted):
    async with following(web, quoted, patience=0.01) as told:
        assert await coming(told) == await coming(told)


async def test_what_another_process_wrote_is_noticed_without_a_hint(web, quoted):
    async with following(web, quoted) as told:
        before = await coming(told)
        async with web.runtime.store.begin() as tx:
            stored = await tx.invoices.find(quoted["id"])
            assert stored is not None
            await tx.invoices.save(replace(stored, version=stored.version + 1))
            # A hint that is lost is as if it had never been given.
            tx._wakes = []
        await web.clock.advance(60)
        assert await coming(told) != before


async def test_too_many_pages_are_refused_and_leave_room_when_they_close(web, quoted):
    viewers = web.runtime.viewers
    streams = [viewers.follow(quoted["id"], f"192.0.2.{at}", patience=LONG) for at in range(PER_INVOICE)]
    for each in streams:
        await coming(each)
    with pytest.raises(RateLimited):
        viewers.check(quoted["id"], "198.51.100.1", 100)
    with pytest.raises(RateLimited):
        viewers.check("inv_other", "192.0.2.0", 1)
    for each in streams:
        await each.aclose()
    viewers.check(quoted["id"], "192.0.2.0", 1)
    assert len(viewers) == 0


async def test_whoever_stops_lets_all_go(web, quoted):
    async with following(web, quoted) as told:
        await coming(told)
        web.runtime.let_go()
        with pytest.raises(StopAsyncIteration):
            await coming(told)
    answer = await web.client.get(f"/api/v1/checkout/{quoted['id']}/stream", params={"token": quoted["client_token"]})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.text == "retry: 1000\n\n"


async def test_a_fragment_that_the_page_has_already_is_not_sent_again(web, quoted):
    address = f"/pay/{quoted['id']}"
    query = {"token": quoted["client_token"], "fragment": "1"}
    first = await web.client.get(address, params=query)
    assert first.text.lstrip().startswith("<main")
    again = await web.client.get(address, params=query, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.text) == (304, "")
    await pay(web, quoted, 25_000_000)
    fresh = await web.client.get(address, params=query, headers={"if-none-match": first.headers["etag"]})
    assert fresh.status_code == 200
    assert 'data-state="detected"' in fresh.text
