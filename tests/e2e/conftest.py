"""One gateway for the tests of a module, on SQLite and on PostgreSQL."""

from __future__ import annotations

import pytest
from blackbox import XPUB, Market, Shop, World, make_gateway, until

from pepay_core.testing import erc20
from pepay_core.testing.anvil import new_anvil
from pepay_core.testing.postgres import postgres

__all__ = ["postgres"]


@pytest.fixture(scope="module")
def market():
    market = Market()
    yield market
    market.close()


@pytest.fixture(scope="module")
def shop():
    shop = Shop()
    yield shop
    shop.close()


@pytest.fixture(scope="module")
def node():
    with new_anvil() as node:
        yield node


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def database(request):
    """Return the database URL for ``pepay init``, or None for SQLite beside the configuration."""
    if request.param == "sqlite":
        yield None
        return
    server = request.getfixturevalue("postgres")
    name = server.create()
    yield server.url(name)
    server.drop(name)


@pytest.fixture(scope="module")
def world(tmp_path_factory, node, market, shop, database):
    """Run a gateway with two tokens, a wallet and a webhook."""
    node.mine()
    usdc = node.deploy(erc20.coin("USDC", 6, 10**15))
    dai = node.deploy(erc20.coin("DAI", 18, 10**30))
    tokens = [("USDC", usdc, 6, "usd-coin"), ("DAI", dai, 18, "usd-coin")]
    gateway = make_gateway(tmp_path_factory.mktemp("gateway"), market, node.url, tokens, database)
    gateway.start()
    gateway.post("/api/v1/wallets", {"chain_family": "eip155", "kind": "xpub", "value": XPUB})
    gateway.post("/api/v1/webhooks", {"url": f"{shop.url}/hook", "enabled_events": ["*", "invoice.partial_payment"]})
    until(lambda: any(each["available"] for each in gateway.get("/api/v1/tokens?limit=100")["data"]), "an asset to be available")
    yield World(gateway, node, market, shop, usdc, dai)
    gateway.stop()
