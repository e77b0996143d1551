"""What a look costs, and what it makes of nodes that err: nothing is passed over that was not seen."""

from __future__ import annotations

import pytest
from aiohttp import web
from solders.keypair import Keypair

from pepay_core.api import Block, ChainUnavailable, ConfigError, CursorOrphaned, Destination, NotReady, Watchlist
from pepay_solana import listing
from pepay_solana.scanning import OVERLAP


class Scene:
    """A wallet that is paid in SOL, watched for references."""

    def __init__(self, cluster, mint):
        self.cluster = cluster
        self.mint = mint
        self.wallet = str(Keypair().pubkey())
        cluster.airdrop(self.wallet, 10**9)
        cluster.create_token_account(self.wallet, mint)
        self.buyer = cluster.wallet(1000 * 10**9)
        cluster.mint_to(mint, str(self.buyer.pubkey()), 10**12)
        self.ours = self.destination()

    def destination(self):
        return Destination(self.wallet, str(Keypair().pubkey()))

    def pay(self, lamports, to=None):
        return self.cluster.transfer(self.buyer, self.wallet, lamports, references=[(to or self.ours).reference])

    def pay_token(self, units, to=None):
        return self.cluster.transfer_tokens(self.buyer, self.wallet, self.mint, units, references=[(to or self.ours).reference])


@pytest.fixture
def scene(cluster):
    return Scene(cluster, cluster.create_mint(6))


@pytest.fixture
def driver(make_chain, scene):
    """Return a function that makes a driver for the scene's token."""
    return lambda *urls, **changes: make_chain(*urls, tokens={"USDC": (scene.mint, 6)}, **changes)


@pytest.fixture
async def start(cluster, driver, scene):
    # What set the scene lies further back than what is listed again.
    cluster.tick(OVERLAP + 1)
    return (await driver().tip()).block


async def look(chain, watched, after, until=None):
    """Return what a watcher finds above a block, and how many scans it took."""
    until = until or (await chain.tip()).block
    watchlist = watched if isinstance(watched, Watchlist) else Watchlist(watched)
    found, scans = [], 0
    while after != until:
        scan = await chain.scan(watchlist, after, until)
        scans += 1
        assert after.height < scan.cursor.height
        found += scan.transfers
        after = scan.cursor
    return [each.units for each in found], scans


# --- cost ------------------------------------------------------------------------


async def test_three_hundred_payments_while_nobody_looked_are_found_with_calls_in_proportion(cluster, scene, driver, proxy, start):
    watched = [scene.destination() for _ in range(300)]
    for number, to in enumerate(watched, 1):
        (scene.pay if number % 2 else scene.pay_token)(number, to)
        if number % 30 == 0:
            cluster.tick()
    cluster.tick()
    chain = driver(proxy.url)
    tip = (await chain.tip()).block
    proxy.calls.clear()
    found, _ = await look(chain, watched, start, tip)
    assert sorted(found) == list(range(1, 301))
    methods = proxy.methods()
    assert methods.count("getTransaction") == 300
    wallets, slots = 2, 10
    looks = 3
    assert methods.count("getSignaturesForAddress") <= 2 * wallets * looks
    assert methods.count("getBlock") <= slots + 3 * looks
    assert len(methods) < 300 + 50


async def test_an_idle_look_costs_the_same_for_three_hundred_invoices_as_for_one_and_for_none(cluster, scene, driver, proxy, start):
    async def cost(watched):
        chain, after, watchlist = driver(proxy.url), start, Watchlist(watched)
        await chain.shortcomings(chain.parse_wallet("address", scene.wallet))
        await chain.tip()
        proxy.calls.clear()
        for _ in range(20):
            cluster.tick()
            until = (await chain.tip()).block
            scan = await chain.scan(watchlist, after, until)
            assert scan.transfers == ()
            after = scan.cursor
        return sorted(proxy.methods())

    one = await cost([scene.ours])
    many = await cost([scene.destination() for _ in range(300)])
    assert one == many == await cost([])
    assert one.count("getSignaturesForAddress") == 20 * 2


async def test_a_look_that_finds_nothing_is_few_requests(cluster, scene, driver, proxy, start):
    cluster.tick()
    chain = driver(proxy.url)
    tip = (await chain.tip()).block
    before = proxy.requests
    await chain.scan(Watchlist([scene.ours]), start, tip)
    assert proxy.requests - before == 3


async def test_a_payment_is_read_once_although_it_is_listed_again(cluster, scene, driver, proxy, start):
    scene.pay(5)
    cluster.tick()
    chain = driver(proxy.url)
    found, _ = await look(chain, [scene.ours], start)
    after = (await chain.tip()).block
    cluster.tick(3)
    again, _ = await look(chain, [scene.ours], after)
    assert (found, again) == ([5], [])
    assert proxy.methods().count("getTransaction") == 1


