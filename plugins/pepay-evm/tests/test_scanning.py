"""What nodes and contracts may do to the driver, and what it makes of that."""

from __future__ import annotations

import pytest

from pepay_core.api import ChainUnavailable, CursorOrphaned, Destination, NotReady, Watchlist
from pepay_core.testing import erc20
from pepay_evm.decoding import TRANSFER
from pepay_evm.events import SYSTEM
from pepay_evm.networks import erc20 as token_of

PAYEE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
OURS = Destination(PAYEE)
TOPIC = "0x" + PAYEE[2:].lower().rjust(64, "0")
PAYER = "0x" + ("ee" * 20).rjust(64, "0")
FIVE = f"0x{5:064x}"
NATIVE = "eip155:31337/slip44:60"
MAX = 2**256 - 1


@pytest.fixture
def token(anvil):
    return anvil.deploy(erc20.coin("USDC", 6, MAX))


@pytest.fixture
async def start(anvil, token, make_chain):
    """Return the block above which everything happens."""
    anvil.mine()
    return (await make_chain(anvil.url).tip()).block


@pytest.fixture
def driver(make_chain, token):
    """Return a function that makes a driver that knows the token."""

    def make(*urls, **changes):
        return make_chain(*urls, tokens=(token_of("eip155:31337", "USDC", token, 6, "usd-coin"),), **changes)

    return make


async def found(chain, after, watched=(OURS,)):
    scan = await chain.scan(Watchlist(watched), after, (await chain.tip()).block)
    return [(transfer.asset, transfer.units, transfer.index) for transfer in scan.transfers]


def pay(anvil, token, units):
    """Send tokens and mine them."""
    sent = anvil.send(token, data=erc20.transfer(PAYEE, units), gas=100_000)
    anvil.mine()
    return sent


# --- contracts that lie ----------------------------------------------------------


@pytest.mark.parametrize(
    ("topics", "data"),
    [
        ([TRANSFER, PAYER, TOPIC], FIVE),
        ([TRANSFER, PAYER, TOPIC, FIVE], "0x"),
        ([TRANSFER], TOPIC + TOPIC[2:] + FIVE[2:]),
        ([TRANSFER, TOPIC], FIVE),
    ],
    ids=["erc-20", "erc-721", "nothing indexed", "one indexed"],
)
async def test_an_event_of_another_contract_is_not_a_payment(anvil, driver, start, topics, data):
    forger = anvil.deploy(erc20.FORGER)
    sent = anvil.send(forger, data=erc20.forge(topics, data), gas=500_000)
    anvil.mine()
    assert len(anvil.receipt(sent)["logs"]) == 1
    assert await found(driver(anvil.url), start) == []


@pytest.mark.parametrize(
    ("topics", "data"),
    [
        ([TRANSFER, PAYER, TOPIC, FIVE], "0x"),
        ([TRANSFER, PAYER, TOPIC, FIVE], FIVE),
        ([TRANSFER, TOPIC], FIVE),
        ([TRANSFER, PAYER, TOPIC], "0x"),
        ([TRANSFER, PAYER, TOPIC], FIVE[:-2]),
        ([TRANSFER, PAYER, TOPIC], FIVE + FIVE[2:]),
        ([TRANSFER, TOPIC, "0x01" + TOPIC[4:]], FIVE),
        ([TOPIC, TOPIC, TOPIC], FIVE),
        ([TRANSFER, PAYER, TOPIC], f"0x{0:064x}"),
    ],
    ids=["erc-721", "fourth topic", "two topics", "no data", "short data", "long data", "not an address", "another event", "zero"],
)
async def test_only_the_exact_form_of_a_registered_contract_counts(anvil, driver, make_chain, start, topics, data):
    forger = anvil.deploy(erc20.FORGER)
    forged = token_of("eip155:31337", "FORGED", forger, 6, "usd-coin")
    # A token that is believed without a look at its balances, which the forger has none of.
    chain = make_chain(anvil.url, tokens=(forged,), standard=frozenset({forged.id}))
    anvil.send(forger, data=erc20.forge(topics, data), gas=500_000)
    anvil.mine()
    assert await found(chain, start) == []
    anvil.send(forger, data=erc20.forge([TRANSFER, PAYER, TOPIC], FIVE), gas=500_000)
    anvil.mine()
    assert [units for _, units, _ in await found(chain, start)] == [5]


