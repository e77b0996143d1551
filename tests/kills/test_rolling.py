"""Processes are ended in good order and started again, one after the other, as an upgrade does, while clients go on."""

from __future__ import annotations

import asyncio
import signal
import threading
import time

import pytest
from blackbox import XPUB, Market, make_gateway, until
from fleet import Client, Fleet, Follower, environment, say

from pepay_core.storage.opening import open_database
from pepay_core.storage.sessions import Statistics, unit_of_work
from pepay_core.testing import erc20
from pepay_core.testing.anvil import Anvil

pytestmark = pytest.mark.slow

ROUNDS = 2
CLIENTS = 3


async def leases(url):
    async with open_database(url) as database, unit_of_work(database, Statistics(), readonly=True) as session:
        return await session.execute("SELECT name, holder FROM pepay_lease")


def test_an_upgrade_one_process_at_a_time_is_noticed_by_nobody(tmp_path, postgres):
    market, name = Market(), postgres.create()
    with Anvil(block_time=1) as node:
        usdc = node.deploy(erc20.coin("USDC", 6, 10**15))
        node.mine()
        gateway = make_gateway(tmp_path, market, node.url, [("USDC", usdc, 6, "usd-coin")], postgres.url(name))
        text = (tmp_path / "pepay.toml").read_text().replace("[server]\nport = 0", '[server]\nbase_url = "http://pepay.test"')
        (tmp_path / "pepay.toml").write_text(text + "\n[limits]\nwrites_per_minute = 100000\nreads_per_minute = 1000000\n")
        fleet = Fleet.of(("api", "api", "worker"), tmp_path, environment())
        try:
            fleet.start()
            client = Client(fleet, "pepay.test", gateway.made["keys"]["test"])
            client.call("POST", "/api/v1/wallets", {"chain_family": "eip155", "kind": "xpub", "value": XPUB}, key="wallet")
            until(lambda: any(each["available"] for each in client.call("GET", "/api/v1/tokens?limit=100")["data"]), "an asset to be available")
            until(lambda: asyncio.run(leases(postgres.url(name))), "the chain to be watched")
            begun = client.call("POST", "/api/v1/invoices", {"amount_usd": "10.00"}, key="first")
            follower = Follower(fleet, "pepay.test", gateway.made["keys"]["test"], next(iter(client.pages("/api/v1/events")))["id"])
            follower.start()
            made, stop = [begun["id"]], threading.Event()

            def order(number):
                turn = 0
                while not stop.is_set():
                    turn += 1
                    made.append(client.call("POST", "/api/v1/invoices", {"amount_usd": "10.00"}, key=f"{number} {turn}")["id"])

            threads = [threading.Thread(target=order, args=(number,)) for number in range(CLIENTS)]
            for each in threads:
                each.start()
            took = []
            for _ in range(ROUNDS):
                for member in fleet.members:
                    until(lambda: follower.connections, "the stream to be open")
                    began = time.monotonic()
                    assert member.end(signal.SIGTERM) == 0, member.text[-3000:]
                    took.append(time.monotonic() - began)
                    if member.role == "worker":
                        assert asyncio.run(leases(postgres.url(name))) == []
                    member.start()
                    assert member.ready.wait(60), member.text[-3000:]
            stop.set()
            for each in threads:
                each.join(60)
            created = [each for each in client.pages("/api/v1/events") if each["type"] == "invoice.created"]
            until(lambda: len([each for each in follower.events.values() if each["type"] == "invoice.created"]) >= len(made) - 1, "the stream to end")
            follower.stop()
            say(f"\n{len(made)} orders; ended within {max(took):.1f} s; {dict(client.answers)}")
            assert {each["data"]["object"]["id"] for each in created} == set(made)
            assert follower.refused == []
            assert [status for status in client.answers if status.startswith("5")] == []
            assert max(took) < 30  # the bound that is promised, and not a measure of speed
        finally:
            fleet.stop()
            postgres.drop(name)
            market.close()
