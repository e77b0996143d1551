"""``pepay trigger`` beside a running server: examples at once, and real payments from a faucet."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from blackbox import Listening


@pytest.fixture(scope="module")
def database():
    """One is enough: what is stored is tested on both."""
    return


class Faucet(Listening):
    """Answers as the faucet of `pepay sandbox evm` does, and pays from the node."""

    def __init__(self, world):
        self.world = world
        self.asked = []
        super().__init__()

    def answer(self, method, path, headers, body):
        wish = json.loads(body)
        self.asked.append(wish)
        coin = "eth" if "eth" in wish else "usdc"
        whole, _, part = wish[coin].partition(".")
        decimals = 18 if coin == "eth" else 6
        units = int(whole + part.ljust(decimals, "0"))
        self.world.send(wish["address"], units, None if coin == "eth" else self.world.usdc)
        for _ in range(4):
            self.world.node.mine()
        return 200, b'{"transactions": []}'


def test_an_example_is_told_to_the_shop_signed_and_marked(world):
    done = json.loads(world.gateway.run("trigger", "invoice.paid", "--json").stdout)
    assert done["real"] is False
    event = world.gateway.get(f"/api/v1/events/{done['id']}")
    assert (event["example"], event["type"], event["data"]["object"]["fulfil"]) == (True, "invoice.paid", True)
    assert world.gateway.get(f"/api/v1/invoices/{done['subject']}")["status"] == "unpaid"


def test_a_payment_from_a_faucet_is_real_and_so_is_what_follows(world):
    with closing(Faucet(world)) as faucet:
        for kind, status in (("invoice.paid", "paid"), ("invoice.underpaid", "underpaid")):
            done = json.loads(world.gateway.run("trigger", kind, "--faucet", faucet.url, "--asset", world.token(world.usdc), "--json").stdout)
            assert (done["event"], done["real"]) == (kind, True)
            assert world.gateway.get(f"/api/v1/invoices/{done['subject']}")["status"] == status
            assert "example" not in world.gateway.get(f"/api/v1/events/{done['id']}")
    assert [set(each) for each in faucet.asked] == [{"address", "usdc"}] * 2


def test_a_type_that_does_not_exist_is_a_mistake_of_usage(world):
    done = world.gateway.run("trigger", "invoice.lost", check=False)
    assert done.returncode == 2
    assert "invoice.paid" in done.stderr
