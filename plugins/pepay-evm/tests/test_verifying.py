"""Tokens that say one thing and move another: nobody is credited with more than arrived, nor with more than was said."""

from __future__ import annotations

import logging

import odd_tokens
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_tokens import call, made

from pepay_core.api import ChainUnavailable, Destination, Watchlist
from pepay_core.testing import erc20
from pepay_evm.networks import erc20 as token_of
from pepay_evm.verifying import RECENT, credited

PAYEE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
OTHER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
OURS = Destination(PAYEE)
MAX = 2**256 - 1
SUPPLY = 10**30
GAS = 3_000_000


# --- the rule --------------------------------------------------------------------

amounts = st.lists(st.integers(1, 2**200), min_size=1, max_size=30)


@given(amounts, st.integers(-(2**210), 2**210))
def test_together_they_get_what_arrived_and_none_gets_more_than_it_says(said, arrived):
    shares = credited(said, arrived)
    assert sum(shares) == max(0, min(sum(said), arrived))
    assert [share for share, units in zip(shares, said, strict=True) if not 0 <= share <= units] == []


@given(amounts, st.integers(0, 2**210))
def test_no_share_is_a_whole_unit_away_from_its_proportion(said, arrived):
    total, real = sum(said), min(sum(said), arrived)
    assert [units for share, units in zip(credited(said, arrived), said, strict=True) if abs(share * total - units * real) >= total] == []


@given(amounts, st.integers(0, 2**64))
def test_all_of_it_is_credited_when_at_least_as_much_arrived(said, more):
    assert credited(said, sum(said) + more) == tuple(said)


@pytest.mark.parametrize(
    ("said", "arrived", "shares"),
    [
        ([100], 98, (98,)),
        ([100, 100], 196, (98, 98)),
        ([1, 1, 1], 2, (1, 1, 0)),
        ([3, 3, 3], 5, (2, 2, 1)),
        ([1000, 5], 5, (5, 0)),
        ([7], 0, (0,)),
        ([7], -3, (0,)),
    ],
)
def test_a_shortfall_is_shared_in_proportion_and_the_first_get_what_rounding_leaves(said, arrived, shares):
    assert credited(said, arrived) == shares


# --- on a node -------------------------------------------------------------------


@pytest.fixture
async def start(anvil, make_chain):
    """Return the block above which everything happens; the contracts are deployed in between."""
    anvil.mine()
    return (await make_chain(anvil.url).tip()).block


@pytest.fixture
def token(anvil):
    """Return a function that deploys a token, with the whole supply in the hands of the first account."""

    def deploy(creation, *arguments, decimals=6):
        return anvil.deploy(made(creation, decimals, SUPPLY, *arguments))

    return deploy


@pytest.fixture
def driver(make_chain):
    """Return a function that makes a driver for one token, about which nothing more is known."""

    def make(url, contract, decimals=6, *, standard=None, **changes):
        known = token_of("eip155:31337", "ODD", contract, decimals, "usd-coin")
        flags = {True: {"standard": frozenset({known.id})}, False: {"strict": frozenset({known.id})}, None: {}}
        return make_chain(url, tokens=(known,), **flags[standard], **changes)

    return make


async def found(chain, after, watched=(OURS,), until=None):
    """Return index and units of what arrived."""
    scan = await chain.scan(Watchlist(watched), after, until or (await chain.tip()).block)
    return [(transfer.index, transfer.units) for transfer in scan.transfers]


def send(anvil, contract, data):
    return anvil.send(contract, data=data, gas=GAS)


@pytest.mark.parametrize("telling", [0, 1, 2], ids=["the events are net", "the event is gross", "the fee is an event of the recipient's"])
async def test_of_a_token_that_keeps_a_fee_what_arrived_counts(anvil, token, driver, start, telling):
    contract = token(odd_tokens.FEE, 200, telling)
    for units in (1000, 500):
        send(anvil, contract, erc20.transfer(PAYEE, units))
    anvil.mine()
    send(anvil, contract, erc20.transfer(PAYEE, 333))
    anvil.mine()
    chain = driver(anvil.url, contract)
    held = int(anvil.call(contract, erc20.balance_of(PAYEE)), 16)
    assert await found(chain, start) == [("1", 980), ("1", 490), ("1", 327)]
    assert held == 980 + 490 + 327


async def test_a_difference_is_told(anvil, token, driver, start, caplog):
    contract = token(odd_tokens.FEE, 200, 1)
    sent = send(anvil, contract, erc20.transfer(PAYEE, 1000))
    anvil.mine()
    with caplog.at_level(logging.WARNING, "pepay.plugin.evm"):
        await found(driver(anvil.url, contract), start)
    (told,) = [record.getMessage() for record in caplog.records]
    assert [word for word in ("ODD", "1000", "980", sent, PAYEE.lower()) if word not in told] == []


