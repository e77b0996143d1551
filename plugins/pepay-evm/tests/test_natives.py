"""Native coin that contracts send: found on every kind of node, under one name each, and nothing else."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import payers
import pytest

from pepay_core.api import ChainUnavailable, Destination, Watchlist
from pepay_core.testing import erc20
from pepay_evm import testimony
from pepay_evm.networks import erc20 as token_of
from pepay_evm.testimony import Vote

MAX = 2**256 - 1
NATIVE = "eip155:31337/slip44:60"
FLAT, TREE, OVERRIDE, ONCE, MULTICALL = "trace_block", "callTracer", "state override", "creation call", "Multicall3"
WAYS = (FLAT, TREE, OVERRIDE, ONCE, MULTICALL)
TRACING = (FLAT, TREE)


def ours(index):
    return Destination(f"0x{0xBEEF0000 + index:040x}")


@dataclass
class World:
    """A node with contracts that pay, and a driver that sees it in one of the ways."""

    node: object
    proxy: object
    chain: object
    token: str
    payer: str
    disperse: str

    async def look(self, start, *destinations):
        return (await self.chain.scan(Watchlist(destinations), start, (await self.chain.tip()).block)).transfers

    def send(self, *args, **changes):
        return self.node.send(*args, **{"gas": 3_000_000, **changes})


def limit(proxy, way):
    """Let the node do no more than one way needs."""
    if way == TREE:
        proxy.denied = {"trace_block"}
    elif way != FLAT:
        proxy.deny_traces()
    if way in {ONCE, MULTICALL}:
        proxy.refuse = lambda call: call["method"] == "eth_call" and (len(call["params"]) > 2 or (way == MULTICALL and "to" not in call["params"][0]))


@pytest.fixture
async def world(anvil, proxy, make_chain, request):
    """Return the world seen in the way of the test's parameter, the first if there is none."""
    way = getattr(request, "param", FLAT)
    token = anvil.deploy(erc20.coin("USDC", 6, MAX))
    payer, disperse = anvil.deploy(payers.PAYER), anvil.deploy(erc20.DISPERSE)
    if way == MULTICALL:
        anvil.rpc("anvil_setCode", payers.MULTICALL, payers.MULTICALL_CODE)
        anvil.mine()
    limit(proxy, way)
    chain = make_chain(proxy.url, tokens=(token_of("eip155:31337", "USDC", token, 6, "usd-coin"),))
    await chain.open()
    anvil.send(token, data=erc20.transfer(disperse, 10**9), gas=100_000)
    anvil.mine()
    return World(anvil, proxy, chain, token, payer, disperse)


every_way = pytest.mark.parametrize("world", WAYS, indirect=True)
by_balance = pytest.mark.parametrize("world", [OVERRIDE, ONCE, MULTICALL], indirect=True)


@pytest.fixture
async def start(world):
    return (await world.chain.tip()).block


@every_way
async def test_the_probe_finds_the_best_way(world, request):
    able = await world.chain._abilities.of(world.chain._rpc.endpoints[0])
    way = request.node.callspec.params["world"]
    assert able.shown.native == {FLAT: "trace_block", TREE: "debug_traceBlockByNumber"}.get(way, f"balances by {way}")


