import os
from contextlib import AsyncExitStack

import aiohttp
import pytest

from pepay_core.testing.foundry import AnvilMissing, find_anvil
from pepay_sandbox.local_chain import local_chain
from pepay_sandbox.wallet import TestWallet


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def anvil_here(monkeypatch):
    """Make sure that anvil is installed, or skip with the reason; with ``anvil`` in PEPAY_TEST_REQUIRE, fail."""
    try:
        monkeypatch.setenv("PEPAY_ANVIL", str(find_anvil()))
    except AnvilMissing as exc:
        if "anvil" in os.environ.get("PEPAY_TEST_REQUIRE", "").split(","):
            pytest.fail(str(exc))
        pytest.skip(str(exc))


@pytest.fixture(params=["py-evm", "anvil"])
def node(request):
    if request.param == "anvil":
        request.getfixturevalue("anvil_here")
    return request.param


@pytest.fixture
async def open_chain(session):
    """Start a chain by kind; each ends with the test."""
    async with AsyncExitStack() as stack:

        async def start(kind, *, block_seconds=0, **options):
            return await stack.enter_async_context(local_chain(session, node=kind, block_seconds=block_seconds, **options))

        yield start


@pytest.fixture
async def chain(node, open_chain):
    """A chain that mines each transaction at once, on either back end."""
    return await open_chain(node)


@pytest.fixture
async def small_chain(open_chain):
    """A chain on py-evm that mines each transaction at once."""
    return await open_chain("py-evm")


@pytest.fixture
async def wallet(chain):
    return await TestWallet.open(chain)
