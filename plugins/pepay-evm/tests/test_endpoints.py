"""Several endpoints, of which some are down, wrong, slow or garbled."""

from __future__ import annotations

import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pepay_core.api import ChainUnavailable, ConfigError, CursorOrphaned, Destination, NotReady, Watchlist
from pepay_core.testing import erc20
from pepay_core.testing.anvil import Anvil
from pepay_evm.networks import erc20 as token_of

PAYEE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
OURS = Destination(PAYEE)
NOBODY = "http://127.0.0.1:9"


# --- opening ---------------------------------------------------------------------


async def test_a_network_without_an_endpoint_that_answers_is_not_ready(make_chain):
    with pytest.raises(NotReady, match=r"127\.0\.0\.1:9"):
        await make_chain(NOBODY).open()


async def test_a_network_whose_endpoints_all_serve_another_chain_is_misconfigured(anvil, make_chain):
    with pytest.raises(ConfigError, match="serves eip155:31337") as caught:
        await make_chain(anvil.url, number=5).open()
    assert "[plugin.evm.networks.dev]" in caught.value.hint


async def test_a_wrong_chain_and_a_dead_endpoint_may_become_ready(anvil, make_chain):
    with pytest.raises(NotReady):
        await make_chain(anvil.url, NOBODY, number=5).open()


async def test_a_token_with_other_decimals_or_without_a_contract_is_refused(anvil, make_chain):
    dollar = anvil.deploy(erc20.coin("USDC", 18, 1))
    mute = anvil.deploy(erc20.DISPERSE)
    fine = anvil.deploy(erc20.coin("DAI", 18, 1))
    tokens = [
        token_of("eip155:31337", symbol, address, decimals, "usd-coin")
        for symbol, address, decimals in (("USDC", dollar, 6), ("NONE", "0x" + "12" * 20, 6), ("MUTE", mute, 6), ("DAI", fine, 18))
    ]
    chain = make_chain(anvil.url, tokens=tuple(tokens))
    await chain.open()
    assert {asset: reason for asset, reason in chain.refused.items() if asset == tokens[0].id} == {
        tokens[0].id: "USDC is configured with 6 decimals, and its contract has 18"
    }
    assert "no contract" in chain.refused[tokens[1].id]
    assert "does not tell" in chain.refused[tokens[2].id]
    assert tokens[3].id not in chain.refused


# --- failing over ----------------------------------------------------------------


async def test_another_endpoint_takes_over(anvil, make_chain):
    chain = make_chain(NOBODY, anvil.url)
    await chain.open()
    assert (await chain.tip()).block.height == 0


async def test_an_endpoint_that_failed_is_not_the_first_to_be_asked_again(anvil, make_chain, proxy):
    chain = make_chain(proxy.url, anvil.url)
    proxy.tamper = lambda *_: 500
    await chain.tip()
    assert len(proxy.batches) == 1
    await chain.tip()
    assert len(proxy.batches) == 1


async def test_an_endpoint_that_is_switched_to_another_chain_is_left_alone(anvil, make_chain, proxy):
    chain = make_chain(proxy.url, anvil.url)
    await chain.open()
    start = (await chain.tip()).block
    anvil.send(PAYEE, 5)
    anvil.mine(2)
    proxy.on("eth_chainId", lambda _, __: "0x1")
    tip = (await chain.tip()).block
    assert [transfer.units for transfer in (await chain.scan(Watchlist([OURS]), start, tip)).transfers] == [5]
    proxy.batches.clear()
    await chain.tip()
    assert proxy.batches == []


async def test_nothing_is_taken_from_the_wrong_chain_alone(anvil, make_chain, proxy):
    chain = make_chain(proxy.url)
    start = (await chain.tip()).block
    anvil.send(PAYEE, 5)
    anvil.mine()
    tip = (await chain.tip()).block
    proxy.on("eth_chainId", lambda _, __: "0x1")
    with pytest.raises(ChainUnavailable, match="serves eip155:1"):
        await chain.scan(Watchlist([OURS]), start, tip)
    proxy.on("eth_chainId", lambda _, served: served)
    with pytest.raises(ChainUnavailable):
        await chain.scan(Watchlist([OURS]), start, tip)


async def test_a_step_stays_with_one_endpoint(make_chain, proxy, anvil):
    chain = make_chain(NOBODY, proxy.url)
    await chain.open()
    start = (await chain.tip()).block
    anvil.send(PAYEE, 5)
    anvil.mine()
    tip = (await chain.tip()).block
    proxy.batches.clear()
    await chain.scan(Watchlist([OURS]), start, tip)
    assert len(proxy.batches) == 2


async def test_a_fork_among_the_endpoints_is_not_mistaken_for_blocks_of_ours(anvil, make_chain):
    with Anvil() as other:
        other.mine(3)
        anvil.mine(3)
        start = (await make_chain(anvil.url).tip()).block
        anvil.mine()
        until = (await make_chain(anvil.url).tip()).block
        forked = make_chain(other.url)
        with pytest.raises((ChainUnavailable, CursorOrphaned)):
            await forked.scan(Watchlist([OURS]), start, until)


