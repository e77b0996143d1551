"""Native coin that contracts send, through endpoints that see it under different names: credited once, whoever looks."""

from __future__ import annotations

import pytest
from engines import CHAIN
from gates import TRACES, Gate

from pepay_core.settings import load_settings
from pepay_core.testing import erc20


@pytest.fixture
async def gate(anvil):
    async with Gate(anvil.url).running() as gate:
        yield gate


@pytest.fixture
def settings(settings, anvil, gate):
    """Return settings whose only endpoint is behind the gate."""
    config = settings.config_path
    config.write_text(config.read_text().replace(f'"{anvil.url}"', f'"{gate.url}"'))
    return load_settings(config, {})


@pytest.fixture
async def disperse(pepay):
    return pepay.node.deploy(erc20.DISPERSE)


async def come_back(pepay, gate, *, traces):
    """Let the endpoint vanish, and come back as a node of one of the two kinds."""
    gate.down = True
    await pepay.look_once()
    gate.denied = frozenset() if traces else TRACES
    gate.down = False


async def pay(pepay, disperse, invoice, *parts):
    """Pay in native coin through a contract, in one transaction."""
    to = pepay.option(invoice, "ETH")["destination"]
    data = erc20.disperse_coins([(to, units) for units in parts])
    sent = pepay.node.send(disperse, sum(parts), data=data, gas=1_000_000)
    pepay.mine()
    return sent


async def look_again(pepay, blocks):
    """Let the watcher believe that it has not seen the newest blocks yet."""

    async def forget(tx):
        stored = await tx.chains.checkpoints(CHAIN)
        await tx.chains.cut_checkpoints(CHAIN, stored[blocks].height)

    await pepay.runtime.store.run(forget)


async def held(pepay, invoice):
    """Return what the ledger holds for an invoice, and insist that its active payments say the same."""
    found = await pepay.get(invoice)
    units = sum(int(each["amount_base_units"]) for each in found["payments"] if each["status"] != "reverted")
    balances = await pepay.balances(invoice)
    assert balances.get("wallet", 0) + balances.get("receivable", 0) == units
    return units


@pytest.mark.parametrize("traced_first", [True, False], ids=["traces, then balances", "balances, then traces"])
async def test_a_block_that_is_looked_at_again_by_another_kind_of_endpoint_credits_nothing_new(pepay, gate, disperse, traced_first):
    invoice = await pepay.invoice(pay_with="eip155:31337/slip44:60")
    await come_back(pepay, gate, traces=traced_first)
    sent = await pay(pepay, disperse, invoice, 10**15, 2 * 10**15)
    await pepay.look()
    first = (await pepay.get(invoice))["payments"]
    assert [each["transaction"] for each in first] == ([sent, sent] if traced_first else [None])

    await come_back(pepay, gate, traces=not traced_first)
    await look_again(pepay, 2)
    pepay.mine()
    await pepay.look()
    again = (await pepay.get(invoice))["payments"]
    assert [(each["id"], each["amount_base_units"]) for each in again] == [(each["id"], each["amount_base_units"]) for each in first]
    assert await held(pepay, invoice) == 3 * 10**15


@pytest.mark.parametrize("traced_first", [True, False], ids=["traces, then balances", "balances, then traces"])
async def test_a_reorganisation_seen_by_another_kind_of_endpoint_keeps_one_credit(pepay, gate, disperse, traced_first):
    invoice = await pepay.invoice(pay_with="eip155:31337/slip44:60")
    await come_back(pepay, gate, traces=traced_first)
    pepay.mine()
    sent = await pay(pepay, disperse, invoice, 10**15)
    raw = pepay.node.rpc("eth_getRawTransactionByHash", sent)
    await pepay.look()
    assert await held(pepay, invoice) == 10**15

    await come_back(pepay, gate, traces=not traced_first)
    pepay.node.reorg(2, [(raw, 1)])
    pepay.mine(3)
    await pepay.look()
    found = (await pepay.get(invoice))["payments"]
    assert sorted((each["status"], each["transaction"]) for each in found) == sorted(
        [("reverted", sent if traced_first else None), ("confirmed", None if traced_first else sent)], key=str
    )
    assert await held(pepay, invoice) == 10**15


async def test_a_payment_that_only_a_balance_proves_pays_an_invoice(pepay, gate, disperse):
    await come_back(pepay, gate, traces=False)
    invoice = await pepay.invoice(pay_with="eip155:31337/slip44:60")
    due = int(pepay.option(invoice, "ETH")["quote"]["amount_base_units"])
    await pay(pepay, disperse, invoice, due)
    await pepay.look()
    assert (await pepay.get(invoice))["status"] == "processing"
    pepay.mine()
    await pepay.look()
    found = await pepay.get(invoice)
    assert (found["status"], [each["transaction"] for each in found["payments"]]) == ("paid", [None])
