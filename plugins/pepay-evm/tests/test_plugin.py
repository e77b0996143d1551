from __future__ import annotations

import logging
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from pepay_core.api import NoDestination, PluginContext, Verdict
from pepay_core.clock import SystemClock
from pepay_core.testing import erc20
from pepay_core.testing.chain import reference
from pepay_evm import pepay_chains, pepay_checks, pepay_tokens
from pepay_evm.checks import NetworkCheck
from pepay_evm.networks import erc20 as token_of
from pepay_evm.settings import EvmSettings


def context(http, **networks):
    return PluginContext("evm", EvmSettings.model_validate({"networks": networks}), http, SystemClock(), logging.getLogger("test"))


async def test_every_configured_network_is_a_chain_with_its_tokens(http):
    ctx = context(http, arbitrum={"rpc": ["http://127.0.0.1:9"]}, bsc={"rpc": ["http://127.0.0.1:9"]})
    chains = {chain.id: chain for chain in pepay_chains(ctx)}
    assert {chain.name for chain in chains.values()} == {"Arbitrum One", "BNB Smart Chain"}
    tokens = list(pepay_tokens(ctx, chains))
    assert [token.symbol for token in tokens if not token.optional] == ["ETH", "USDC", "USDT", "BNB", "USDC", "USDT"]
    assert {token.chain for token in tokens} == set(chains)
    assert all(chain.native in {token.id for token in tokens} for chain in chains.values())


async def test_a_network_that_another_plugin_drives_brings_no_tokens(http):
    ctx = context(http, arbitrum={"rpc": ["http://127.0.0.1:9"]})
    assert list(pepay_tokens(ctx, {})) == []


def test_importing_the_plugin_imports_nothing_heavy():
    heavy = {"web3", "eth_account", "coincurve", "Crypto", "aiohttp", "pepay_evm.chain"}
    code = f"import sys, pepay_evm; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- wallets ---------------------------------------------------------------------


async def test_a_list_of_addresses_ends_with_a_clear_word(make_chain):
    chain = make_chain("http://127.0.0.1:9")
    listed = ["0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc"]
    wallet = chain.parse_wallet("addresses", "\n".join(listed))
    assert [(await chain.issue(wallet, reference(index))).address for index in (0, 1)] == [listed[0], "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"]
    with pytest.raises(NoDestination, match="all 2 addresses"):
        await chain.issue(wallet, reference(2))


async def test_a_token_contract_is_no_place_to_receive(make_chain):
    usdc = "0xaf88d065e77c8cC2239327C5EDb3A432268e5831"
    chain = make_chain("http://127.0.0.1:9", tokens=(token_of("eip155:31337", "USDC", usdc, 6, "usd-coin"),))
    with pytest.raises(Exception, match="contract of USDC"):
        chain.parse_wallet("addresses", [usdc])


# --- doctor ----------------------------------------------------------------------


class Later(SystemClock):
    def now(self):
        return datetime.now(UTC) + timedelta(hours=2)


async def findings(network, http, clock=None):
    return [(each.verdict, each.message, bool(each.remedy)) for each in await NetworkCheck(network, http, clock or SystemClock()).run()]


async def test_doctor_is_content_with_a_healthy_network(anvil, http, make_network):
    token = anvil.deploy(erc20.coin("USDC", 6, 1))
    network = make_network(anvil.url, tokens=(token_of("eip155:31337", "USDC", token, 6, "usd-coin"),))
    assert await findings(network, http) == [(Verdict.OK, "at block 1; what contracts send is seen by trace_block", False)]


async def test_doctor_names_every_problem_with_its_remedy(anvil, http, make_network):
    token = anvil.deploy(erc20.coin("USDC", 18, 1))
    assert await findings(make_network("http://127.0.0.1:9"), http) == [
        (Verdict.PROBLEM, "http://127.0.0.1:9: cannot connect (Connection refused)", True)
    ]
    assert await findings(make_network(anvil.url, number=5), http) == [(Verdict.PROBLEM, "serves eip155:31337, not eip155:5", True)]
    network = make_network(anvil.url, idle=False, tokens=(token_of("eip155:31337", "USDC", token, 6, "usd-coin"),))
    stale, decimals = await findings(network, http, Later())
    assert (stale[0], stale[2]) == (Verdict.WARNING, True)
    assert stale[1].startswith("its newest block is 7")
    assert decimals == (Verdict.PROBLEM, "USDC is configured with 6 decimals, and its contract has 18", True)


async def test_doctor_does_not_judge_the_age_of_an_idle_network(anvil, http, make_network):
    assert await findings(make_network(anvil.url), http, Later()) == [(Verdict.OK, "at block 0; what contracts send is seen by trace_block", False)]


async def test_each_network_is_a_question_for_itself_and_one_for_its_deposits(http):
    ctx = context(http, arbitrum={"rpc": ["http://127.0.0.1:9"]}, bsc={"rpc": ["http://127.0.0.1:9"]})
    assert [check.name for check in pepay_checks(ctx)] == ["evm arbitrum", "evm arbitrum deposits", "evm bsc", "evm bsc deposits"]