async def test_a_token_whose_transfer_returns_nothing_is_a_payment_like_any_other(anvil, make_chain, start):
    silent = anvil.deploy(erc20.silent_coin("USDT", 6, MAX))
    chain = make_chain(anvil.url, tokens=(token_of("eip155:31337", "USDT", silent, 6, "tether"),))
    await chain.open()
    assert chain.refused == {}
    pay(anvil, silent, 7)
    assert await found(chain, start) == [(f"eip155:31337/erc20:{silent}", 7, "1")]


async def test_twenty_transfers_in_one_transaction_are_twenty_payments(anvil, driver, token, start):
    disperse = anvil.deploy(erc20.DISPERSE)
    anvil.send(token, data=erc20.transfer(disperse, 10**6), gas=100_000)
    anvil.send(disperse, data=erc20.disperse_tokens(token, [(PAYEE, units) for units in range(1, 21)]), gas=3_000_000)
    anvil.mine()
    arrived = await found(driver(anvil.url), start)
    assert [units for _, units, _ in arrived] == list(range(1, 21))
    assert len({index for _, _, index in arrived}) == 20


async def test_native_and_token_in_one_block_keep_their_order(anvil, driver, token, start):
    anvil.send(PAYEE, 3)
    pay(anvil, token, 4)
    assert [(units, index) for _, units, index in await found(driver(anvil.url), start)] == [(3, "0"), (4, "1")]


async def test_the_sender_is_told(anvil, driver, token, start):
    pay(anvil, token, 4)
    scan = await driver(anvil.url).scan(Watchlist([OURS]), start, (await driver(anvil.url).tip()).block)
    assert [transfer.sender for transfer in scan.transfers] == ["0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"]


async def test_what_a_transaction_does_beside_paying_is_not_a_payment(anvil, proxy, driver, token, start):
    pay(anvil, token, 5)
    approval = "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925"

    def approve_too(_, receipt):
        (log,) = receipt["logs"]
        return {**receipt, "logs": [log, {**log, "topics": [approval, *log["topics"][1:]], "logIndex": "0x1"}]}

    proxy.on("eth_getTransactionReceipt", approve_too)
    assert [units for _, units, _ in await found(driver(proxy.url), start)] == [5]


# --- native coins as events (EIP-7708) -------------------------------------------


@pytest.fixture
def system(anvil):
    """Let the system address emit what is asked of it, as networks with EIP-7708 do for every native transfer."""
    forger = anvil.deploy(erc20.FORGER)
    anvil.rpc("anvil_setCode", SYSTEM, anvil.rpc("eth_getCode", forger, "latest"))


async def test_a_native_transfer_inside_a_transaction_is_found_by_its_event(anvil, driver, system, start):
    anvil.send(SYSTEM, data=erc20.forge([TRANSFER, PAYER, TOPIC], FIVE), gas=500_000)
    anvil.mine()
    assert await found(driver(anvil.url), start) == [(NATIVE, 5, "1")]


async def test_a_native_payment_that_is_also_an_event_is_counted_once(anvil, proxy, driver, start):
    sent = anvil.send(PAYEE, 5)
    anvil.mine()
    height = hex(anvil.height)
    block = anvil.rpc("eth_getBlockByNumber", height, False)["hash"]
    sender = "0x" + anvil.accounts[0][2:].rjust(64, "0")
    event = {
        "address": SYSTEM, "topics": [TRANSFER, sender, TOPIC], "data": FIVE, "blockHash": block, "blockNumber": height,
        "transactionHash": sent, "transactionIndex": "0x0", "logIndex": "0x0", "removed": False,
    }  # fmt: skip
    inner = {**event, "topics": [TRANSFER, PAYER, TOPIC], "logIndex": "0x1"}
    twin = {**event, "logIndex": "0x2"}

    def with_events(calls, answers):
        for answer in answers:
            method = calls[answer["id"]]["method"]
            if method == "eth_getLogs":
                answer["result"] = [event, inner, twin]
            elif method == "eth_getTransactionReceipt":
                answer["result"]["logs"] = [event, inner, twin]
        return answers

    proxy.tamper = with_events
    assert await found(driver(proxy.url), start) == [(NATIVE, 5, "0"), (NATIVE, 5, "2"), (NATIVE, 5, "3")]


