"""How fast a watcher catches up after downtime: blocks per second on a local node, with payments strewn in.

``PEPAY_BENCH_BLOCKS`` says how many blocks; 2,000 when it is not set: a development node slows down with each. ``bench_downtime.py`` makes more.
"""

from __future__ import annotations

import os
import sys
import time

import pytest
from engines import CHAIN

BLOCKS = int(os.environ.get("PEPAY_BENCH_BLOCKS", "2000"))
PAYMENTS = 50
AT_ONCE = 250  # that the node is asked to mine

pytestmark = pytest.mark.slow


def mine(node, blocks):
    for start in range(0, blocks, AT_ONCE):
        node.rpc("anvil_mine", hex(min(AT_ONCE, blocks - start)))


async def test_a_watcher_catches_up_without_missing_anything(pepay, engine, capsys):
    await pepay.invoice(pay_with=pepay.usdc_asset)
    invoices = [await pepay.invoice(pay_with=pepay.usdc_asset, expires_in=2_592_000) for _ in range(PAYMENTS)]
    for invoice in invoices:
        mine(pepay.node, BLOCKS // PAYMENTS)
        pepay.pay(invoice, "USDC")
    mine(pepay.node, 4)
    async with pepay.runtime.store.read() as tx:
        first = await tx.chains.newest_checkpoint(CHAIN)

    began, cpu = time.perf_counter(), time.process_time()
    await pepay.look()
    took, used = time.perf_counter() - began, time.process_time() - cpu

    blocks = pepay.node.height - first.height
    with capsys.disabled():
        sys.stdout.write(
            f"\n{engine}: {blocks} blocks with {PAYMENTS} payments in {took:.1f} s: {blocks / took:.0f} blocks/s; "
            f"{used:.1f} s of our own processor time, {blocks / used:.0f} blocks/s\n"
        )
    assert [(await pepay.get(each))["status"] for each in invoices] == ["paid"] * PAYMENTS
