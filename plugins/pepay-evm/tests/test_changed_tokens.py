"""A token that becomes another one while the network runs is refused."""

from __future__ import annotations

import logging

import odd_tokens
import pytest
from lacking import without
from odd_tokens import call, made

from pepay_core.testing.clock import FakeClock
from pepay_evm.chain import EvmChain
from pepay_evm.guarding import EVERY_SECONDS
from pepay_evm.networks import erc20 as token_of


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def token(anvil):
    """Return an upgradeable token with six decimals."""
    return anvil.deploy(made(odd_tokens.UPGRADEABLE, anvil.deploy(made(odd_tokens.LOGIC, 6))))


@pytest.fixture
async def chain(anvil, http, make_network, token, clock):
    chain = EvmChain(make_network(anvil.url, tokens=(token_of("eip155:31337", "UPG", token, 6, "usd-coin"),)), http, clock)
    await chain.open()
    assert chain.refused == {}
    return chain


def upgrade(anvil, token, decimals, creation=odd_tokens.LOGIC):
    logic = anvil.deploy(made(creation, decimals, *([10**9] if creation != odd_tokens.LOGIC else [])))
    anvil.send(token, data=call("upgradeTo(address)", logic), gas=200_000)
    anvil.mine()


async def later(chain, clock, seconds=EVERY_SECONDS):
    await clock.advance(seconds)
    await chain.tip()


async def test_a_token_whose_decimals_change_is_refused_while_the_network_runs_and_that_is_told(anvil, chain, token, clock, caplog):
    upgrade(anvil, token, 18)
    await later(chain, clock, EVERY_SECONDS - 1)
    assert chain.refused == {}
    with caplog.at_level(logging.WARNING, "pepay.plugin.evm"):
        await later(chain, clock, 1)
    assert list(chain.refused.values()) == ["UPG is configured with 6 decimals, and its contract has 18"]
    assert any(record.levelno == logging.ERROR and "UPG is refused" in record.getMessage() for record in caplog.records)
    upgrade(anvil, token, 6)
    await later(chain, clock)
    assert chain.refused == {}


async def test_a_token_that_is_upgraded_and_keeps_its_decimals_is_a_warning(anvil, chain, token, clock, caplog):
    with caplog.at_level(logging.WARNING, "pepay.plugin.evm"):
        await later(chain, clock)
        assert caplog.records == []
        upgrade(anvil, token, 6, odd_tokens.GUARDED)
        await later(chain, clock)
        assert chain.refused == {}
        (told,) = [record.getMessage() for record in caplog.records]
        await later(chain, clock)
    assert "UPG" in told
    assert "upgraded" in told
    assert len(caplog.records) == 1


async def test_a_contract_that_vanishes_is_refused(anvil, chain, token, clock):
    anvil.rpc("anvil_setCode", token, "0x")
    await later(chain, clock)
    assert list(chain.refused.values()) == ["there is no contract at this address"]


async def test_a_node_that_fails_refuses_no_token(anvil, http, make_network, proxy, token, clock):
    chain = EvmChain(make_network(proxy.url, tokens=(token_of("eip155:31337", "UPG", token, 6, "usd-coin"),)), http, clock)
    await chain.open()
    proxy.tamper = without("eth_call", code=-32005, message="rate limit exceeded")
    await later(chain, clock)
    assert chain.refused == {}
    proxy.tamper = lambda _calls, answers: answers
    upgrade(anvil, token, 18)
    # What nobody answered is asked again at the next look.
    await later(chain, clock, 1)
    assert len(chain.refused) == 1