async def test_a_history_longer_than_a_page_is_read_to_its_end(cluster, scene, driver, proxy, start, monkeypatch):
    monkeypatch.setattr(listing, "FIRST", 3)
    monkeypatch.setattr(listing, "PAGE", 4)
    for units in range(1, 22):
        scene.pay(units)
    cluster.tick()
    found, _ = await look(driver(proxy.url), [scene.ours], start)
    assert found == list(range(1, 22))


async def test_many_transactions_are_read_in_several_looks_that_end_with_whole_slots(cluster, scene, driver, start):
    for units in range(1, 21):
        scene.pay(units)
        if units % 4 == 0:
            cluster.tick()
    found, scans = await look(driver(look=5), [scene.ours], start)
    assert found == list(range(1, 21))
    assert scans > 2


async def test_thousands_of_strangers_signatures_hide_nothing(cluster, scene, driver, start, monkeypatch):
    monkeypatch.setattr(listing, "FIRST", 5)
    monkeypatch.setattr(listing, "PAGE", 50)
    scene.pay(7)
    for _ in range(200):
        cluster.transfer(scene.buyer, scene.wallet, 1, references=[])
    scene.pay(8)
    cluster.tick()
    found, _ = await look(driver(), [scene.ours], start)
    assert found == [7, 8]


# --- nodes that err --------------------------------------------------------------


@pytest.mark.parametrize("code", [-32002, -32005, -32016, -32015, -32603, 429, -32429, None])
@pytest.mark.parametrize("method", ["getSlot", "getBlock", "getSignaturesForAddress", "getTransaction"])
async def test_an_error_is_an_outage_and_the_look_after_it_finds_everything(cluster, scene, driver, proxy, start, method, code):
    scene.pay(5)
    cluster.tick()
    chain = driver(proxy.url)
    tip = (await chain.tip()).block
    proxy.fail(method, code)
    with pytest.raises(ChainUnavailable):
        await look(chain, [scene.ours], start, tip if method != "getSlot" else None)
    proxy.honest()
    for record in chain._rpc._records.values():
        record.shunned_until = None
    assert await look(chain, [scene.ours], start) == ([5], 1)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b"null",
        b'{"jsonrpc":"2.0","id":0}',
        b'{"jsonrpc":"2.0","id":7,"result":null}',
        b"\xff\xfe",
        b"[" * 3000,
        500,
        502,
        403,
    ],
)
async def test_a_malformed_reply_is_an_outage(cluster, scene, driver, proxy, start, answer):
    scene.pay(5)
    cluster.tick()
    chain = driver(proxy.url)
    tip = (await chain.tip()).block
    proxy.tamper = lambda _calls, _answers: answer
    with pytest.raises(ChainUnavailable):
        await look(chain, [scene.ours], start, tip)
    proxy.honest()
    assert await look(chain, [scene.ours], start) == ([5], 1)


def without(*names):
    def change(_params, result):
        holder = result
        *path, last = names
        for name in path:
            holder = holder[name]
        holder.pop(last)
        return result

    return change


def replaced(value, *names):
    def change(_params, result):
        holder = result
        *path, last = names
        for name in path:
            holder = holder[name]
        holder[last] = value
        return result

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda _params, _result: [],
        lambda _params, _result: "text",
        without("meta"),
        without("transaction"),
        without("meta", "postBalances"),
        without("meta", "postTokenBalances"),
        replaced([], "meta", "postBalances"),
        replaced([1.5] * 6, "meta", "postBalances"),
        replaced(None, "meta", "preTokenBalances"),
        replaced(["not a key"], "transaction", "message", "accountKeys"),
        replaced([{"programIdIndex": 99, "accounts": [], "data": ""}], "transaction", "message", "instructions"),
        replaced(["1" * 64], "transaction", "signatures"),
        replaced(1, "slot"),
    ],
)
async def test_a_transaction_that_is_not_what_it_must_be_is_believed_by_nobody(cluster, scene, driver, proxy, start, change):
    scene.pay(5)
    cluster.tick()
    proxy.on("getTransaction", change)
    chain = driver(proxy.url)
    with pytest.raises(ChainUnavailable):
        await look(chain, [scene.ours], start)
    proxy.honest()
    assert await look(chain, [scene.ours], start) == ([5], 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda _params, _result: None,
        lambda _params, _result: {},
        lambda _params, result: [*result, "text"],
        lambda _params, result: [{**each, "slot": "1"} for each in result],
        lambda _params, result: [{**each, "signature": "x"} for each in result],
        lambda _params, result: result[::-1] if len(result) > 1 else None,
    ],
)
async def test_a_history_that_is_not_what_it_must_be_is_believed_by_nobody(cluster, scene, driver, proxy, start, change):
    scene.pay(5)
    cluster.tick()
    scene.pay(6)
    cluster.tick()
    proxy.on("getSignaturesForAddress", change)
    with pytest.raises(ChainUnavailable):
        await look(driver(proxy.url), [scene.ours], start)


