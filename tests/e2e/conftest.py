"""A gateway of its own for every test, on SQLite and on PostgreSQL."""

from __future__ import annotations

import pytest
from blackbox import XPUB, Market, Shop, World, make_gateway, until
from pepay_core.testing.postgres import postgres

from pepay_core.testing import erc20
from pepay_core.testing.anvil import anvil

__all__ = ["anvil", "postgres"]


@pytest.fixture
def market():
    market = Market()
    yield market
    market.close()


@pytest.fixture
def shop():
    shop = Shop()
    yield shop
    shop.close()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request, tmp_path):
    """Return the database URL for ``pepay init``, or None for SQLite beside the configuration."""
    if request.param == "sqlite":
        return None
    return request.getfixturevalue("postgres").new_database()


@pytest.fixture
def world(tmp_path, anvil, market, shop, database):
    """Run a gateway with two tokens, a wallet and a webhook."""
    anvil.mine()
    usdc = anvil.deploy(erc20.coin("USDC", 6, 10**15))
    dai = anvil.deploy(erc20.coin("DAI", 18, 10**30))
    gateway = make_gateway(tmp_path, market, anvil.url, [("USDC", usdc, 6, "usd-coin"), ("DAI", dai, 18, "usd-coin")], database)
    gateway.start()
    gateway.post("/api/v1/wallets", {"chain_family": "eip155", "kind": "xpub", "value": XPUB})
    gateway.post("/api/v1/webhooks", {"url": f"{shop.url}/hook", "enabled_events": ["*", "invoice.partial_payment"]})
    until(lambda: any(each["available"] for each in gateway.get("/api/v1/tokens?limit=100")["data"]), "an asset to be available")
    yield World(gateway, anvil, market, shop, usdc, dai)
    gateway.stop()
