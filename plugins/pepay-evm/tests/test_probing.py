"""What an endpoint can do is found out at start."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from lacking import without

from pepay_core.api import ChainUnavailable
from pepay_core.testing.anvil import new_anvil
from pepay_evm.events import Events
from pepay_evm.probing import RANGES, probe
from pepay_evm.rpc import Endpoint, RateLimited, WrongChain

USDC = "0x" + "dc" * 20
EVENTS = Events([USDC])


@pytest.fixture(scope="module")
def anvil():
    """Return one node for all of them, with as many blocks as the widest range: nobody changes it."""
    with new_anvil() as node:
        node.mine(RANGES[-1])
        yield node


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


async def test_a_node_that_can_do_everything_is_known_for_it(anvil, endpoint):
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
async def test_a_method_that_is_missing_is_a_capability_less_and_nothing_else(endpoint, proxy, methods, changes):
    for code, message in ((-32601, "the method does not exist"), (-32005, "upgrade your plan"), (403, "")):
        proxy.tamper = without(*methods, code=code, message=message)
        assert await shown(endpoint(proxy.url)) == {**EVERYTHING, **changes}


@pytest.mark.parametrize("method", ["eth_getLogs", "eth_getBlockReceipts"])
async def test_a_method_with_a_limit_of_zero_is_one_that_is_missing(endpoint, proxy, method):
    proxy.tamper = without(method, code=-32005, message=f"method {method} in batch triggered rate limit")
    expected = {"source": "eth_getBlockReceipts", "log_range": None} if method == "eth_getLogs" else {}
    assert await shown(endpoint(proxy.url)) == {**EVERYTHING, **expected}


async def test_an_endpoint_that_limits_everything_has_shown_nothing(endpoint, proxy):
    node, proxy.tamper = endpoint(proxy.url), lambda _calls, _answers: 429
    with pytest.raises(RateLimited):
        await probe(node, EVENTS)


async def test_a_node_that_does_not_know_overrides_or_tags_is_not_asked_for_them(endpoint, proxy):
    def old(calls, answers):
        for answer in answers:
            params = calls[answer["id"]]["params"]
            if len(params) == 3:
                answer["result"] = "0x"
            elif params[:1] == ["finalized"]:
                answer["result"] = None
        return answers

    proxy.tamper = old
    assert await shown(endpoint(proxy.url)) == {**EVERYTHING, "way": "creation call", "finalized": False}


@pytest.mark.parametrize("most", [1, 10, 500])
async def test_the_range_of_events_is_the_largest_that_was_answered(endpoint, proxy, most):

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


async def test_a_probe_is_two_requests(endpoint, proxy):
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