async def test_a_transaction_that_is_listed_and_not_there_yet_is_waited_for(cluster, scene, driver, proxy, start):
    scene.pay(5)
    cluster.tick()
    chain = driver(proxy.url)
    proxy.on("getTransaction", lambda _params, _result: None)
    with pytest.raises(ChainUnavailable, match="does not have a transaction that it lists"):
        await look(chain, [scene.ours], start)
    proxy.honest()
    assert await look(chain, [scene.ours], start) == ([5], 1)


async def test_what_a_node_lists_late_is_found_in_a_later_look(cluster, scene, driver, proxy, start):
    scene.pay(5)
    cluster.tick()
    chain = driver(proxy.url)
    proxy.on("getSignaturesForAddress", lambda _params, result: [each for each in result if each["slot"] <= start.height])
    tip = (await chain.tip()).block
    assert await look(chain, [scene.ours], start, tip) == ([], 1)
    proxy.honest()
    cluster.tick()
    assert await look(chain, [scene.ours], tip) == ([5], 1)


async def test_a_node_that_lost_its_place_in_a_history_has_not_reached_its_beginning(cluster, scene, driver, proxy, start, monkeypatch):
    monkeypatch.setattr(listing, "FIRST", 2)
    monkeypatch.setattr(listing, "PAGE", 4)
    for units in range(1, 13):
        scene.pay(units)
    cluster.tick()

    def forgetful(calls, answers):
        for answer in answers:
            call = calls[answer["id"]]
            if call["method"] == "getSignaturesForAddress" and "before" in call["params"][1]:
                answer["result"] = []
            elif call["method"] == "getSignatureStatuses":
                answer["result"]["value"] = [None]
        return answers

    proxy.tamper = forgetful
    with pytest.raises(ChainUnavailable, match="lost its place"):
        await look(driver(proxy.url), [scene.ours], start)


async def test_a_node_that_lags_is_asked_with_the_slot_that_it_must_know(cluster, scene, driver, proxy, start):
    cluster.tick()
    chain = driver(proxy.url)
    tip = (await chain.tip()).block
    await chain.scan(Watchlist([scene.ours]), start, tip)
    asked = [params[1]["minContextSlot"] for method, params in proxy.calls if method == "getSignaturesForAddress"]
    assert set(asked) == {tip.height}


async def test_a_block_that_the_node_has_thrown_away_orphans_nothing(cluster, scene, driver, proxy, start):
    cluster.tick()
    chain = driver(proxy.url)
    tip = (await chain.tip()).block
    for code in (-32001, -32004, -32007, -32009):
        proxy.fail("getBlock", code)
        with pytest.raises(ChainUnavailable):
            await chain.scan(Watchlist([scene.ours]), start, tip)


async def test_a_slot_that_the_chain_leaps_over_is_orphaned(cluster, scene, driver, start):
    cluster.tick(3)
    chain = driver()
    gone = (await chain.tip()).block
    cluster.rollback(3)
    cluster.tick(3)
    assert await chain.block(gone.height) is None
    with pytest.raises(CursorOrphaned):
        await chain.scan(Watchlist([scene.ours]), gone, (await chain.tip()).block)


async def test_an_endpoint_of_another_cluster_orphans_nothing(cluster, scene, driver, proxy, start):
    chain = driver(proxy.url)
    tip = (await chain.tip()).block
    foreign = Block(start.height, str(Keypair().pubkey()), start.time)
    proxy.on("getGenesisHash", lambda _params, _result: str(Keypair().pubkey()))
    cluster.tick()
    tip = (await chain.tip()).block
    with pytest.raises(ChainUnavailable, match="serves the cluster"):
        await chain.scan(Watchlist([scene.ours]), foreign, tip)


# --- endpoints -------------------------------------------------------------------


async def test_a_batch_that_is_refused_is_asked_piece_by_piece(cluster, scene, driver, proxy, start):
    scene.pay(5)
    scene.pay_token(6)
    cluster.tick()

    def no_batches(calls, answers):
        return {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "no batches"}} if len(calls) > 1 else answers

    for refusal in (no_batches, lambda calls, answers: 413 if len(calls) > 1 else answers):
        proxy.tamper = refusal
        assert await look(driver(proxy.url), [scene.ours], start) == ([5, 6], 1)