# --- nodes that err --------------------------------------------------------------


async def test_a_node_that_lags_is_unavailable_and_orphans_nothing(anvil, proxy, driver, token, start):
    pay(anvil, token, 5)
    after = (await driver(anvil.url).tip()).block
    anvil.mine()
    until = (await driver(anvil.url).tip()).block
    for known in (start.height, after.height, until.height - 1):
        # What such a node answers to: nothing for the blocks that it lacks, and no events, and no error.
        def lag(calls, answers, known=known):
            for answer in answers:
                call = calls[answer["id"]]
                if call["method"] == "eth_getBlockByNumber" and int(call["params"][0], 16) > known:
                    answer["result"] = None
                elif call["method"] == "eth_getLogs":
                    answer["result"] = []
            return answers

        proxy.tamper = lag
        for cursor in (start, after):
            with pytest.raises(ChainUnavailable):
                await driver(proxy.url).scan(Watchlist([OURS]), cursor, until)


async def test_events_that_a_node_leaves_out_are_asked_for_again(anvil, proxy, driver, token, start):
    pay(anvil, token, 5)
    proxy.on("eth_getLogs", lambda params, logs: [] if "fromBlock" in params[0] else logs)
    assert [units for _, units, _ in await found(driver(proxy.url), start)] == [5]


async def test_one_event_of_several_left_out_is_found_in_the_receipt(anvil, proxy, driver, token, start):
    disperse = anvil.deploy(erc20.DISPERSE)
    anvil.send(token, data=erc20.transfer(disperse, 100), gas=100_000)
    anvil.send(disperse, data=erc20.disperse_tokens(token, [(PAYEE, 1), (PAYEE, 2)]), gas=500_000)
    anvil.mine()
    proxy.on("eth_getLogs", lambda _, logs: logs[:-1])
    assert [units for _, units, _ in await found(driver(proxy.url), start)] == [1, 2]


async def test_quiet_blocks_cost_one_request(anvil, proxy, driver, start):
    anvil.mine(5)
    chain = driver(proxy.url)
    await chain.open()
    tip = (await chain.tip()).block
    proxy.batches.clear()
    await chain.scan(Watchlist([OURS]), start, tip)
    assert len(proxy.batches) == 1


@pytest.mark.parametrize("key", ["blockHash", "blockNumber"])
async def test_events_of_another_chain_are_not_believed(anvil, proxy, driver, token, start, key):
    pay(anvil, token, 5)
    other = {"blockHash": "0x" + "ab" * 32, "blockNumber": "0x1"}
    proxy.on("eth_getLogs", lambda params, logs: [{**log, key: other[key]} for log in logs] if "fromBlock" in params[0] else logs)
    with pytest.raises(ChainUnavailable):
        await found(driver(proxy.url), start)


async def test_a_removed_event_is_not_believed(anvil, proxy, driver, token, start):
    pay(anvil, token, 5)
    proxy.on("eth_getLogs", lambda _, logs: [{**log, "removed": True} for log in logs])
    with pytest.raises(ChainUnavailable):
        await found(driver(proxy.url), start)


async def test_an_event_that_its_receipt_does_not_hold_is_not_believed(anvil, proxy, driver, token, start):
    pay(anvil, token, 5)
    proxy.on("eth_getLogs", lambda _, logs: [{**log, "data": f"0x{6:064x}"} for log in logs])
    with pytest.raises(ChainUnavailable):
        await found(driver(proxy.url), start)


@pytest.mark.parametrize(
    "change",
    [
        lambda receipt: None,
        lambda receipt: {**receipt, "blockHash": "0x" + "ab" * 32, "logs": []},
        lambda receipt: {**receipt, "transactionHash": "0x" + "ab" * 32, "logs": []},
        lambda receipt: {key: value for key, value in receipt.items() if key != "status"},
        lambda receipt: {**receipt, "status": "0x2"},
        lambda receipt: {**receipt, "logs": []},
        lambda receipt: {**receipt, "logs": receipt["logs"] * 2},
    ],
    ids=["none", "another block", "another transaction", "no status", "odd status", "no logs", "a log twice"],
)
async def test_a_receipt_that_contradicts_the_block_is_not_believed(anvil, proxy, driver, token, start, change):
    pay(anvil, token, 5)
    proxy.on("eth_getTransactionReceipt", lambda _, receipt: change(receipt))
    with pytest.raises(ChainUnavailable):
        await found(driver(proxy.url), start)


