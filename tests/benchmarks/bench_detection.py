"""What a poll costs, by how many invoices are open, and how fast a driver catches up: ``nox -s bench``.

Everything is measured in one run on one node. The same blocks are looked at for every number of invoices, in turns, so that whatever
else the machine does falls on all of them alike; CPU time is the client's own, and the least of all polls. Only counts and ratios
are judged. The table in ``docs/reference/performance.md`` is written anew.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from pepay_core.api import Destination, Finality, Watchlist
from pepay_core.clock import SystemClock
from pepay_core.http import AiohttpClient
from pepay_core.testing import erc20
from pepay_core.testing.anvil import anvil
from pepay_evm.chain import EvmChain
from pepay_evm.networks import Network, coin
from pepay_evm.networks import erc20 as token_of

__all__ = ["anvil"]

PAGE = Path(__file__).parents[2] / "docs/reference/performance.md"
INVOICES = (100, 1_000, 10_000, 100_000)
POLLS = int(os.environ.get("PEPAY_BENCH_POLLS", "30"))
REPEATS = 4  # looks at each block
BLOCKS = int(os.environ.get("PEPAY_BENCH_BLOCKS", "1000"))
OTHERS = 60  # transactions of a block that have nothing to do with us
CHAIN = "eip155:31337"


class Counting(AiohttpClient):
    """The HTTP client, with a count of what goes out."""

    posts = 0
    methods: list[str]

    async def post(self, url, body, **options):
        self.posts += 1
        self.methods += [call["method"] for call in json.loads(body)]
        return await super().post(url, body, **options)


@dataclass
class Row:
    """What was measured for one number of open invoices."""

    invoices: int
    watched: Watchlist
    chain: EvmChain
    http: Counting
    posts: set[int] = field(default_factory=set)
    calls: set[int] = field(default_factory=set)
    reads: set[int] = field(default_factory=set)
    cpu: list[float] = field(default_factory=list)
    after: object = None


def destination(number):
    return Destination(f"0x{0xBEEF << 32 | number:040x}")


class Town:
    """A node on which blocks full of other people's transactions are mined, with some that pay us."""

    def __init__(self, node):
        self.node = node
        self.token = node.deploy(erc20.coin("USDC", 6, 2**255))
        self.disperse = node.deploy(erc20.DISPERSE)
        node.send(self.token, data=erc20.transfer(self.disperse, 2**200), gas=100_000)
        node.rpc("evm_setBlockGasLimit", hex(500_000_000))
        node.mine()

    def block(self, kind):
        """Mine a block in which the first invoices are paid in tokens, or in native coin by a contract."""
        nobody = f"0x{0xDEAD:040x}"
        for number in range(OTHERS):
            sender = self.node.accounts[1 + number % 9]
            if number % 2:
                self.node.send(nobody, 7, sender=sender, gas=21_000)
            else:
                self.node.send(self.disperse, 7, data=erc20.disperse_coins([(nobody, 7)]), sender=sender, gas=200_000)
        paid = [(destination(number).address, 5) for number in range(3)]
        if kind == "tokens":
            self.node.send(self.disperse, data=erc20.disperse_tokens(self.token, paid), gas=500_000)
        else:
            self.node.send(self.disperse, 15, data=erc20.disperse_coins(paid), gas=500_000)
        self.node.mine()


@pytest.fixture(scope="module")
def table():
    """Return the lines of the page's table, which are written when all is measured."""
    lines: list[str] = []
    yield lines
    text = PAGE.read_text()
    body = "\n".join(lines)
    sys.stdout.write(f"\n{body}\n")
    PAGE.write_text(re.sub(r"(<!-- measured -->\n).*?(<!-- end -->)", lambda found: f"{found[1]}\n{body}\n\n{found[2]}", text, flags=re.DOTALL))


async def open_chain(node, town, http, *, traced, max_range=64):
    http.methods = []
    network = Network(
        key="dev",
        name="Dev",
        id=CHAIN,
        native=coin(CHAIN, "ETH", "ethereum"),
        finality=Finality.confirmations(1),
        block_seconds=1.0,
        tokens=(token_of(CHAIN, "USDC", town.token, 6, "usd-coin"),),
        rpc=(SecretStr(node.url),),
        max_range=max_range,
    )
    chain = EvmChain(network, http, SystemClock())
    await chain.open()
    if not traced:
        for endpoint in chain._rpc.endpoints:
            able = await chain._abilities.of(endpoint)
            able.shown = replace(able.shown, trace=None)
    return chain


