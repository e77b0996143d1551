"""What an endpoint can do is found out at start, and what a token became while the network runs."""

from __future__ import annotations

import logging
from dataclasses import asdict

import odd_tokens
import pytest
from odd_tokens import call, made

from pepay_core.api import ChainUnavailable, Verdict
from pepay_core.clock import SystemClock
from pepay_core.testing import erc20
from pepay_core.testing.clock import FakeClock
from pepay_evm.chain import EvmChain
from pepay_evm.checks import NetworkCheck
from pepay_evm.events import Events
from pepay_evm.guarding import EVERY_SECONDS
from pepay_evm.networks import erc20 as token_of
from pepay_evm.probing import RANGES, probe
from pepay_evm.rpc import Endpoint, RateLimited, WrongChain

USDC = "0x" + "dc" * 20
EVENTS = Events([USDC])


async def shown(endpoint):
    """Return what the probe finds, without the block at which that was."""
    return {**asdict(await probe(endpoint, EVENTS)), "head": None}


EVERYTHING = {
    "head": None,
    "trace": "trace_block",
    "way": "state override",
    "by_hash": True,
    "source": "eth_getLogs",
    "log_range": RANGES[-1],
    "finalized": True,
}


@pytest.fixture
def endpoint(http, make_network):
    """Return a function that makes an endpoint for a URL."""

    def make(url, chain=31337):
        return Endpoint(make_network(url).rpc[0], http, chain)

    return make


def without(*methods, code=-32601, message="the method does not exist/is not available"):
    """Return what a node does that lacks some methods."""

    def tamper(calls, answers):
        for answer in answers:
            if calls[answer["id"]]["method"] in methods:
                answer.pop("result", None)
                answer["error"] = {"code": code, "message": message}
        return answers

    return tamper


async def test_a_node_that_can_do_everything_is_known_for_it(anvil, endpoint):
    anvil.mine(RANGES[-1])
    found = await probe(endpoint(anvil.url), EVENTS)
    assert found.head.height == RANGES[-1]
    assert found.lack is None
    assert await shown(endpoint(anvil.url)) == EVERYTHING


