"""A thousand open pages on one process: how soon each is told of a change, what a page costs, and how soon all are back after a restart."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from blackbox import Market, gateway_on

INVOICES = 100
PAGES_OF_EACH = 10

pytestmark = pytest.mark.slow


def resident(process) -> int:
    """Return how much memory a process has, in bytes."""
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class OpenPage:
    """One page's stream, by a bare socket: a client that cost much would measure itself."""

    def __init__(self, invoice) -> None:
        self.invoice = invoice
        self.heard: list[tuple[float, bytes]] = []
        self.told = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def reached(self, times: int) -> None:
        while len(self.heard) < times:
            self.told.clear()
            await self.told.wait()

    async def follow(self, url: str) -> None:
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        path = f"/api/v1/checkout/{self.invoice['id']}/stream?token={self.invoice['client_token']}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        try:
            while line := await reader.readline():
                if line.startswith(b"data:"):
                    self.heard.append((time.monotonic(), line))
                    self.told.set()
        finally:
            writer.close()


async def until(pages, times: int) -> float:
    """Wait until each page was told so many times, and return when the last one was."""
    async with asyncio.timeout(120):
        await asyncio.gather(*(page.reached(times) for page in pages))
    return max(page.heard[times - 1][0] for page in pages)


async def test_a_thousand_open_pages(tmp_path, capsys):
    market = Market()
    gateway = gateway_on(tmp_path, market, "")
    gateway.environ |= {"PEPAY_LIMITS__LIVE_PAGES": "2000", "PEPAY_LIMITS__BUYERS_PER_MINUTE": "100000", "PEPAY_LIMITS__WRITES_PER_MINUTE": "10000"}
    gateway.start()
    try:
        invoices = [await asyncio.to_thread(gateway.invoice) for _ in range(INVOICES)]
        before = resident(gateway.process)
        pages = [OpenPage(invoice) for invoice in invoices for _ in range(PAGES_OF_EACH)]
        began = time.monotonic()
        for page in pages:
            page.task = asyncio.create_task(page.follow(gateway.url))
        opened = await until(pages, 1) - began
        memory = (resident(gateway.process) - before) / len(pages)

        delays = []
        for invoice in invoices:
            watching = [page for page in pages if page.invoice is invoice]
            asked = time.monotonic()
            await asyncio.to_thread(gateway.post, f"/api/v1/invoices/{invoice['id']}/cancel", {}, 200)
            await until(watching, 2)
            # From the moment that it was asked for, so the whole change is in it.
            delays += [page.heard[1][0] - asked for page in watching]
        delays.sort()
        p50, p95 = delays[len(delays) // 2], delays[len(delays) * 95 // 100]
        with capsys.disabled():
            sys.stdout.write(
                f"\n{len(pages)} open pages of {INVOICES} invoices: all told within {opened:.1f} s of being opened, {memory / 1024:.0f} KiB each; "
                f"a change is told after {1000 * p50:.0f} ms (median), {1000 * p95:.0f} ms (p95), {1000 * delays[-1]:.0f} ms (last)\n"
            )
        assert len(delays) == len(pages)
        stopping = time.monotonic()
        await asyncio.to_thread(gateway.stop)
        await asyncio.gather(*(page.task for page in pages if page.task))
        with capsys.disabled():
            sys.stdout.write(f"a server that stops has let all of them go after {time.monotonic() - stopping:.1f} s\n")
    finally:
        gateway.stop()
        market.close()
