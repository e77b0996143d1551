import odd_tokens
import payers
import pytest
from depot import NATIVE, Depot
from hostile import LIAR_CREATION, REENTRANT_CALLS
from odd_tokens import made

from pepay_core.api import ChainUnavailable, Destination, Watchlist
from pepay_core.testing import erc20
from pepay_evm.deposits import FACTORY, Treasury, flush_call
from pepay_evm.networks import erc20 as token_of

TREASURY = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


@pytest.fixture
def depot(anvil):
    return Depot(anvil)


@pytest.fixture
def treasury():
    return Treasury.new(TREASURY)


async def look(chain, after):
    return await chain.scan(Watchlist(), after, (await chain.tip()).block)


async def test_what_a_flush_moved_is_told_with_its_place_whoever_watches(depot, treasury, make_chain):
    token = depot.coin()
    asset = token_of("eip155:31337", "USDC", token, 6, "usd-coin")
    chain = make_chain(depot.node.url, tokens=(asset,))
    start = (await chain.tip()).block
    depot.run(treasury.deposit(0), value=10**18)
    depot.run(token, erc20.transfer(treasury.deposit(0), 5))
    depot.run(token, erc20.transfer(treasury.deposit(1), 6))
    first = depot.flush(TREASURY, token, [treasury.ref(0), treasury.ref(1)])
    second = depot.flush(TREASURY, token, [treasury.ref(0), treasury.ref(1)])

    departures = (await look(chain, start)).departures

    assert second["logs"] == []
    assert [(each.source.address, each.asset, each.units) for each in departures] == [
        (treasury.deposit(0), "eip155:31337/slip44:60", 10**18),
        (treasury.deposit(0), asset.id, 5),
        (treasury.deposit(1), asset.id, 6),
    ]
    for departure in departures:
        log = first["logs"][int(departure.index) - 1]
        assert int(log["data"], 16) == departure.units
        assert (departure.to, departure.tx, departure.block.height) == (TREASURY, first["transactionHash"], int(first["blockNumber"], 16))
    assert len({departure.key for departure in departures}) == 3


async def test_a_token_that_is_not_registered_leaves_unseen_as_it_came(depot, treasury, make_chain):
    chain = make_chain(depot.node.url)
    start = (await chain.tip()).block
    token = depot.coin()
    depot.run(token, erc20.transfer(treasury.deposit(0), 5))
    depot.flush(TREASURY, token, [treasury.ref(0)])

    assert (await look(chain, start)).departures == ()


async def test_what_was_refused_did_not_depart(depot, treasury, make_chain):
    token = depot.coin(LIAR_CREATION)
    chain = make_chain(depot.node.url, tokens=(token_of("eip155:31337", "LIE", token, 6, "usd-coin"),))
    start = (await chain.tip()).block
    depot.run(token, f"{REENTRANT_CALLS['mint(address,uint256)']}{treasury.deposit(0)[2:]:0>64}{5:064x}")
    depot.flush(TREASURY, token, [treasury.ref(0)])

    assert (await look(chain, start)).departures == ()


async def test_an_event_that_says_the_same_from_elsewhere_is_nothing(anvil, depot, treasury, make_chain):
    chain = make_chain(anvil.url)
    forger = depot.coin(erc20.FORGER)
    depot.run(treasury.deposit(0), value=1)
    true = depot.flush(TREASURY, NATIVE, [treasury.ref(0)])
    start = (await chain.tip()).block
    (log,) = true["logs"]

    depot.run(forger, erc20.forge(log["topics"], log["data"]))

    assert (await look(chain, start)).departures == ()


async def test_a_node_that_leaves_out_the_events_of_a_flush_is_found_out(depot, treasury, proxy, make_chain):
    chain = make_chain(proxy.url)
    start = (await chain.tip()).block
    depot.run(treasury.deposit(0), value=1)
    depot.flush(TREASURY, NATIVE, [treasury.ref(0)])
    proxy.on("eth_getLogs", lambda params, result: [] if "fromBlock" in params[0] else result)

    assert [each.units for each in (await look(chain, start)).departures] == [1]


async def test_a_node_that_contradicts_itself_about_a_flush_is_not_believed(depot, treasury, proxy, make_chain):
    chain = make_chain(proxy.url)
    start = (await chain.tip()).block
    depot.run(treasury.deposit(0), value=1)
    depot.flush(TREASURY, NATIVE, [treasury.ref(0)])
    proxy.on("eth_getTransactionReceipt", lambda _params, result: {**result, "logs": []})

    with pytest.raises(ChainUnavailable, match="contradicts itself"):
        await look(chain, start)


async def test_coin_that_only_a_balance_tells_of_is_found_although_a_flush_took_it_away_again(depot, treasury, proxy, make_chain):
    """Where nobody traces, a contract's payment shows in the balance alone, and the flush is what explains that it is gone."""
    disperse = depot.coin(erc20.DISPERSE)
    proxy.deny_traces()
    chain = make_chain(proxy.url)
    await chain.open()
    ours = Destination(treasury.deposit(0))
    start = (await chain.tip()).block
    depot.run(disperse, erc20.disperse_coins([(treasury.deposit(0), 5)]), value=5)
    depot.flush(TREASURY, NATIVE, [treasury.ref(0)])
    depot.run(disperse, erc20.disperse_coins([(treasury.deposit(0), 6)]), value=6)

    scan = await chain.scan(Watchlist([ours]), start, (await chain.tip()).block)

    assert [each.units for each in scan.transfers] == [5, 6]
    assert [each.units for each in scan.departures] == [5]


@pytest.mark.parametrize(
    ("creation", "arrived"),
    [(erc20.coin("ODD", 6, 10**15), 1000), (made(odd_tokens.FEE, 6, 10**15, 200, 1), 980), (made(odd_tokens.FEE, 6, 10**15, 5000, 2), 500)],
    ids=["an honest token", "a token with a fee", "a fee that is said to leave the deposit"],
)
@pytest.mark.parametrize("limited", [False, True], ids=["all methods", "no eth_getLogs"])
async def test_what_one_transaction_pays_and_flushes_is_credited_as_it_arrived(depot, treasury, proxy, make_chain, creation, arrived, limited):
    """What leaves again in the transaction that pays is a token's fee, unless the factory has measured that it went to the treasury."""
    proxy.denied = {"eth_getLogs"} if limited else set()
    depot.node.rpc("anvil_setCode", payers.MULTICALL, payers.MULTICALL_CODE)
    token = depot.coin(creation)
    asset = token_of("eip155:31337", "ODD", token, 6, "usd-coin")
    chain = make_chain(proxy.url, tokens=(asset,))
    await chain.open()
    deposit = Destination(treasury.deposit(0))
    depot.run(token, erc20.transfer(payers.MULTICALL, 2000))
    start = (await chain.tip()).block
    both = [(token, erc20.transfer(deposit.address, 1000)), (FACTORY, flush_call(TREASURY, token, [treasury.ref(0)], 200_000))]
    receipt = depot.run(payers.MULTICALL, payers.aggregate(both))
    assert [int(log["data"], 16) for log in depot.events(receipt)] == [arrived]

    scan = await chain.scan(Watchlist([deposit]), start, (await chain.tip()).block)

    assert [each.units for each in scan.transfers] == [arrived]
    assert [each.units for each in scan.departures] == [arrived]
