"""Every stock plugin that is installed here is a good guest."""

import importlib

import pytest

from pepay_core.plugins.loader import discover
from pepay_core.testing import PluginSuite

STOCK = {each.name: each.target for each in discover() if each.is_stock}


class TestStock(PluginSuite):
    also_imports = frozenset({"pepay_evm", "pepay_solana", "pepay_webhook_hmac", "pepay_core.testing"})

    @pytest.fixture(params=STOCK.values(), ids=STOCK.keys())
    def plugin(self, request):
        return importlib.import_module(request.param)


def test_the_stock_bundle_is_installed():
    assert {"evm", "solana", "coingecko", "coinbase", "kraken", "webhook-hmac", "email", "sandbox"} <= set(STOCK)