async def test_an_endpoint_that_asks_for_fewer_requests_is_left_alone_for_as_long_as_it_says(cluster, scene, driver, proxy, start):
    proxy.tamper = lambda _calls, _answers: web.Response(status=429, headers={"Retry-After": "30"})
    cluster.tick()
    chain = driver(proxy.url)
    with pytest.raises(ChainUnavailable, match="fewer requests"):
        await chain.tip()
    asked = proxy.requests
    with pytest.raises(ChainUnavailable, match="fewer requests"):
        await chain.tip()
    assert proxy.requests == asked


async def test_the_next_endpoint_serves_where_one_fails(cluster, scene, driver, proxy, start):
    scene.pay(5)
    cluster.tick()
    proxy.tamper = lambda _calls, _answers: 503
    assert await look(driver(proxy.url, cluster.url), [scene.ours], start) == ([5], 1)


async def test_opening_tells_wrong_clusters_from_silent_ones(cluster, make_chain, proxy):
    other = str(Keypair().pubkey())
    with pytest.raises(ConfigError, match="genesis"):
        await make_chain(genesis=other).open()
    with pytest.raises(NotReady, match="no endpoint answers"):
        await make_chain("http://127.0.0.1:9").open()
    await make_chain("http://127.0.0.1:9", cluster.url).open()


async def test_no_message_repeats_what_may_be_a_key(cluster, driver, proxy):
    proxy.tamper = lambda calls, _answers: [
        {"jsonrpc": "2.0", "id": each, "error": {"code": -32000, "message": "no plan for s3cret-key at /v1/s3cret-key"}} for each in calls
    ]
    with pytest.raises(ChainUnavailable) as caught:
        await driver(f"{proxy.url}/v1/s3cret-key").tip()
    assert "s3cret" not in str(caught.value)


# --- lists of addresses ----------------------------------------------------------


async def test_many_addresses_that_wait_cost_a_question_for_each_hundred_accounts(cluster, scene, driver, proxy, start):
    waiting = [Destination(str(Keypair().pubkey())) for _ in range(100)]
    chain, watchlist, after = driver(proxy.url), Watchlist(waiting), start
    for turn in range(6):
        cluster.tick()
        if turn == 4:
            cluster.transfer(scene.buyer, waiting[7].address, 10**7)
            cluster.transfer_tokens(scene.buyer, waiting[8].address, scene.mint, 5, create_account=True)
            cluster.tick()
        proxy.calls.clear()
        until = (await chain.tip()).block
        scan = await chain.scan(watchlist, after, until)
        after = scan.cursor
        methods = proxy.methods()
        assert methods.count("getMultipleAccounts") == 2
        if turn == 4:
            assert [(each.to, each.units) for each in scan.transfers] == [(waiting[7], 10**7), (waiting[8], 5)]
        else:
            assert scan.transfers == ()
        if turn in {2, 3}:
            # One of them has its turn.
            assert methods.count("getSignaturesForAddress") == 2


async def test_what_a_node_knew_before_the_block_that_was_asked_for_is_not_forgotten(cluster, scene, driver, start):
    waiting = [Destination(str(Keypair().pubkey())) for _ in range(3)]
    chain, watchlist = driver(), Watchlist(waiting)
    cluster.tick()
    until = (await chain.tip()).block
    # The accounts are read after this, and the look goes no further than the block before.
    cluster.transfer(scene.buyer, waiting[1].address, 10**7)
    cluster.tick(2)
    assert (await chain.scan(watchlist, start, until)).transfers == ()
    later = await chain.scan(watchlist, until, (await chain.tip()).block)
    assert [each.units for each in later.transfers] == [10**7]


async def test_what_came_and_went_between_two_looks_is_found_in_its_turn(cluster, scene, driver, start):
    keys = [Keypair() for _ in range(3)]
    waiting = [Destination(str(key.pubkey())) for key in keys]
    chain, watchlist = driver(), Watchlist(waiting)
    cluster.tick()
    after = (await chain.scan(watchlist, start, (await chain.tip()).block)).cursor
    cluster.tick(3)
    after = (await chain.scan(watchlist, after, (await chain.tip()).block)).cursor
    cluster.transfer(scene.buyer, waiting[1].address, 10**7)
    cluster.transfer(keys[1], str(scene.buyer.pubkey()), 10**7 - 5000)
    found = []
    for _ in range(4):
        cluster.tick()
        scan = await chain.scan(watchlist, after, (await chain.tip()).block)
        found += [(each.to, each.units) for each in scan.transfers]
        after = scan.cursor
    assert found == [(waiting[1], 10**7)]


async def test_what_lay_at_an_address_before_it_was_watched_is_no_payment(cluster, scene, driver, start):
    ours = Destination(str(Keypair().pubkey()))
    cluster.transfer(scene.buyer, ours.address, 10**7)
    cluster.tick()
    chain = driver()
    after = (await chain.tip()).block
    cluster.tick(2)
    assert await look(chain, [ours], after) == ([], 1)
