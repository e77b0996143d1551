"""Several endpoints: two of them before money is final, two looks at everything, and nobody alone takes anything back."""

from __future__ import annotations

import pytest
from pydantic import SecretStr
from solders.keypair import Keypair

from pepay_core.api import ChainUnavailable, CursorOrphaned, Destination, SourceState, Watchlist
from pepay_core.api import Testimony as Said
from pepay_core.testing.clock import FakeClock
from pepay_solana.chain import SolanaChain
from pepay_solana.pool import PATIENCE
from pepay_solana.settings import SolanaSettings

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def mint(cluster):
    return cluster.create_mint(6)


@pytest.fixture
def payee(cluster, mint):
    wallet = str(cluster.wallet(10**9).pubkey())
    cluster.create_token_account(wallet, mint)
    return Destination(wallet, str(Keypair().pubkey()))


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def driver(http, make_cluster, mint, clock):
    """Return a function that makes a driver of some endpoints, whose time the test commands."""
    return lambda *urls: SolanaChain(make_cluster(*urls, tokens={"USDC": (mint, 6)}), http, clock)


@pytest.fixture
async def paid(cluster, driver, payee, mint):
    """Return a block, and what the first of the endpoints found above it: a payment in each coin, one of them through a lookup table."""
    after = (await driver(cluster.url).tip()).block
    buyer = cluster.wallet()
    cluster.mint_to(mint, str(buyer.pubkey()), 10**9)
    cluster.transfer(buyer, payee.address, 5_000_000, references=[payee.reference])
    cluster.transfer_tokens(buyer, payee.address, mint, 7_000_000, references=[payee.reference])
    cluster.tick(2)
    chain = driver(cluster.url)
    scan = await chain.scan(Watchlist([payee]), after, (await chain.tip()).block)
    assert [each.units for each in scan.transfers] == [5_000_000, 7_000_000]
    return after, scan


async def heard(chain, paid):
    transfers = paid[1].transfers
    said = await chain.corroborate(transfers)
    return [said[each.key] for each in transfers]


async def test_one_endpoint_has_nobody_to_ask(cluster, driver, paid):
    assert await driver(cluster.url).corroborate(paid[1].transfers) == {}


async def test_two_that_hold_a_payment_agree(cluster, driver, proxy, paid):
    assert await heard(driver(proxy.url, cluster.url), paid) == [Said.AGREED] * 2


async def test_one_that_shows_the_block_without_the_payment_contradicts(cluster, driver, proxy, paid):
    gone = {each.tx for each in paid[1].transfers}

    def without(params, result):
        if isinstance(result, dict) and "signatures" in result:
            result["signatures"] = [each for each in result["signatures"] if each not in gone]
        return None if gone.intersection(map(str, params)) else result

    proxy.on("getTransaction", without)
    chain = driver(proxy.url, cluster.url)
    # It has the transaction in its block, and only not in its list yet.
    assert await heard(chain, paid) == [Said.AWAITED] * 2

    def tamper(calls, answers):
        return [{**each, "result": without(calls[each["id"]]["params"], each["result"])} for each in answers]

    proxy.tamper = tamper
    assert await heard(chain, paid) == [Said.CONTRADICTED] * 2
    assert await heard(driver(proxy.url, proxy.url), paid) == [Said.REFUTED] * 2
    assert await heard(driver(proxy.url, cluster.url, cluster.url), paid) == [Said.AGREED] * 2


async def test_one_that_says_less_arrived_contradicts(cluster, driver, proxy, paid, clock):
    def less(_params, result):
        result["meta"]["postBalances"] = result["meta"]["preBalances"]
        result["meta"]["postTokenBalances"] = result["meta"]["preTokenBalances"]
        return result

    proxy.on("getTransaction", less)
    chain = driver(cluster.url, proxy.url)
    assert await heard(chain, paid) == [Said.CONTRADICTED] * 2
    # Nothing is final meanwhile, and whoever runs the server can see why.
    first, second = chain.sources()
    assert (first.well, second.state) == (True, SourceState.QUARANTINED)
    assert paid[1].transfers[1].tx in second.reason
    await clock.advance(60)
    assert all(each.well for each in chain.sources())