async def test_looking_again_in_any_portion_gives_the_same(anvil, token, driver, start):
    contract = token(odd_tokens.FEE, 333, 1)
    for units in (1001, 502, 77):
        send(anvil, contract, erc20.transfer(PAYEE, units))
        send(anvil, contract, erc20.transfer(OTHER, units))
        anvil.mine()
    chain = driver(anvil.url, contract)
    tip = (await chain.tip()).block
    whole = await found(chain, start, until=tip)
    single = driver(anvil.url, contract, max_range=1)
    after, parts = start, []
    while after != tip:
        scan = await single.scan(Watchlist([OURS, Destination(OTHER)]), after, tip)
        parts += [(each.index, each.units) for each in scan.transfers if each.to == OURS]
        after = scan.cursor
    assert whole == parts
    assert len(whole) == 3


async def test_what_the_owner_takes_away_in_the_same_block_does_not_lessen_what_arrived(anvil, token, driver, start):
    purse = anvil.deploy(odd_tokens.PURSE)
    for creation, arguments, arrived in ((odd_tokens.FEE, (200, 1), 980), (odd_tokens.LYING, (), 1000)):
        contract = token(creation, *arguments)
        send(anvil, contract, erc20.transfer(purse, 5000))
        anvil.mine()
        before = (await driver(anvil.url, contract).tip()).block
        send(anvil, contract, erc20.transfer(purse, 1000))
        send(anvil, purse, call("spend(address,address,uint256)", contract, anvil.accounts[3], 4000))
        anvil.mine()
        assert await found(driver(anvil.url, contract), before, (Destination(purse),)) == [("1", arrived)]


async def test_a_rebase_neither_adds_to_a_payment_nor_takes_one_away(anvil, token, driver, start):
    contract = token(odd_tokens.REBASING)
    send(anvil, contract, erc20.transfer(PAYEE, 1000))
    anvil.mine()
    chain = driver(anvil.url, contract)
    before = await found(chain, start)
    for percent in (150, 50):
        send(anvil, contract, call("rebase(uint256)", percent))
        anvil.mine()
        assert await found(chain, start) == before == [("1", 1000)]


async def test_in_the_block_of_a_rebase_no_more_counts_than_was_said_and_than_arrived(anvil, token, driver, start):
    contract = token(odd_tokens.REBASING)
    send(anvil, contract, erc20.transfer(PAYEE, 1000))
    anvil.mine()
    cursor = (await driver(anvil.url, contract).tip()).block
    for percent, arrived in ((120, [("1", 600)]), (60, [])):
        send(anvil, contract, erc20.transfer(PAYEE, 600))
        send(anvil, contract, call("rebase(uint256)", percent))
        anvil.mine()
        chain = driver(anvil.url, contract)
        assert await found(chain, cursor) == arrived
        cursor = (await chain.tip()).block


LIE = "lie(address,uint256,address,uint256)"


@pytest.mark.parametrize(
    ("data", "arrived"),
    [
        (call(LIE, PAYEE, 1000, OTHER, 0), []),
        (call(LIE, PAYEE, 1000, PAYEE, 700), [("1", 700)]),
        (call(LIE, PAYEE, 1000, OTHER, 1000), []),
        (call(LIE, OTHER, 1000, PAYEE, 1000), []),
        (call(LIE, PAYEE, 700, PAYEE, 1000), [("1", 700)]),
        (call("slip(address,uint256)", PAYEE, 1000), []),
        (call("give(address,uint256)", PAYEE, 1000), []),
        (call("giveSome(address,uint256,uint256)", PAYEE, 1000, 5), []),
    ],
    ids=["nothing moves", "less moves", "another receives it", "another is named", "more moves", "no event", "erc-721", "erc-1155"],
)
async def test_of_a_token_that_lies_in_its_events_no_more_counts_than_moved(anvil, token, driver, start, data, arrived):
    contract = token(odd_tokens.LYING)
    send(anvil, contract, data)
    anvil.mine()
    assert await found(driver(anvil.url, contract), start) == arrived


async def test_a_lie_among_truths_costs_the_same_whatever_the_order(anvil, token, driver, start):
    contract = token(odd_tokens.LYING)
    honest, lie = erc20.transfer(PAYEE, 50), call(LIE, PAYEE, 950, OTHER, 0)
    for first, second in ((honest, lie), (lie, honest)):
        cursor = (await driver(anvil.url, contract).tip()).block
        send(anvil, contract, first)
        send(anvil, contract, second)
        anvil.mine()
        assert sum(units for _, units in await found(driver(anvil.url, contract), cursor)) == 50


