"""`pepay demo` in a browser: its first page says what PePay is, and a paid order is three clicks away."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading

import pytest
from browsing import DESKTOP, PHONE, Pages, pictures
from requiring import lacking

from pepay_core.testing.foundry import AnvilMissing, find_anvil


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The URLs of a running demo."""
    try:
        find_anvil()
    except AnvilMissing as exc:
        lacking("anvil", str(exc))
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "pepay_core.cli.main", "demo", "--json", "--port", "0"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    alarm = threading.Timer(90, process.kill)
    alarm.start()
    said = process.stdout.readline()
    alarm.cancel()
    assert said, process.stderr.read()
    yield json.loads(said)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


@pytest.fixture
def pages(browser):
    opened = Pages(browser, pictures())
    yield opened
    opened.close()


def test_a_newcomer_reads_what_it_is_and_pays_in_three_clicks(pages, demo):
    page = pages.open(demo["shop"])
    page.shows("PePay takes crypto for your shop, on your own server.")
    page.keep("demo")
    page.watch.allow(demo["api"])

    page.click("Pay with crypto")
    page.reaches("awaiting")
    page.click("Pay in full")
    page.reaches("paid")

    page.keep("demo-paid")
    page.page.get_by_role("link", name=re.compile("Back to")).click()
    page.shows("Orders")


def test_the_first_page_can_be_used_by_everybody(pages, demo):
    for screen in (PHONE, DESKTOP, PHONE.but(theme="dark"), DESKTOP.but(theme="dark")):
        page = pages.open(demo["shop"], screen)
        page.keep("demo")
        page.axe()


@pytest.mark.parametrize("symbol", ["USDC", "ETH", "SOL"])
def test_the_test_wallet_pays(pages, demo, symbol):
    page = pages.open(demo["shop"])
    page.watch.allow(demo["api"])
    page.page.locator(f".choice:has-text('{symbol}')").last.click()
    page.click("Pay with crypto")
    page.reaches("awaiting")
    page.page.get_by_role("button", name=re.compile("Test wallet")).click()
    page.reaches("paid", seconds=40)
