"""What went on from deposits is stored once, and added up exactly, on both engines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pepay_core.domain.assets import Address
from pepay_core.domain.chains import Block, Departure, Destination
from pepay_core.domain.payments import PaymentStatus
from pepay_core.domain.sweeps import Balance, Sweep

MOST = 2**255


@pytest.fixture
async def wallet(store, samples, merchant):
    made = samples.wallet(merchant, kind="treasury")
    async with store.begin() as tx:
        await tx.wallets.add(made)
    return made


@pytest.fixture
async def place(store, samples, invoice, wallet):
    made = samples.destination(invoice, wallet)
    async with store.begin() as tx:
        await tx.destinations.add(made)
    return made


@pytest.fixture
def sweep(samples, invoice, wallet, place):
    def make(units=5, height=10, tx="0x01", index="1", asset=samples.asset, active=True):
        block = Block(height, f"0xb{height}", samples.now)
        departure = Departure(samples.chain, tx, index, asset, place.destination, Address("0xsafe"), units, block)
        return Sweep(departure, invoice.id, invoice.merchant, invoice.livemode, wallet.id, samples.now, active)

    return make


@pytest.fixture
async def pay(store, samples, invoice, place):
    async def paid(units, status=PaymentStatus.CONFIRMED, to=place.destination, **changes):
        transfer = samples.transfer(to=to, units=units, **changes)
        async with store.begin() as tx:
            assert await tx.payments.add(samples.payment(invoice, transfer=transfer, status=status))

    return paid


async def test_a_sweep_comes_back_as_it_was_and_only_once(store, sweep):
    first = sweep(units=2**256 - 1)
    async with store.begin() as tx:
        assert await tx.sweeps.add(first)
        assert not await tx.sweeps.add(replace(first, active=False))
        assert await tx.sweeps.known([first.departure.key, sweep(index="2").departure.key]) == {first.departure.key: first}


async def test_a_sweep_moves_to_another_block_and_out_of_the_chain(store, sweep):
    async with store.begin() as tx:
        await tx.sweeps.add(sweep(height=10))
        await tx.sweeps.add(sweep(height=11, index="2"))
        assert await tx.sweeps.above("eip155:31337", 10) == [sweep(height=11, index="2")]
        await tx.sweeps.save(sweep(height=12))
        assert len(await tx.sweeps.above("eip155:31337", 10)) == 2
        await tx.sweeps.save(sweep(height=12, active=False))
        assert await tx.sweeps.above("eip155:31337", 10) == [sweep(height=11, index="2")]
        with pytest.raises(LookupError):
            await tx.sweeps.save(sweep(index="9"))


async def test_balances_are_exact_and_count_what_is_final_and_on_the_chain(store, samples, sweep, pay, wallet, place, invoice):
    other = "eip155:31337/erc20:0x01"
    await pay(MOST)
    await pay(MOST - 1, asset=other)
    await pay(1, asset=other)
    await pay(7, status=PaymentStatus.CONFIRMING)
    await pay(7, status=PaymentStatus.REVERTED)
    await pay(7, to=Destination(Address("0xelsewhere"), None))
    async with store.begin() as tx:
        await tx.sweeps.add(sweep(units=MOST - 3))
        await tx.sweeps.add(sweep(units=2, index="2"))
        await tx.sweeps.add(sweep(units=9, index="3", active=False))
        await tx.sweeps.add(sweep(units=4, index="4", asset="eip155:31337/erc20:0x02"))
    expected = [Balance(other, MOST, 0), Balance("eip155:31337/erc20:0x02", 0, 4), Balance(samples.asset, MOST, MOST - 1)]

    async with store.read() as tx:
        assert await tx.sweeps.balances([wallet.id]) == {wallet.id: expected}
        assert await tx.sweeps.at_destinations(samples.chain, [wallet.id]) == {place.destination.address: expected}
        assert await tx.sweeps.at_destinations("eip155:1", [wallet.id]) == {}
        assert await tx.sweeps.balances([]) == {}
        assert await tx.wallets.of_kind("eip155", "treasury") == [wallet]
        assert await tx.destinations.from_wallets([wallet.id]) == [place]
    assert [each.waiting for each in expected] == [MOST, 0, 1]