async def test_one_with_another_block_in_that_slot_contradicts(cluster, driver, proxy, paid):
    proxy.on("getBlock", lambda _params, result: {**result, "blockhash": str(Keypair().pubkey())})
    assert await heard(driver(cluster.url, proxy.url), paid) == [Said.CONTRADICTED] * 2


async def test_one_that_lags_is_waited_for(cluster, driver, proxy, paid):
    proxy.fail("getBlock", -32004)
    assert await heard(driver(cluster.url, proxy.url), paid) == [Said.AWAITED] * 2


async def test_one_that_has_thrown_the_block_away_is_not_waited_for(cluster, driver, proxy, paid):
    proxy.fail("getBlock", -32001)
    assert await heard(driver(cluster.url, proxy.url), paid) == [Said.UNHEARD] * 2


async def test_one_that_is_out_is_waited_for_during_two_minutes(cluster, driver, paid, clock):
    chain = driver(cluster.url, NOWHERE)
    assert await heard(chain, paid) == [Said.AWAITED] * 2
    await clock.advance(PATIENCE)
    assert await heard(chain, paid) == [Said.UNHEARD] * 2


async def test_the_second_look_finds_what_the_first_endpoint_leaves_out(cluster, driver, proxy, payee, paid):
    after, honest = paid
    proxy.on("getSignaturesForAddress", lambda _params, _result: [])
    chain = driver(proxy.url, cluster.url)
    watched, until = Watchlist([payee]), (await chain.tip()).block
    first = await chain.scan(watched, after, until)
    assert first.transfers == ()
    second = await chain.second_look(watched, after, until, first.source)
    assert (second.transfers, second.source) == (honest.transfers, chain.sources()[1].label)
    assert chain.sources()[1].head == until.height
    assert await driver(proxy.url).second_look(watched, after, until, proxy.url) is None


async def test_a_block_is_gone_when_two_say_so(cluster, driver, proxy, payee, paid):
    after, scan = paid
    proxy.on("getBlock", lambda _params, result: {**result, "blockhash": str(Keypair().pubkey())})
    until = scan.cursor
    with pytest.raises(ChainUnavailable, match="other endpoints have"):
        await driver(proxy.url, cluster.url).scan(Watchlist([payee]), after, until)
    with pytest.raises(ChainUnavailable, match="waited for"):
        await driver(proxy.url, NOWHERE).scan(Watchlist([payee]), after, until)
    with pytest.raises(CursorOrphaned):
        await driver(proxy.url, proxy.url).scan(Watchlist([payee]), after, until)


async def test_endpoints_are_shown_as_they_fare(cluster, driver, proxy):
    chain = driver(proxy.url, cluster.url)
    head = (await chain.tip()).block.height
    assert [(each.state, each.head) for each in chain.sources()] == [(SourceState.SERVING, head), (SourceState.STANDBY, None)]
    proxy.fail("getSlot", -32005)
    await chain.tip()
    first, second = chain.sources()
    assert (first.state, second.state) == (SourceState.RESTING, SourceState.SERVING)
    assert "fewer requests" in first.reason


async def test_an_endpoint_of_another_cluster_is_in_quarantine(cluster, driver, proxy):
    proxy.on("getGenesisHash", lambda _params, _result: str(Keypair().pubkey()))
    chain = driver(proxy.url, cluster.url)
    await chain.open()
    assert [each.state for each in chain.sources()] == [SourceState.QUARANTINED, SourceState.SERVING]


async def test_two_keys_of_one_host_have_two_names(driver):
    assert [each.label for each in driver("http://127.0.0.1:9/one", "http://127.0.0.1:9/two").sources()] == [f"{NOWHERE} #1", f"{NOWHERE} #2"]


def test_one_endpoint_is_believed_alone_up_to_a_limit_where_there_are_two():
    def limit(*urls):
        [cluster] = SolanaSettings.model_validate({"clusters": {"mainnet": {"rpc": [SecretStr(url) for url in urls]}}}).resolved()
        return cluster.finality.alone_up_to

    assert (limit("https://a.example"), limit("https://a.example", "https://b.example")) == (None, 1000)