async def test_a_failed_transaction_brings_nothing_even_with_events(anvil, proxy, driver, token, start):
    pay(anvil, token, 5)
    proxy.on("eth_getTransactionReceipt", lambda _, receipt: {**receipt, "status": "0x0"})
    assert await found(driver(proxy.url), start) == []


async def test_blocks_that_are_not_each_others_children_are_not_believed(anvil, proxy, driver, start):
    anvil.mine(3)
    broken = hex(start.height + 2)
    proxy.on("eth_getBlockByNumber", lambda params, block: {**block, "parentHash": "0x" + "ab" * 32} if params[0] == broken else block)
    with pytest.raises(ChainUnavailable):
        await found(driver(proxy.url), start)


async def test_a_block_without_the_content_of_its_transactions_is_not_believed(anvil, proxy, driver, start):
    proxy.deny_traces()
    anvil.send(PAYEE, 5)
    anvil.mine()
    proxy.on(
        "eth_getBlockByNumber",
        lambda _, block: (
            {**block, "transactions": [each["hash"] for each in block["transactions"] if "hash" in each]}
            if block["transactions"] and isinstance(block["transactions"][0], dict)
            else block
        ),
    )
    with pytest.raises(ChainUnavailable):
        await found(driver(proxy.url), start)


async def test_a_cursor_above_a_chain_that_became_shorter_waits(anvil, driver, start):
    snapshot = anvil.snapshot()
    anvil.mine(3)
    gone = (await driver(anvil.url).tip()).block
    anvil.revert(snapshot)
    anvil.mine()
    chain = driver(anvil.url)
    with pytest.raises(ChainUnavailable):
        await chain.scan(Watchlist([OURS]), gone, (await chain.tip()).block)
    anvil.mine(3)
    with pytest.raises(CursorOrphaned):
        await chain.scan(Watchlist([OURS]), gone, (await chain.tip()).block)


# --- ranges ----------------------------------------------------------------------


async def test_a_range_that_the_node_finds_too_large_is_halved_until_it_fits(anvil, proxy, driver, token, start):
    for units in range(1, 13):
        pay(anvil, token, units)

    def at_most_two(calls, answers):
        for answer in answers:
            call = calls[answer["id"]]
            asked = call["params"][0] if call["method"] == "eth_getLogs" else {}
            if "toBlock" in asked and int(asked["toBlock"], 16) - int(asked["fromBlock"], 16) > 1:
                del answer["result"]
                answer["error"] = {"code": -32005, "message": "query returned more than 2 blocks"}
        return answers

    proxy.tamper = at_most_two
    chain = driver(proxy.url)
    until, after, arrived = (await chain.tip()).block, start, []
    while after != until:
        scan = await chain.scan(Watchlist([OURS]), after, until)
        assert after.height < scan.cursor.height <= after.height + 2
        arrived += [transfer.units for transfer in scan.transfers]
        after = scan.cursor
    assert arrived == list(range(1, 13))


async def test_ranges_grow_while_the_node_bears_them_and_end_at_the_limit(anvil, driver, start):
    anvil.mine(150)
    chain = driver(anvil.url, max_range=40)
    until, after, lengths = (await chain.tip()).block, start, []
    while after != until:
        scan = await chain.scan(Watchlist([OURS]), after, until)
        lengths.append(scan.cursor.height - after.height)
        after = scan.cursor
    assert lengths == [10, 20, 40, 40, 40]


async def test_no_more_headers_are_returned_than_a_walk_back_needs(anvil, driver, start):
    anvil.mine(100)
    chain = driver(anvil.url, max_range=200)
    until, scan = (await chain.tip()).block, None
    while scan is None or scan.cursor.height < start.height + 70:
        scan = await chain.scan(Watchlist([OURS]), start if scan is None else scan.cursor, until)
    # Looks of 10, 20 and 40 blocks were borne: the next takes up to 80 at once.
    scan = await chain.scan(Watchlist([OURS]), start, until)
    assert scan.cursor.height == start.height + 80
    assert [block.height for block in scan.headers] == list(range(start.height + 17, start.height + 81))


