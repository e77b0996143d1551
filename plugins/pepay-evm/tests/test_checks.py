"""What ``pepay doctor`` finds of a network."""

from __future__ import annotations

from lacking import without

from pepay_core.api import Verdict
from pepay_core.clock import SystemClock
from pepay_core.testing import erc20
from pepay_evm.checks import NetworkCheck
from pepay_evm.networks import erc20 as token_of


async def findings(network, http):
    return await NetworkCheck(network, http, SystemClock()).run()


async def test_doctor_says_what_an_endpoint_can_do(anvil, http, make_network):
    anvil.mine(5)
    (finding,) = await findings(make_network(anvil.url), http)
    assert finding.verdict is Verdict.OK
    assert "at block 5" in finding.message
    assert "trace_block" in finding.message


async def test_doctor_says_what_is_missing_and_what_to_do(http, make_network, proxy):
    proxy.tamper = without("eth_getLogs", "eth_getBlockReceipts", "trace_block", "debug_traceBlockByNumber", "eth_call")
    found = {finding.message: finding for finding in await findings(make_network(proxy.url), http)}
    (events,) = [finding for message, finding in found.items() if "events" in message]
    (native,) = [finding for message, finding in found.items() if "contracts send" in message]
    assert (events.verdict, native.verdict) == (Verdict.PROBLEM, Verdict.PROBLEM)
    assert events.remedy
    assert native.remedy


async def test_doctor_says_what_it_costs_that_events_are_read_from_receipts(http, make_network, proxy):
    proxy.tamper = without("eth_getLogs")
    (finding,) = await findings(make_network(proxy.url), http)
    assert finding.verdict is Verdict.WARNING
    assert "eth_getBlockReceipts" in finding.message


async def test_doctor_says_that_finality_needs_a_tag_that_the_endpoint_does_not_know(http, make_network, proxy):
    proxy.on("eth_getBlockByNumber", lambda params, block: None if params[0] == "finalized" else block)
    assert any("finalized" in finding.message and finding.verdict is Verdict.PROBLEM for finding in await findings(make_network(proxy.url), http))


async def test_doctor_names_a_token_that_differs_from_its_configuration(anvil, http, make_network):
    dollar = anvil.deploy(erc20.coin("USDC", 18, 1))
    network = make_network(anvil.url, tokens=(token_of("eip155:31337", "USDC", dollar, 6, "usd-coin"),))
    (finding,) = [each for each in await findings(network, http) if each.verdict is Verdict.PROBLEM]
    assert "USDC" in finding.subject
    assert "18" in finding.message
