"""The suite passes a driver that keeps the contract, and catches each fault by the test that names it."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path

import pytest

from pepay_core.testing import ChainSuite
from pepay_core.testing.toy import ToyChain, ToyNet

pytest_plugins = ["pytester"]

_SOURCE = Path(__file__).with_name("broken_chains.py")
_spec = importlib.util.spec_from_file_location("broken_chains", _SOURCE)
broken_chains = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(broken_chains)

TESTS = sorted(name for name, _ in inspect.getmembers(ChainSuite, inspect.isfunction) if name.startswith("test_"))

MODULE = """
import pytest
import broken_chains
from pepay_core.testing.chain import ChainSuite
from pepay_core.testing.toy import ToyNet

class TestBroken(ChainSuite):
    bad_addresses = ("", "toy1short", "0x" + "1" * 40)
    spellings = (("TOY1" + "A" * 40, "toy1" + "a" * 40),)

    @pytest.fixture
    def net(self):
        return ToyNet()

    @pytest.fixture
    def chain(self, net):
        return broken_chains.{driver}(net)

    @pytest.fixture
    def wallet(self):
        return broken_chains.WalletMaterial("seed", "a seed")
"""


class TestToyChain(ChainSuite):
    bad_addresses = ("", "toy1short", "0x" + "1" * 40)
    spellings = (("TOY1" + "A" * 40, "toy1" + "a" * 40),)

    @pytest.fixture
    def net(self):
        return ToyNet()

    @pytest.fixture
    def chain(self, net):
        return ToyChain(net)

    @pytest.fixture
    def wallet(self, chain):
        return chain.parse_wallet("seed", "a seed")


class TestToyChainInPages(TestToyChain):
    @pytest.fixture
    def chain(self, net):
        chain = ToyChain(net)
        chain.page = 1
        return chain


@pytest.mark.parametrize("driver", broken_chains.FAULTS, ids=lambda driver: driver.__name__)
def test_a_broken_driver_is_caught_by_the_test_that_names_its_fault(pytester, driver):
    pytester.makepyfile(broken_chains=_SOURCE.read_text(encoding="utf-8"), test_broken=MODULE.format(driver=driver.__name__))
    result = pytester.inline_run("-p", "no:cacheprovider")
    _, _, failed = result.listoutcomes()
    names = {report.nodeid.rpartition("::")[2].partition("[")[0] for report in failed}
    assert names == {broken_chains.FAULTS[driver]}


def test_every_test_of_the_suite_catches_a_fault():
    assert sorted(broken_chains.FAULTS.values()) == TESTS