async def test_the_cost_does_not_grow_with_the_addresses_that_are_watched(anvil, proxy, driver, token, start):
    pay(anvil, token, 5)
    chain = driver(proxy.url)
    await chain.open()
    tip = (await chain.tip()).block
    watched = [OURS, *(Destination(f"0x{index:040x}") for index in range(1, 5000))]
    proxy.batches.clear()
    scan = await chain.scan(Watchlist(watched), start, tip)
    assert [transfer.units for transfer in scan.transfers] == [5]
    # Two headers, the events, the traces; the receipt of what arrived; and the balances around the block.
    assert [len(batch) - 1 for batch in proxy.batches] == [4, 1, 2]


async def test_a_limit_that_does_not_change_is_met_once_and_not_with_every_second_look(anvil, proxy, driver, start):
    anvil.mine(60)
    refused = []

    def at_most_ten(call):
        if call["method"] != "eth_getLogs" or "toBlock" not in call["params"][0]:
            return False
        blocks = int(call["params"][0]["toBlock"], 16) - int(call["params"][0]["fromBlock"], 16) + 1
        refused.extend([blocks] if blocks > 10 else [])
        return blocks > 10

    proxy.refuse, proxy.words = at_most_ten, "You can make eth_getLogs requests with up to a 10 block range"
    chain = driver(proxy.url)
    until, after, lengths = (await chain.tip()).block, start, []
    while after != until:
        after, before = (await chain.scan(Watchlist([OURS]), after, until)).cursor, after
        lengths.append(after.height - before.height)
    assert sum(lengths) == 60
    assert len(refused) <= 4


@pytest.mark.parametrize(
    ("refused", "source"),
    [
        (lambda call: call["method"] == "eth_getLogs", "eth_getBlockReceipts"),
        (lambda call: call["method"] == "eth_getBlockReceipts" or "toBlock" in str(call["params"]), "eth_getLogs by block hash"),
    ],
    ids=["by receipts", "by block hash"],
)
async def test_tokens_are_found_where_ranges_of_events_cannot_be_asked_for(anvil, proxy, driver, token, start, refused, source):
    proxy.refuse, proxy.words = refused, "method eth_getLogs in batch triggered rate limit"
    usdc = token_of("eip155:31337", "USDC", token, 6, "usd-coin")
    chain = driver(proxy.url, standard=frozenset({usdc.id}))
    await chain.open()
    assert (await chain._abilities.of(chain._rpc.endpoints[0])).shown.source == source
    pay(anvil, token, 5)
    anvil.send(PAYEE, 3)
    pay(anvil, token, 6)
    assert [(units, index) for _, units, index in await found(chain, start)] == [(5, "1"), (3, "0"), (6, "1")]


async def test_receipts_of_another_block_are_not_believed(anvil, proxy, driver, token, start):
    proxy.denied = {"eth_getLogs"}
    chain = driver(proxy.url)
    await chain.open()
    pay(anvil, token, 5)
    for change in (lambda receipts: [], lambda receipts: [{**each, "blockHash": "0x" + "ab" * 32, "logs": []} for each in receipts]):
        proxy.on("eth_getBlockReceipts", lambda _, receipts, change=change: change(receipts))
        with pytest.raises(ChainUnavailable):
            await found(chain, start)


async def test_an_endpoint_without_any_way_to_read_events_is_refused_in_plain_words(proxy, driver):
    proxy.denied = {"eth_getLogs", "eth_getBlockReceipts"}
    with pytest.raises(NotReady, match="eth_getLogs disabled"):
        await driver(proxy.url).open()


async def test_an_endpoint_without_any_way_to_find_what_contracts_send_is_refused_in_plain_words(proxy, driver):
    proxy.deny_traces()
    proxy.refuse = lambda call: call["method"] == "eth_call" and call["params"][1] != "latest"
    with pytest.raises(NotReady, match="use another endpoint"):
        await driver(proxy.url).open()


async def test_an_endpoint_that_comes_back_as_another_node_is_asked_anew_what_it_can_do(anvil, proxy, driver, start):
    chain = driver(proxy.url)
    await chain.open()
    anvil.send(PAYEE, 3)
    anvil.mine()
    proxy.deny_traces()
    assert [units for _, units, _ in await found(chain, start)] == [3]
