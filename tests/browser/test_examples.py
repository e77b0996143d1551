"""What ``contrib/examples`` holds works as it stands there."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import npm
import pytest
from blackbox import until
from playwright.sync_api import expect
from purses import UNDERWAY, wallet_for
from storefront import Storefront

EXAMPLES = Path(__file__).parents[2] / "contrib" / "examples"
MAIN = """
import { createRoot } from "react-dom/client";
import { PePayCheckout } from "./PePayCheckout";
addEventListener("load", () => {
  const place = document.querySelector("#root") as HTMLElement;
  const onStatus = (status: string) => (place.dataset.status = status);
  const root = createRoot(place);
  root.render(<PePayCheckout invoice="INVOICE" token="TOKEN" onStatus={onStatus} />);
  document.querySelector("button")!.addEventListener("click", () => root.unmount());
});
"""


def checkout(page):
    return page.page.frame_locator("iframe[title=Payment]")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def front(town):
    front = Storefront("localhost")
    town.gateway.call("PATCH", "/api/v1/merchant", {"embed_origins": [front.origin]})
    yield front
    front.close()


def test_the_plain_page_opens_the_checkout_and_tells_its_state(pages, town, front):
    invoice = town.invoice("USDC")
    text = (EXAMPLES / "html" / "index.html").read_text()
    front.html = text.replace("INVOICE", invoice["id"]).replace("TOKEN", invoice["client_token"]).replace("GATEWAY", town.gateway.url)
    page = pages.new()
    page.watch.allow(town.gateway.url)
    page.watch.forgive("favicon.ico")
    page.open(f"{front.origin}/")

    page.click("Pay with crypto")

    expect(checkout(page).get_by_text("Send exactly")).to_be_visible()
    page.shows("The payment is unpaid.")


def test_the_component_shows_the_checkout_and_takes_it_away(pages, town, front, tmp_path):
    invoice = town.invoice("USDC")
    modules = npm.modules(EXAMPLES / "react")
    (tmp_path / "PePayCheckout.tsx").write_text((EXAMPLES / "react" / "PePayCheckout.tsx").read_text())
    (tmp_path / "main.tsx").write_text(MAIN.replace("INVOICE", invoice["id"]).replace("TOKEN", invoice["client_token"]))
    built = subprocess.run(
        [
            "node",
            str(modules / "esbuild" / "bin" / "esbuild"),
            "main.tsx",
            "--bundle",
            "--minify",
            "--jsx=automatic",
            '--define:process.env.NODE_ENV="production"',
        ],
        cwd=tmp_path,
        env={**os.environ, "NODE_PATH": str(modules)},
        capture_output=True,
        check=True,
    )
    page = pages.new()
    page.watch.allow(town.gateway.url)
    body = (
        f'<div id="root"></div><button>Leave</button><script src="{town.gateway.url}/embed/v1.js"></script><script>{built.stdout.decode()}</script>'
    )
    page.open(front.show(body))

    expect(checkout(page).get_by_text("Send exactly")).to_be_visible()
    expect(page.page.locator("#root[data-status=unpaid]")).to_have_count(1)
    page.click("Leave")

    expect(page.page.locator("iframe")).to_have_count(0)


@pytest.fixture
def shop(town, tmp_path):
    """The example shop in a process of its own, which PePay knows; yields its address and what it printed."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    endpoint = town.gateway.post("/api/v1/webhooks", {"url": f"{origin}/webhooks", "enabled_events": ["invoice.*"]})
    town.gateway.call("PATCH", "/api/v1/merchant", {"embed_origins": [origin]})
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(EXAMPLES / "shop"),
        "PEPAY_URL": town.gateway.url,
        "PEPAY_KEY": town.gateway.made["keys"]["test"],
        "PEPAY_WEBHOOK_SECRET": endpoint["secret"],
        "SHOP_PORT": str(port),
        "SHOP_DATABASE": str(tmp_path / "shop.db"),
    }
    with (
        (tmp_path / "said").open("w") as said,
        subprocess.Popen([sys.executable, "-m", "shop"], cwd=tmp_path, env=environ, stdout=said, stderr=subprocess.STDOUT) as process,
    ):
        until(lambda: "The shop is open" in (tmp_path / "said").read_text(), "the shop to open")
        yield origin, (tmp_path / "said").read_text, endpoint
        process.terminate()


def deliveries(town, endpoint):
    return town.gateway.get(f"/api/v1/webhooks/{endpoint['id']}/deliveries")["data"]


def test_the_shop_takes_an_order_is_paid_and_ships_once(pages, town, shop):
    origin, said, endpoint = shop
    wallet = wallet_for(town, "USDC", top_only=True)
    page = pages.new()
    wallet.put_into(page.page)
    page.watch.allow(town.gateway.url)
    page.open(f"{origin}/")

    page.page.get_by_role("listitem").filter(has_text="Espresso").get_by_role("button", name="Order").click()
    page.shows("Waiting for your payment.")
    page.click("Pay with crypto")
    checkout(page).get_by_role("button", name=re.compile("USDC.*Dev")).click()
    checkout(page).get_by_role("button", name=wallet.name).click()
    expect(checkout(page).locator(UNDERWAY)).to_be_visible(timeout=20_000)
    town.settle("USDC")

    page.shows("Thank you: it is on its way.")
    # Whatever comes again ships nothing again.
    for each in deliveries(town, endpoint):
        town.gateway.post(f"/api/v1/webhooks/deliveries/{each['id']}/redeliver", {}, 200)
    until(lambda: all(len(each["attempts"]) > 1 and each["state"] == "delivered" for each in deliveries(town, endpoint)), "the deliveries again")
    assert said().count("shipping what invoice") == 1


def test_the_shop_believes_nobody_but_pepay(town, shop):
    origin, said, _ = shop
    invoice = town.invoice("USDC")
    forged = {"type": "invoice.paid", "data": {"object": {"object": "invoice", "id": invoice["id"], "status": "paid", "version": 99, "fulfil": True}}}
    headers = {"webhook-id": "evt_1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA", "content-type": "application/json"}
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(urllib.request.Request(f"{origin}/webhooks", json.dumps(forged).encode(), headers), timeout=10)
    assert "shipping" not in said()