@every_way
async def test_of_four_hundred_transactions_the_twenty_that_reach_us_are_found(world, start, request):
    # The development node makes trees of calls by running the block anew for each transaction, which takes it seconds.
    count = 60 if request.node.callspec.params["world"] == TREE else 400
    chance = random.Random(7)
    node, nobody = world.node, f"0x{0xDEAD:040x}"
    traced = (await world.chain._abilities.of(world.chain._rpc.endpoints[0])).shown.trace is not None
    sends = []  # what is sent, each with what it brings: (destination, asset, units)
    token = f"eip155:31337/erc20:{world.token}"

    def add(to, value=0, data="0x", *brings):
        sends.append((to, value, data, brings))

    def coins(index, units):
        return (ours(index), NATIVE, units)

    def tokens(index, units):
        return (ours(index), token, units)

    for index in range(4):  # native, directly
        add(ours(index).address, 100 + index, "0x", coins(index, 100 + index))
    for index in range(4, 8):  # tokens, directly
        add(world.token, 0, erc20.transfer(ours(index).address, 10 + index), tokens(index, 10 + index))
    # Two transfers in one transaction, of each kind.
    add(world.disperse, 0, erc20.disperse_tokens(world.token, [(ours(8).address, 1), (nobody, 5), (ours(8).address, 2)]), tokens(8, 1), tokens(8, 2))
    add(world.disperse, 12, erc20.disperse_coins([(ours(9).address, 3), (nobody, 5), (ours(10).address, 4)]), coins(9, 3), coins(10, 4))
    # A batch payout in which one payment fails, for every position of the failure.
    for position in range(3):
        paid = [(ours(11 + position).address, 21), (ours(14 + position).address, 22)]
        paid.insert(position, (world.token, 20))
        add(world.payer, 63, payers.try_each(paid), coins(11 + position, 21), coins(14 + position, 22))
    add(world.payer, 31, payers.execute(ours(17).address, 31), coins(17, 31))
    # A smart wallet whose call pays on through another contract.
    add(world.payer, 32, payers.execute(world.disperse, 32, erc20.disperse_coins([(ours(18).address, 32)])), coins(18, 32))
    add(world.payer, 33, payers.bequeath(ours(19).address, 1), coins(19, 33))
    add(None, 34, payers.bequest(ours(20).address), coins(20, 34))
    add(None, 35, payers.founder(ours(21).address, 35), coins(21, 35))
    add(world.payer, 6, payers.pay_around(ours(22).address, 1, 2, 3), coins(22, 1), coins(22, 3))
    # One that carries coin to us, and one that brings nothing at all because it fails as a whole.
    add(ours(23).address, 36, "0x", coins(23, 36))
    assert len([each for each in sends if each[3]]) == 20
    add(world.disperse, 9, erc20.disperse_coins([(ours(24).address, 4), (world.token, 5)]))
    add(world.payer, 0, payers.execute(ours(24).address, 10**24))
    while len(sends) < count:
        kind = len(sends) % 4
        if kind == 0:
            add(nobody, 7)
        elif kind == 1:
            add(world.token, 0, erc20.transfer(nobody, 7))
        elif kind == 2:
            add(world.disperse, 7, erc20.disperse_coins([(nobody, 7)]))
        else:
            add(world.payer, 7, payers.execute(nobody, 7))
    chance.shuffle(sends)
    node.rpc("evm_setBlockGasLimit", hex(2_000_000_000))
    sent = []
    for number, (to, value, data, brings) in enumerate(sends):
        sender = node.accounts[0 if to == world.token else number % 10]
        sent.append((world.send(to, value, data=data, sender=sender, gas=400_000), brings))
    node.mine()
    assert len(node.rpc("eth_getBlockByNumber", hex(start.height + 1), False)["transactions"]) == count

    found = await world.look(start, *map(ours, range(40)))
    expected = sorted(((hash_, *each) for hash_, brings in sent for each in brings), key=str)
    if traced:
        assert sorted(((each.tx, each.to, each.asset, each.units) for each in found), key=str) == expected
        assert len({each.key for each in found}) == len(found)
    else:
        # What has a transaction is named by it; of the rest every address has one payment, of all that it was sent in the block.
        named = {(each.tx, each.to, each.asset, each.units) for each in found if not each.by_balance}
        assert named == {each for each in expected if each[2] == token or each[1] in (*map(ours, range(4)), ours(23))}
        rest = {}
        for _, to, asset, units in (each for each in expected if each not in named):
            assert asset == NATIVE
            rest[to] = rest.get(to, 0) + units
        assert {each.to: each.units for each in found if each.by_balance} == rest
        assert len(found) == len(named) + len(rest)


async def test_both_kinds_of_traces_give_the_same_names(anvil, make_chain, proxy, world, start):
    proxy.denied = {"trace_block"}
    other = make_chain(proxy.url)
    await other.open()
    assert (await other._abilities.of(other._rpc.endpoints[0])).shown.trace == "debug_traceBlockByNumber"
    anvil.rpc("evm_setBlockGasLimit", hex(2_000_000_000))
    chance = random.Random(3)
    for number in range(60):
        to = ours(chance.randrange(3)).address
        kind = chance.randrange(6)
        sender = anvil.accounts[number % 10]
        if kind == 0:
            world.send(to, 5, sender=sender)
        elif kind == 1:
            world.send(world.payer, 60, data=payers.try_each([(to, 1), (world.token, 2), (f"0x{4:040x}", 3), (to, 4)]), sender=sender)
        elif kind == 2:
            world.send(world.payer, 6, data=payers.pay_around(to, 1, 2, 3), sender=sender)
        elif kind == 3:
            world.send(world.payer, 6, data=payers.bequeath(to, number), sender=sender)
        elif kind == 4:
            world.send(None, 6, data=payers.founder(to, 6), sender=sender)
        else:
            world.send(world.payer, 3, data=payers.execute(world.disperse, 3, erc20.disperse_coins([(to, 1), (to, 2)])), sender=sender)
    anvil.mine()
    watched = Watchlist(map(ours, range(3)))
    until = (await other.tip()).block
    trees, flats = await other.scan(watched, start, until), await make_chain(anvil.url).scan(watched, start, until)
    assert trees.transfers == flats.transfers
    assert {each.index[0] for each in trees.transfers} == {"0", "t"}