async def poll(row, *, measured):
    row.http.posts, row.http.methods = 0, []
    began = time.process_time()
    tip = await row.chain.tip()
    scan = await row.chain.scan(row.watched, row.after, tip.block)
    spent = time.process_time() - began
    assert scan.cursor == tip.block
    assert sum(transfer.units for transfer in scan.transfers) == 15
    if measured:
        row.posts.add(row.http.posts)
        row.calls.add(len(row.http.methods))
        row.reads.add(row.http.methods.count("eth_call"))
        row.cpu.append(spent)
    return scan.cursor


async def measure(node, *, kind, traced):
    town = Town(node)
    rows = []
    async with AsyncExitStack() as stack:
        for invoices in INVOICES:
            http = await stack.enter_async_context(Counting())
            chain = await open_chain(node, town, http, traced=traced)
            rows.append(Row(invoices, Watchlist(map(destination, range(invoices))), chain, http, after=(await chain.tip()).block))
        for number in range(POLLS + 2):
            town.block(kind)
            for turn in range(REPEATS):
                first = (number + turn) % len(rows)
                for row in rows[first:] + rows[:first]:
                    cursor = await poll(row, measured=number >= 2)  # the first ones fill what is kept between polls
            for row in rows:
                row.after = cursor
    return rows


def show(table, title, rows):
    table += [f"**{title}**", "", "| open invoices | POSTs | JSON-RPC calls | of which read balances | client CPU | against the first row |"]
    table.append("|--:|--:|--:|--:|--:|--:|")
    for row in rows:
        ratio = min(row.cpu) / min(rows[0].cpu)
        table.append(f"| {row.invoices:,} | {max(row.posts)} | {max(row.calls)} | {max(row.reads)} | {1000 * min(row.cpu):.2f} ms | {ratio:.2f} |")
    table.append("")


async def test_tokens(anvil, table):
    rows = await measure(anvil, kind="tokens", traced=True)
    show(table, "Tokens", rows)
    assert len({tuple(row.posts) for row in rows}) == len({tuple(row.calls) for row in rows}) == 1
    assert min(rows[-1].cpu) <= 1.1 * min(rows[0].cpu)


async def test_native_with_traces(anvil, table):
    rows = await measure(anvil, kind="native", traced=True)
    show(table, "Native coin, sent by a contract, from an endpoint with traces", rows)
    assert len({tuple(row.posts) for row in rows}) == len({tuple(row.calls) for row in rows}) == 1
    assert min(rows[-1].cpu) <= 1.1 * min(rows[0].cpu)


async def test_native_without_traces(anvil, table):
    rows = await measure(anvil, kind="native", traced=False)
    show(table, "Native coin, sent by a contract, from an endpoint without traces", rows)
    for row in rows:
        assert row.reads == {-(-row.invoices // 10_000)}
        # Four calls with 10,000 addresses each fit into one request.
        assert max(row.posts) - max(rows[0].posts) <= row.invoices // 40_000 + 1


@pytest.mark.parametrize("traced", [True, False], ids=["with traces", "without traces"])
async def test_catching_up(anvil, table, traced):
    async with Counting() as http:
        await catch_up(anvil, table, http, traced=traced)


async def catch_up(anvil, table, http, *, traced):
    town = Town(anvil)
    chain = await open_chain(anvil, town, http, traced=traced, max_range=1000)
    watched = Watchlist(map(destination, range(1_000)))
    after = (await chain.tip()).block
    for number in range(20):
        anvil.send(town.token, data=erc20.transfer(destination(number).address, 3), gas=100_000)
        anvil.send(town.disperse, 4, data=erc20.disperse_coins([(destination(number).address, 4)]), gas=200_000)
        anvil.rpc("anvil_mine", hex(BLOCKS // 20))
    until = (await chain.tip()).block
    http.posts, found, rates = 0, 0, []
    began = time.perf_counter()
    while after != until:
        looked = time.perf_counter()
        scan = await chain.scan(watched, after, until)
        rates.append((scan.cursor.height - after.height) / (time.perf_counter() - looked))
        found += sum(transfer.units for transfer in scan.transfers)
        after = scan.cursor
    seconds = time.perf_counter() - began
    assert found == 20 * (3 + 4)
    if traced:
        table += ["**Catching up, 1,000 open invoices**", ""]
        table += ["| endpoint | blocks | POSTs | blocks per second | in the median look |", "|---|--:|--:|--:|--:|"]
    kind = "with traces" if traced else "without traces"
    table.append(f"| {kind} | {BLOCKS:,} | {http.posts:,} | {BLOCKS / seconds:,.0f} | {statistics.median(rates):,.0f} |")