async def test_a_fee_that_is_said_to_leave_the_recipient_in_the_paying_transaction_is_a_fee(anvil, token, driver, start):
    """A forged departure beside a forged arrival must not make the arrival true."""
    contract = token(odd_tokens.FEE, 10_000, 2)
    send(anvil, contract, erc20.transfer(PAYEE, 1000))
    anvil.mine()
    assert await found(driver(anvil.url, contract), start) == []


@pytest.mark.parametrize("mode", [1, 2, 3, 4], ids=["the same for everybody", "nothing", "it reverts", "too little data"])
async def test_of_a_token_that_lies_in_its_balances_nothing_counts(anvil, token, driver, start, mode, caplog):
    contract = token(odd_tokens.LYING)
    send(anvil, contract, call("answer(uint8)", mode))
    anvil.mine()
    send(anvil, contract, erc20.transfer(PAYEE, 1000))
    anvil.mine()
    with caplog.at_level(logging.WARNING, "pepay.plugin.evm"):
        assert await found(driver(anvil.url, contract), start) == []
    assert any("1000" in record.getMessage() for record in caplog.records)


async def test_what_an_address_sends_to_itself_has_not_arrived(anvil, token, driver, start):
    purse = anvil.deploy(odd_tokens.PURSE)
    contract = token(odd_tokens.LYING)
    send(anvil, contract, erc20.transfer(purse, 1000))
    anvil.mine()
    for standard in (None, True):
        chain = driver(anvil.url, contract, standard=standard)
        before = (await chain.tip()).block
        send(anvil, purse, call("spend(address,address,uint256)", contract, purse, 1000))
        anvil.mine()
        assert await found(chain, before, (Destination(purse),)) == []


async def test_ten_thousand_empty_transfers_are_nothing(anvil, token, driver, start):
    contract = token(odd_tokens.LYING)
    for _ in range(5):
        anvil.send(contract, data=call("poison(address,uint256)", PAYEE, 2000), gas=12_000_000)
        anvil.mine()
    assert int(anvil.rpc("eth_getBlockByNumber", "latest", False)["gasUsed"], 16) > 2_000_000
    chain = driver(anvil.url, contract)
    after, tip, arrived = start, (await chain.tip()).block, []
    while after != tip:
        scan = await chain.scan(Watchlist([OURS]), after, tip)
        arrived += scan.transfers
        after = scan.cursor
    assert arrived == []


@pytest.mark.parametrize("polite", [False, True], ids=["reverts", "returns false"])
async def test_what_a_token_refuses_to_move_is_not_a_payment(anvil, token, driver, start, polite):
    contract = token(odd_tokens.GUARDED)
    if polite:
        send(anvil, contract, call("bePolite()"))
    send(anvil, contract, erc20.transfer(PAYEE, 1000))
    anvil.mine()
    chain = driver(anvil.url, contract)
    assert await found(chain, start) == [("1", 1000)]
    after = (await chain.tip()).block
    send(anvil, contract, call("block_(address)", PAYEE))
    send(anvil, contract, erc20.transfer(PAYEE, 1000))
    send(anvil, contract, call("pause(bool)", 1))
    send(anvil, contract, erc20.transfer(OTHER, 1000))
    anvil.mine()
    assert await found(chain, after, (OURS, Destination(OTHER))) == []
    assert await found(chain, start) == [("1", 1000)]


@pytest.mark.parametrize("decimals", [0, 2, 18, 24])
async def test_base_units_are_counted_whatever_the_decimals(anvil, driver, start, decimals):
    contract = anvil.deploy(erc20.coin("ODD", decimals, MAX))
    send(anvil, contract, erc20.transfer(PAYEE, MAX))
    anvil.mine()
    chain = driver(anvil.url, contract, decimals)
    await chain.open()
    assert chain.refused == {}
    assert await found(chain, start) == [("1", MAX)]


# --- how far a token is believed -------------------------------------------------


async def test_a_standard_token_is_held_against_balances_from_an_amount_on(anvil, token, driver, start, proxy):
    contract = token(odd_tokens.LYING)
    chain = driver(proxy.url, contract, standard=True)
    tips = [start]
    for data in (call(LIE, PAYEE, 999_999_999, OTHER, 0), call(LIE, PAYEE, 10**9, OTHER, 0), erc20.transfer(PAYEE, 10**9)):
        send(anvil, contract, data)
        anvil.mine()
        tips.append((await chain.tip()).block)
    for after, until, arrived in zip(tips, tips[1:], ([("1", 999_999_999)], [], [("1", 10**9)]), strict=False):
        assert await found(chain, after, until=until) == arrived


