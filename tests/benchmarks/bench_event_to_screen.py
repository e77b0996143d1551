"""How long it takes from a change of an invoice until its buyer's page shows it, in a real Chromium on the same machine."""

from __future__ import annotations

import sys
import time

import pytest

playwright = pytest.importorskip("playwright.sync_api")

from blackbox import Market, gateway_on  # noqa: E402 - after what may not be there
from requiring import chromium  # noqa: E402

TIMES = 40

pytestmark = pytest.mark.slow


def test_a_change_is_on_the_screen(tmp_path, capsys):
    market = Market()
    gateway = gateway_on(tmp_path, market, "")
    gateway.environ |= {"PEPAY_LIMITS__BUYERS_PER_MINUTE": "100000", "PEPAY_LIMITS__WRITES_PER_MINUTE": "10000"}
    gateway.start()
    asking, showing = [], []
    try:
        with playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
            for _ in range(TIMES):
                invoice = gateway.invoice()
                page = browser.new_page()
                with page.expect_response(lambda answer: "/stream" in answer.url):
                    page.goto(invoice["payment_url"])
                began = time.monotonic()
                gateway.post(f"/api/v1/invoices/{invoice['id']}/cancel", {}, 200)
                answered = time.monotonic()
                page.wait_for_selector("#checkout[data-state=canceled]")
                asking.append(answered - began)
                showing.append(time.monotonic() - answered)
                page.close()
            browser.close()
    finally:
        gateway.stop()
        market.close()
    with capsys.disabled():
        for name, delays in (("the request that changes it", sorted(asking)), ("from its answer to the screen", sorted(showing))):
            p95 = delays[len(delays) * 95 // 100]
            sys.stdout.write(f"\n{name}: {1000 * delays[len(delays) // 2]:.0f} ms (median), {1000 * p95:.0f} ms (p95)")
        sys.stdout.write("\n")
    assert len(showing) == TIMES
