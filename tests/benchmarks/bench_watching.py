"""What a pass of the watcher costs by how much is watched: processor time, SQL statements and requests, idle and with a new block."""

from __future__ import annotations

import sys
import time

import pytest
from engines import CHAIN, ETH

PASSES = 20

pytestmark = pytest.mark.slow

NUMBERS = "WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < {})"
ADDRESS = {"sqlite": "printf('0x%040x', i + 1000000)", "postgres": "'0x' || lpad(to_hex(i + 1000000), 40, '0')"}


async def issue_many(pepay, engine, count):
    """Give out addresses as if an invoice had many, without waiting for that many invoices to be made."""
    await pepay.invoice(pay_with=ETH, expires_in=2_592_000)
    columns = "invoice, merchant, livemode, family, {}, reference, wallet, wallet_index, issued_at, watch_until"
    async with pepay.runtime.store.begin() as tx:
        await tx.destinations._raw(
            f"INSERT INTO pepay_destination ({columns.format('address')}) {NUMBERS} "
            f"SELECT {columns.format(ADDRESS[engine])} FROM numbers CROSS JOIN (SELECT * FROM pepay_destination LIMIT 1) AS one",
            count,
        )


@pytest.mark.parametrize("count", [100, 1_000, 10_000, 100_000])
async def test_a_pass_costs_the_same_for_any_number_of_addresses(pepay, engine, count, capsys):
    await issue_many(pepay, engine, count)
    keeper = pepay.runtime.keepers[CHAIN]
    statistics = pepay.runtime.store.statistics
    started = time.process_time()
    await pepay.look()
    loading = time.process_time() - started
    # The first look that finds the driver's tables made.
    pepay.mine()
    await pepay.look()

    lines = []
    for name, blocks in (("idle", 0), ("a new block", 1)):
        used, statements = 0.0, 0
        for _ in range(PASSES):
            pepay.mine(blocks)
            before, began = statistics.statements, time.process_time()
            await keeper._watcher.look()
            used += time.process_time() - began
            statements += statistics.statements - before
        lines.append(f"{name}: {1000 * used / PASSES:.2f} ms, {statements / PASSES:.1f} statements")
    watched = len(keeper._watcher._watched.list)
    with capsys.disabled():
        sys.stdout.write(f"\n{engine}, {watched} addresses: loaded in {1000 * loading:.0f} ms; a pass, {'; '.join(lines)}\n")
    assert watched == count + 1