async def test_parts_below_the_amount_are_held_against_balances_together(anvil, token, driver, start):
    contract = token(odd_tokens.LYING)
    for _ in range(2):
        send(anvil, contract, call(LIE, PAYEE, 500_000_000, OTHER, 0))
    anvil.mine()
    assert await found(driver(anvil.url, contract, standard=True), start) == []


def forgetting(proxy, height, message="missing trie node"):
    """Let the node not know what the balances were in blocks below a height."""
    known = {}

    def named(block):
        return known.get(block["blockHash"], 0) if isinstance(block, dict) else int(block, 16)

    def tamper(calls, answers):
        for answer in answers:
            asked = calls[answer["id"]]
            if asked["method"] == "eth_getBlockByNumber" and answer.get("result"):
                known[answer["result"]["hash"]] = int(answer["result"]["number"], 16)
            elif asked["method"] == "eth_call" and asked["params"][1] != "latest" and named(asked["params"][1]) < height:
                answer.pop("result", None)
                answer["error"] = {"code": -32000, "message": message}
        return answers

    proxy.tamper = tamper


@pytest.mark.parametrize(("standard", "arrived"), [(True, [("1", 2 * 10**9)]), (None, None), (False, None)])
async def test_a_new_block_whose_balances_a_node_does_not_know_is_looked_at_again(anvil, token, driver, start, proxy, standard, arrived):
    contract = token(odd_tokens.LYING)
    send(anvil, contract, erc20.transfer(PAYEE, 2 * 10**9))
    anvil.mine(5)
    forgetting(proxy, 10**6)
    if arrived is None:
        with pytest.raises(ChainUnavailable, match="archive node"):
            await found(driver(proxy.url, contract, standard=standard), start)
    else:
        assert await found(driver(proxy.url, contract, standard=standard), start) == arrived


async def test_of_an_old_block_what_lies_at_the_address_now_is_believed_unless_the_token_is_known_to_be_odd(anvil, token, driver, start, proxy):
    contract = token(odd_tokens.LYING)
    send(anvil, contract, erc20.transfer(PAYEE, 1000))
    anvil.mine()
    until = (await driver(anvil.url, contract).tip()).block
    anvil.mine(RECENT)
    forgetting(proxy, 10**6)
    assert await found(driver(proxy.url, contract), start, until=until) == [("1", 1000)]
    with pytest.raises(ChainUnavailable, match="archive node"):
        await found(driver(proxy.url, contract, standard=False), start, until=until)


async def test_of_an_old_block_nothing_is_believed_that_does_not_lie_at_the_address(anvil, token, driver, start, proxy):
    contract = token(odd_tokens.FEE, 200, 1)
    send(anvil, contract, erc20.transfer(PAYEE, 1000))
    anvil.mine()
    until = (await driver(anvil.url, contract).tip()).block
    anvil.mine(RECENT)
    forgetting(proxy, 10**6)
    with pytest.raises(ChainUnavailable, match="archive node"):
        await found(driver(proxy.url, contract), start, until=until)


async def test_a_node_that_fails_is_not_a_contract_that_fails(anvil, token, driver, start, proxy):
    contract = token(odd_tokens.LYING)
    send(anvil, contract, erc20.transfer(PAYEE, 1000))
    anvil.mine()
    for message in ("rate limit exceeded", "header not found", "execution aborted (timeout = 5s)", "internal error", ""):
        forgetting(proxy, 10**6, message)
        with pytest.raises(ChainUnavailable):
            await found(driver(proxy.url, contract), start)


async def test_another_endpoint_that_knows_the_balances_is_asked(anvil, token, make_chain, start, proxy):
    contract = token(odd_tokens.FEE, 200, 1)
    send(anvil, contract, erc20.transfer(PAYEE, 1000))
    anvil.mine()
    forgetting(proxy, 10**6)
    chain = make_chain(proxy.url, anvil.url, tokens=(token_of("eip155:31337", "ODD", contract, 6, "usd-coin"),))
    assert await found(chain, start) == [("1", 980)]


async def test_an_endpoint_that_has_no_events_by_query_still_shows_what_left_again(anvil, token, driver, start, proxy):
    """As public endpoints of some networks: the receipts that tell of the payment tell of what was spent as well."""
    proxy.denied = {"eth_getLogs"}
    purse = anvil.deploy(odd_tokens.PURSE)
    contract = token(odd_tokens.FEE, 200, 1)
    send(anvil, contract, erc20.transfer(purse, 5000))
    anvil.mine()
    send(anvil, contract, erc20.transfer(purse, 1000))
    send(anvil, purse, call("spend(address,address,uint256)", contract, anvil.accounts[3], 4000))
    anvil.mine()
    chain = driver(proxy.url, contract)
    await chain.open()
    assert await found(chain, start, (Destination(purse),)) == [("1", 4900), ("1", 980)]