async def test_the_finalized_height_is_told_where_it_matters(make_chain, proxy, anvil):
    anvil.mine(70)
    assert (await make_chain(proxy.url).tip()).finalized == anvil.height - 64
    proxy.on("eth_getBlockByNumber", lambda params, block: None if params[0] == "finalized" else block)
    assert (await make_chain(proxy.url).tip()).finalized is None

    def unknown_tag(calls, answers):
        for answer in answers:
            if calls[answer["id"]]["params"][:1] == ["finalized"]:
                del answer["result"]
                answer["error"] = {"code": -32602, "message": "unknown block tag"}
        return answers

    proxy.tamper = unknown_tag
    assert (await make_chain(proxy.url).tip()).finalized is None


# --- secrets ---------------------------------------------------------------------


async def test_what_an_endpoint_says_never_repeats_its_key(make_chain, proxy, caplog):
    caplog.set_level(logging.DEBUG)
    host = proxy.url.removeprefix("http://")
    url = f"http://user-name:pass-word@{host}/v3/0123456789abcdef?apikey=fedcba9876543210"
    chain = make_chain(url)
    secrets = ("user-name", "pass-word", "0123456789abcdef", "fedcba9876543210")
    said = [repr(chain), repr(chain._rpc.endpoints)]

    def complain(calls, answers):
        return {"jsonrpc": "2.0", "id": None, "error": {"code": -32000, "message": f"{url}: the key fedcba9876543210 of 0123456789abcdef is used up"}}

    for tamper in (complain, lambda *_: b"<html>" + url.encode(), lambda *_: 401, lambda *_: []):
        proxy.tamper = tamper
        with pytest.raises(ChainUnavailable) as caught:
            await chain.tip()
        said += [str(caught.value), repr(caught.value)]
    with pytest.raises(NotReady) as refused:
        await make_chain(url.replace(host, "127.0.0.1:9")).open()
    said += [str(refused.value), caplog.text]
    assert [secret for secret in secrets if any(secret in text for text in said)] == []


# --- garbled answers -------------------------------------------------------------

MALFORMED = st.sampled_from(
    [
        None,
        "",
        "0x",
        "0xZZ",
        "0x0x1",
        "-0x1",
        "0x00",
        "0x" + "f" * 65,
        "0x1" + "0" * 80,
        -1,
        7,
        10**400,
        True,
        [],
        [None],
        {},
        {"a": 1},
        "\ud800",
        "٣",
    ]
)
BODIES = st.sampled_from(
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"[[]]",
        b'"0x1"',
        b"<html>busy</html>",
        b"[{]",
        b"\xff\xfe",
        b"[" * 5000,
        b"NaN",
        b'[{"id":1e999}]',
        b"1" * 5000,
        b'{"error":{"message":5}}',
    ]
)


def paths(value, path=()):
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from paths(value[key], (*path, key))
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from paths(each, (*path, place))


def replaced(value, path, new):
    """Return a copy with what stands at a path replaced, or removed when the new value is a function."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1 and callable(new):
        del copy[path[0]]
    else:
        copy[path[0]] = replaced(copy[path[0]], path[1:], new)
    return copy


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
async def test_a_garbled_answer_is_never_a_crash_and_never_a_payment(anvil, make_chain, proxy, data):
    token = f"0x{'5fbdb2315678afecb367f032d93f642f64180aa3'}"
    if anvil.height == 0:
        assert anvil.deploy(erc20.coin("USDC", 6, 10**12)) == token
        anvil.send(PAYEE, 5)
        anvil.send(token, data=erc20.transfer(PAYEE, 7), gas=100_000)
        anvil.mine(2)
    chain = make_chain(proxy.url, tokens=(token_of("eip155:31337", "USDC", token, 6, "usd-coin"),))
    proxy.tamper = lambda _calls, answers: answers
    until = (await chain.tip()).block
    after = type(until)(0, anvil.rpc("eth_getBlockByNumber", "0x0", False)["hash"], until.time)
    batch = data.draw(st.integers(0, 1), label="batch")
    seen = []

    def garble(_calls, answers):
        seen.append(answers)
        if len(seen) != batch + 1:
            return answers
        kind = data.draw(st.sampled_from(["replace", "remove", "body", "status", "order", "twice", "ids"]), label="kind")
        if kind == "body":
            return data.draw(BODIES)
        if kind == "status":
            return data.draw(st.sampled_from([204, 301, 400, 401, 403, 413, 429, 500, 503]))
        if kind == "order":
            return data.draw(st.permutations(answers))
        if kind == "twice":
            return [*answers, data.draw(st.sampled_from(answers))]
        if kind == "ids":
            return [{**answer, "id": data.draw(st.sampled_from([answer["id"], str(answer["id"]), None, 99, -1, 0, True]))} for answer in answers]
        path = data.draw(st.sampled_from([path for path in paths(answers) if path]), label="path")
        return replaced(answers, path, data.draw(MALFORMED) if kind == "replace" else len)

    proxy.tamper = garble
    try:
        scan = await chain.scan(Watchlist([OURS]), after, until)
    except ChainUnavailable:
        return
    finally:
        proxy.tamper = lambda _calls, answers: answers
    truth = await make_chain(proxy.url, tokens=(token_of("eip155:31337", "USDC", token, 6, "usd-coin"),)).scan(Watchlist([OURS]), after, until)
    assert len(truth.transfers) == 2
    assert [transfer for transfer in scan.transfers if transfer not in truth.transfers] == []
