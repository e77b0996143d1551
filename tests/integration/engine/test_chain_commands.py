"""What an operator types about a chain, while the engine runs: explain, rescan, audit, status."""

from __future__ import annotations

import asyncio
import json

import pytest
from engines import CHAIN, ETH

from pepay_core.cli.main import EXIT_FAILED, EXIT_OK, run


@pytest.fixture
def engine():
    """What is typed is the same on both engines."""
    return "sqlite"


@pytest.fixture
def typed(settings, capsys, monkeypatch):
    """Return a function that runs a command line as another process does, and returns its exit code and what it printed."""
    for name in ("PEPAY_CONFIG", "PEPAY_MASTER_KEY"):
        monkeypatch.delenv(name, raising=False)

    async def type_(*words):
        code = await asyncio.to_thread(run, ["--config", str(settings.config_path), *words])
        return code, capsys.readouterr()

    return type_


@pytest.fixture
async def paid(pepay):
    await pepay.invoice(pay_with=ETH)
    invoice = await pepay.invoice(pay_with=ETH)
    transaction = pepay.pay(invoice, "ETH")
    pepay.mine(2)
    await pepay.look()
    return invoice, transaction, str(pepay.node.height - 2)


async def forget(pepay):
    async with pepay.runtime.store.begin() as tx:
        await tx.payments._raw("DELETE FROM pepay_entry")
        await tx.payments._raw("DELETE FROM pepay_payment")


async def test_explain_says_what_became_of_a_transaction(pepay, paid, typed):
    invoice, transaction, height = paid

    code, told = await typed("tx", "explain", transaction)
    machine, printed = await typed("tx", "explain", transaction, "--chain", CHAIN, "--json")

    assert (code, machine) == (EXIT_OK, EXIT_OK)
    assert told.out.startswith(f"credited\nIt was credited.\n{CHAIN}, block {height}\n")
    assert invoice["id"] in told.out
    assert json.loads(printed.out)["transfers"][0]["invoice"] == invoice["id"]


async def test_what_is_not_a_transaction_is_refused_with_a_sentence(pepay, typed):
    code, told = await typed("tx", "explain", "0x12")

    assert (code, told.out) == (EXIT_FAILED, "")
    assert "64 hexadecimal digits" in told.err


async def test_audit_fails_where_something_is_missing_and_rescan_brings_it_back(pepay, paid, typed):
    invoice, transaction, height = paid
    await forget(pepay)
    where = ("--from", height, "--to", height)

    audited, found = await typed("chain", "audit", CHAIN, *where, "--json")
    told = (await typed("chain", "audit", CHAIN, *where))[1].out
    advice = (await typed("tx", "explain", transaction))[1].out
    again, brought = await typed("chain", "rescan", CHAIN, *where, "--provider", pepay.node.url)
    clean, said = await typed("chain", "audit", CHAIN, *where)

    assert (audited, again, clean) == (EXIT_FAILED, EXIT_OK, EXIT_OK)
    assert [each["transaction"] for each in json.loads(found.out)["missing"]] == [transaction]
    assert f"missing: {transaction} in block {height}" in told
    assert advice.startswith("missed\n")
    assert f"Next: pepay chain rescan {CHAIN} --from {height} --to {height}" in advice
    assert "1 transfers seen" in brought.out
    assert invoice["id"] in brought.out
    assert said.out == "1 payments are as the chain has them.\n"


async def test_status_names_the_endpoints_that_looked(pepay, paid, typed):
    code, printed = await typed("chain", "status", "--json")
    (chain,) = json.loads(printed.out)

    assert code == EXIT_OK
    assert [each["source"] for each in chain["covered"]] == [pepay.node.url]
    assert chain["catching_up"] is None