# --- what only balances tell -----------------------------------------------------


@by_balance
async def test_payments_of_several_blocks_are_each_placed_in_their_own(world, start):
    for units in (1, 0, 2, 3, 0, 0, 4):
        if units:
            world.send(world.disperse, units, data=erc20.disperse_coins([(ours(units % 2).address, units)]))
        world.node.mine()
    found = await world.look(start, ours(0), ours(1))
    assert [(each.units, each.to, each.block.height - start.height) for each in found] == [
        (1, ours(1), 1), (2, ours(0), 3), (3, ours(1), 4), (4, ours(0), 7),
    ]  # fmt: skip


def sweep(node, owner, to, *, value=None):
    """Send from a watched address everything that lies there, or a part, at a price that is known beforehand."""
    price = 10 * 10**9
    units = node.balance(owner) - 21_000 * price if value is None else value
    node.rpc("anvil_impersonateAccount", owner)
    fields = {"from": owner, "to": to, "value": hex(units), "gas": hex(21_000), "gasPrice": hex(price)}
    return node.rpc("eth_sendTransaction", fields)


@by_balance
@pytest.mark.parametrize("apart", [True, False], ids=["over several blocks", "in one block"])
async def test_what_the_owner_takes_away_hides_nothing(world, start, apart):
    owner = ours(0).address
    world.node.set_balance(owner, 10**18)
    world.node.mine()
    begun = (await world.chain.tip()).block
    world.send(world.disperse, 5 * 10**17, data=erc20.disperse_coins([(owner, 5 * 10**17)]))
    if apart:
        world.node.mine(2)
    sweep(world.node, owner, f"0x{0xDEAD:040x}", value=None if apart else 9 * 10**17)
    world.node.mine(2)
    found = await world.look(begun, ours(0))
    assert [(each.units, each.by_balance) for each in found] == [(5 * 10**17, True)]


@by_balance
async def test_a_transaction_that_pays_and_its_spending_leave_no_payment_by_balance(world, start):
    owner = ours(0).address
    world.send(owner, 10**18)
    world.node.mine()
    sweep(world.node, owner, ours(1).address)
    world.node.mine()
    found = await world.look(start, ours(0), ours(1))
    assert [(each.to, each.index, each.by_balance) for each in found] == [(ours(0), "0", False), (ours(1), "0", False)]


@every_way
async def test_what_an_address_sends_to_itself_has_not_arrived(world, start):
    owner = Destination(world.node.rpc("eth_accounts")[1])
    world.send(owner.address, 7, sender=owner.address)
    world.send(owner.address, 5)
    world.node.mine()
    assert [transfer.units for transfer in await world.look(start, owner)] == [5]


@by_balance
async def test_what_lay_there_before_an_address_was_watched_is_no_payment(world, start):
    world.send(world.disperse, 5, data=erc20.disperse_coins([(ours(1).address, 5)]))
    world.node.mine()
    watched = Watchlist([ours(0)])
    first = await world.chain.scan(watched, start, (await world.chain.tip()).block)
    watched.add([ours(1)])
    world.send(world.disperse, 7, data=erc20.disperse_coins([(ours(1).address, 7)]))
    world.node.mine()
    second = await world.chain.scan(watched, first.cursor, (await world.chain.tip()).block)
    assert (first.transfers, [each.units for each in second.transfers]) == ((), [7])