@pytest.mark.parametrize(
    ("methods", "changes"),
    [
        (["trace_block"], {"trace": "debug_traceBlockByNumber"}),
        (["trace_block", "debug_traceBlockByNumber"], {"trace": None}),
        (["eth_getBlockReceipts"], {}),
        (["eth_getLogs"], {"source": "eth_getBlockReceipts", "log_range": None}),
        (["eth_getLogs", "eth_getBlockReceipts"], {"source": None, "log_range": None}),
        (["eth_call"], {"way": None, "by_hash": False}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
async def test_a_method_that_is_missing_is_a_capability_less_and_nothing_else(anvil, endpoint, proxy, methods, changes):
    anvil.mine(RANGES[-1])
    for code, message in ((-32601, "the method does not exist"), (-32005, "upgrade your plan"), (403, "")):
        proxy.tamper = without(*methods, code=code, message=message)
        assert await shown(endpoint(proxy.url)) == {**EVERYTHING, **changes}


@pytest.mark.parametrize("method", ["eth_getLogs", "eth_getBlockReceipts"])
async def test_a_method_with_a_limit_of_zero_is_one_that_is_missing(anvil, endpoint, proxy, method):
    anvil.mine(RANGES[-1])
    proxy.tamper = without(method, code=-32005, message=f"method {method} in batch triggered rate limit")
    expected = {"source": "eth_getBlockReceipts", "log_range": None} if method == "eth_getLogs" else {}
    assert await shown(endpoint(proxy.url)) == {**EVERYTHING, **expected}


async def test_an_endpoint_that_limits_everything_has_shown_nothing(endpoint, proxy):
    node, proxy.tamper = endpoint(proxy.url), lambda _calls, _answers: 429
    with pytest.raises(RateLimited):
        await probe(node, EVENTS)


async def test_a_node_that_does_not_know_overrides_or_tags_is_not_asked_for_them(anvil, endpoint, proxy):
    def old(calls, answers):
        for answer in answers:
            params = calls[answer["id"]]["params"]
            if len(params) == 3:
                answer["result"] = "0x"
            elif params[:1] == ["finalized"]:
                answer["result"] = None
        return answers

    anvil.mine(RANGES[-1])
    proxy.tamper = old
    assert await shown(endpoint(proxy.url)) == {**EVERYTHING, "way": "creation call", "finalized": False}


@pytest.mark.parametrize("most", [1, 10, 500])
async def test_the_range_of_events_is_the_largest_that_was_answered(anvil, endpoint, proxy, most):
    anvil.mine(RANGES[-1])

    def limited(calls, answers):
        for answer in answers:
            asked = calls[answer["id"]]
            if asked["method"] == "eth_getLogs" and "toBlock" in asked["params"][0]:
                blocks = int(asked["params"][0]["toBlock"], 16) - int(asked["params"][0]["fromBlock"], 16) + 1
                if blocks > most:
                    answer.pop("result", None)
                    answer["error"] = {"code": -32000, "message": f"up to a {most} block range"}
        return answers

    proxy.tamper = limited
    assert (await probe(endpoint(proxy.url), EVENTS)).log_range == most


@pytest.mark.parametrize("answer", [None, [], {}, "0x", 7, [{}], "0x" + "00" * 32])
async def test_nonsense_is_no_capability_and_no_failure(anvil, endpoint, proxy, answer):
    head = anvil.rpc("eth_getBlockByNumber", "latest", False)

    def garble(calls, answers):
        for each in answers:
            asked = calls[each["id"]]
            if asked["method"] not in {"eth_chainId", "eth_getBlockByNumber"}:
                each["result"] = answer
        return answers

    proxy.tamper = garble
    found = await probe(endpoint(proxy.url), EVENTS)
    assert found.head.hash == head["hash"]
    assert found.way is None


async def test_a_probe_is_two_requests(anvil, endpoint, proxy):
    anvil.mine(RANGES[-1])
    await probe(endpoint(proxy.url), EVENTS)
    assert len(proxy.batches) == 2
    assert sum(map(len, proxy.batches)) <= 18


async def test_a_node_that_fails_fails_the_probe(anvil, endpoint):
    with pytest.raises(ChainUnavailable):
        await probe(endpoint("http://127.0.0.1:9"), EVENTS)
    with pytest.raises(WrongChain):
        await probe(endpoint(anvil.url, 5), EVENTS)


async def test_a_network_opens_while_one_endpoint_can_be_probed_and_the_other_is_probed_when_it_is_wanted(anvil, make_chain, proxy):
    chain = make_chain(proxy.url, anvil.url)
    proxy.tamper = lambda calls, answers: answers if len(calls) == 1 else 500
    await chain.open()
    broken, sound = chain._rpc.endpoints
    assert (await chain._abilities.of(sound)).shown.trace == "trace_block"
    with pytest.raises(ChainUnavailable):
        await chain._abilities.of(broken)
    proxy.tamper = lambda _calls, answers: answers
    assert (await chain._abilities.of(broken)).shown.trace == "trace_block"


async def test_an_endpoint_is_probed_once_and_again_after_a_failure(make_chain, proxy):
    chain = make_chain(proxy.url)
    await chain.open()
    (endpoint,) = chain._rpc.endpoints
    before = len(proxy.batches)
    known = await chain._abilities.of(endpoint)
    assert len(proxy.batches) == before
    chain._rpc.standing(endpoint).failed("it did not answer")
    proxy.denied = {"trace_block"}
    again = await chain._abilities.of(endpoint)
    assert (known.shown.trace, again.shown.trace) == ("trace_block", "debug_traceBlockByNumber")
    assert again.span is known.span


# --- tokens that become others ---------------------------------------------------


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


# --- doctor ----------------------------------------------------------------------


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
