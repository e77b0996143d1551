"""Money that comes after an address's watch has ended is found within a day, for a year."""

from __future__ import annotations

from datetime import timedelta

import pytest
from engines import CHAIN, ETH

from pepay_core.domain.chains import Feature
from pepay_core.domain.errors import ChainUnavailable
from pepay_core.services.revisiting import DEPTH

DAY = 86_400


@pytest.fixture(params=["with balances", "without balances"])
def balances(request, pepay, monkeypatch):
    """Let the driver tell balances, or not; return the list of its answers' sizes."""
    chain = pepay.runtime.catalogue.chain(CHAIN)
    balances, asked = chain.balances, []

    async def told(destinations, assets, at):
        asked.append(len(destinations))
        return await balances(destinations, assets, at)

    with_them = request.param == "with balances"
    features = chain.features | Feature.BALANCES if with_them else chain.features & ~Feature.BALANCES
    monkeypatch.setattr(chain, "features", features, raising=False)
    monkeypatch.setattr(chain, "balances", told, raising=False)
    return asked if with_them else None


async def pass_time(pepay, seconds):
    """Let time pass, on the chain too, and everybody who works in the background have a turn."""
    pepay.clock.jump(timedelta(seconds=seconds))
    pepay.mine()
    pepay.node.rpc("anvil_mine", hex(DEPTH))
    await pepay.look()
    await pepay.close_due()
    return await pepay.runtime.revisiting.visit(pepay.runtime.catalogue.chain(CHAIN))


def count_scans(pepay, monkeypatch):
    chain, scans = pepay.runtime.catalogue.chain(CHAIN), []
    scan = chain.scan

    async def counted(watched, after, until):
        scans.append(len(watched))
        return await scan(watched, after, until)

    monkeypatch.setattr(chain, "scan", counted)
    return scans


@pytest.fixture
async def cold(pepay, balances):
    """Return an invoice whose watch has ended, and that was seen by a cold pass before."""
    await pepay.invoice(pay_with=ETH, expires_in=60)
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset, expires_in=60)
    await pass_time(pepay, 6 * DAY)
    for _ in range(3):
        await pass_time(pepay, DAY)
    assert (await pepay.get(invoice))["status"] == "expired"
    return invoice


@pytest.mark.parametrize("days", [1, 300])
async def test_late_money_is_found_by_the_next_pass_and_told(pepay, cold, days):
    await pass_time(pepay, days * DAY)
    pepay.pay(cold, "USDC")
    pepay.mine()
    await pepay.look()
    before = await pepay.events(cold)

    visit = await pass_time(pepay, DAY + 1)

    assert len(visit.credited) == 1
    assert (before, (await pepay.events(cold))[-2:]) == (["invoice.created", "invoice.expired"], ["payment.detected", "invoice.processing"])
    await pass_time(pepay, 60)
    found = await pepay.get(cold)
    assert (found["status"], found["timing"], found["fulfil"]) == ("paid", "late", True)
    assert (await pass_time(pepay, DAY)).credited == ()


async def test_late_money_in_a_coin_that_was_not_asked_for_waits_for_a_decision(pepay, cold):
    pepay.node.send(pepay.option(cold, "USDC")["destination"], 10**16)

    await pass_time(pepay, DAY + 1)

    found = await pepay.get(cold)
    assert (found["payments"][0]["mismatch"], found["resolution"]) == ("wrong_asset", "pending")


@pytest.mark.parametrize("balances", ["with balances"], indirect=True)
async def test_nothing_is_read_again_while_nothing_has_changed(pepay, cold, balances, monkeypatch):
    scans = count_scans(pepay, monkeypatch)
    await pepay.look()
    balances.clear()

    visit = await pass_time(pepay, DAY + 1)

    assert (visit.addresses, visit.changed) == (2, 0)
    assert balances == [2]
    assert len(scans) <= 3


async def test_only_the_address_that_changed_is_looked_for(pepay, cold, balances, monkeypatch):
    # Not by the first account, which is an address of the wallet, and pays for gas.
    pepay.node.send(pepay.option(cold, "USDC")["destination"], 10**16, sender=pepay.node.accounts[1])
    scans = count_scans(pepay, monkeypatch)
    visit = await pass_time(pepay, DAY + 1)

    assert visit.changed == (1 if balances is not None else 2)
    assert scans[-1] == visit.changed


async def test_money_that_was_moved_on_meanwhile_does_not_hide_what_came_after(pepay, balances):
    await pepay.invoice(pay_with=ETH, expires_in=60)
    invoice = await pepay.invoice(pay_with=ETH, expires_in=60)
    to = pepay.option(invoice, "ETH")["destination"]
    paid = int(pepay.option(invoice, "ETH")["quote"]["amount_base_units"])
    pepay.pay(invoice, "ETH")
    await pass_time(pepay, 6 * DAY)
    for _ in range(3):
        await pass_time(pepay, DAY)
    pepay.node.set_balance(to, 0)
    pepay.node.send(to, paid // 2)
    pepay.mine()

    visit = await pass_time(pepay, DAY + 1)

    assert [each.transfer.units for each in visit.credited] == [paid // 2]


async def test_a_pass_is_made_once_a_day_by_one_process(pepay, cold, settings):
    chain = pepay.runtime.catalogue.chain(CHAIN)
    first = await pass_time(pepay, DAY + 1)
    again = await pass_time(pepay, 60)
    pepay.clock.jump(timedelta(seconds=DAY))
    async with pepay.runtime.store.begin() as tx:
        await tx.leases.take(f"cold:{CHAIN}", "another", pepay.clock.now(), pepay.clock.now() + timedelta(hours=1))
    elsewhere = await pepay.runtime.revisiting.visit(chain)

    assert first is not None
    assert again is None
    assert elsewhere is None


async def test_a_pass_that_fails_is_due_all_the_same(pepay, cold, anvil):
    pepay.pay(cold, "USDC")
    pepay.clock.jump(timedelta(seconds=DAY + 1))
    pepay.mine()
    pepay.node.rpc("anvil_mine", hex(DEPTH))
    await pepay.look()
    chain = pepay.runtime.catalogue.chain(CHAIN)
    anvil.stop()
    with pytest.raises(ChainUnavailable):
        await pepay.runtime.revisiting.visit(chain)
    anvil.start()

    visit = await pepay.runtime.revisiting.visit(chain)

    assert len(visit.credited) == 1


async def test_after_a_year_nobody_looks_any_more(pepay, cold):
    visit = await pass_time(pepay, 366 * DAY)

    assert (visit.addresses, visit.changed) == (0, 0)