@pytest.mark.parametrize("world", [OVERRIDE], indirect=True)
async def test_ten_thousand_addresses_cost_one_call(world, start):
    watched = Watchlist([ours(0), *(Destination(f"0x{0xAA0000 + index:040x}") for index in range(9_999))])
    scan = await world.chain.scan(watched, start, (await world.chain.tip()).block)
    world.send(world.disperse, 7, data=erc20.disperse_coins([(ours(0).address, 7)]))
    world.node.mine()
    tip = (await world.chain.tip()).block
    world.proxy.batches.clear()
    scan = await world.chain.scan(watched, start, tip)
    assert [each.units for each in scan.transfers] == [7]
    assert [batch.count("eth_call") for batch in world.proxy.batches] == [1, 1]  # the second is about the one that has something
    world.node.mine()
    tip = (await world.chain.tip()).block
    world.proxy.batches.clear()
    assert (await world.chain.scan(watched, scan.cursor, tip)).transfers == ()
    assert [batch.count("eth_call") for batch in world.proxy.batches] == [1]


@by_balance
async def test_a_state_that_the_node_has_forgotten_is_unknown_and_not_zero(world, start):
    world.send(world.disperse, 7, data=erc20.disperse_coins([(ours(0).address, 7)]))
    world.node.mine()
    world.proxy.refuse = lambda call: call["method"] == "eth_call"
    world.proxy.words = "missing trie node 1234 (path ) state 0x5678 is not available"
    with pytest.raises(ChainUnavailable, match="missing trie node"):
        await world.look(start, ours(0))


@pytest.mark.parametrize("world", [OVERRIDE], indirect=True)
async def test_a_node_that_ignores_the_override_is_not_believed(world, start):
    world.node.mine()
    world.proxy.on("eth_call", lambda _params, _result: "0x")
    with pytest.raises(ChainUnavailable):
        await world.look(start, ours(0))


@pytest.mark.parametrize("world", [OVERRIDE, ONCE], indirect=True)
async def test_a_node_that_bears_less_gets_smaller_parts(world, start):
    def heavy(call):
        return call["method"] == "eth_call" and len(call["params"][0]["data"]) > 40 * 600

    allowed = world.proxy.refuse
    world.proxy.refuse = lambda call: heavy(call) or allowed(call)
    world.proxy.words = "out of gas"
    world.send(world.disperse, 7, data=erc20.disperse_coins([(ours(0).address, 7)]))
    world.node.mine()
    watched = [*(Destination(f"0x{0xAA0000 + index:040x}") for index in range(2_500)), ours(0)]
    assert [each.units for each in await world.look(start, *watched)] == [7]


# --- Chain.balances --------------------------------------------------------------


@every_way
async def test_balances_of_coins_and_tokens_are_exact_in_a_block_of_the_past(world, start):
    token = f"eip155:31337/erc20:{world.token}"
    great = 2**255 + 1
    world.send(ours(0).address, 5)
    world.send(world.token, data=erc20.transfer(ours(1).address, great))
    world.node.mine()
    block = (await world.chain.tip()).block
    world.send(ours(0).address, 5)
    world.node.mine()
    found = await world.chain.balances([ours(0), ours(1), ours(2)], [NATIVE, token], block)
    assert found == {(ours(0), NATIVE): 5, (ours(1), token): great}


async def test_balances_of_what_is_no_token_are_unknown(world, start):
    with pytest.raises(ChainUnavailable, match="does not tell"):
        await world.chain.balances([ours(0)], [f"eip155:31337/erc20:0x{'77' * 20}"], start)


async def test_balances_of_a_block_that_was_replaced_are_unknown(world, start):
    world.node.reorg(1)
    with pytest.raises(ChainUnavailable):
        await world.chain.balances([ours(0)], [NATIVE], start)


# --- what another endpoint says of such a payment -----------------------------------


@pytest.mark.parametrize("world", [FLAT, OVERRIDE], indirect=True)
async def test_another_endpoint_agrees_and_does_not_deny_what_the_owner_took_away_at_once(world, start):
    owner = ours(0).address
    world.send(world.disperse, 5 * 10**17, data=erc20.disperse_coins([(owner, 5 * 10**17)]))
    world.node.mine()
    (plain,) = await world.look(start, ours(0))
    begun = (await world.chain.tip()).block
    world.send(world.disperse, 5 * 10**17, data=erc20.disperse_coins([(owner, 5 * 10**17)]))
    sweep(world.node, owner, f"0x{0xDEAD:040x}", value=4 * 10**17)
    world.node.mine()
    (swept,) = await world.look(begun, ours(0))
    forged = replace(plain, units=plain.units + 1)
    votes = await testimony.testify(world.chain._rpc.endpoints[0], [plain, swept, forged])
    assert votes == [Vote.YES, Vote.SILENT, Vote.NO]
