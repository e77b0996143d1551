"""What `pepay tx explain` is told of a transaction."""

from __future__ import annotations

import pytest
from solders.keypair import Keypair

from pepay_core.api import ChainUnavailable, Destination, IgnoredBecause, InvalidInput, Watchlist
from pepay_sandbox.solana import instructions


@pytest.fixture
async def scene(cluster, make_chain):
    mint = cluster.create_mint(6)
    buyer, wallet = cluster.wallet(), str(cluster.wallet().pubkey())
    cluster.mint_to(mint, str(buyer.pubkey()), 10**9)
    cluster.create_token_account(wallet, mint)
    chain = make_chain("http://127.0.0.1:9", cluster.url, tokens={"USDC": (mint, 6)})
    return chain, mint, buyer, Destination(wallet, str(Keypair().pubkey()))


async def test_what_it_brought_is_what_a_look_finds(cluster, scene):
    chain, mint, buyer, ours = scene
    start = (await chain.tip()).block
    sent = cluster.transfer_tokens(buyer, ours.address, mint, 5, references=[ours.reference])
    assert await chain.inspect(sent, Watchlist([ours])) is None  # not confirmed yet
    cluster.tick()
    tip = (await chain.tip()).block
    found = await chain.inspect(f" {sent}\n", Watchlist([ours]))
    assert found.transfers == (await chain.scan(Watchlist([ours]), start, tip)).transfers
    assert (found.tx, found.block, found.failed, found.ignored) == (sent, tip, False, ())
    assert {ours.address, ours.reference, str(buyer.pubkey())} <= found.named
    assert (await chain.inspect(sent, Watchlist())).transfers == ()


async def test_what_brought_nothing_says_why(cluster, scene):
    chain, _, buyer, ours = scene
    other = cluster.create_mint(6)
    cluster.mint_to(other, str(buyer.pubkey()), 10)
    cluster.create_token_account(ours.address, other)
    false = cluster.transfer_tokens(buyer, ours.address, other, 5, references=[ours.reference])
    too_much = instructions.send_lamports(str(buyer.pubkey()), ours.address, 10**15)
    failed = cluster.send([instructions.with_references(too_much, [ours.reference])], [buyer], fails=True)
    cluster.tick()
    (unknown,) = (await chain.inspect(false, Watchlist([ours]))).ignored
    assert (unknown.reason, unknown.to, unknown.asset, unknown.units) == (
        IgnoredBecause.UNREGISTERED, ours.address, f"{chain.id}/token:{other}", 5,
    )  # fmt: skip
    vain = await chain.inspect(failed, Watchlist([ours]))
    assert (vain.failed, vain.transfers) == (True, ())
    assert [(each.reason, each.to, each.asset) for each in vain.ignored] == [(IgnoredBecause.FAILED, ours.address, chain.native)]


async def test_what_nobody_knows_is_none_and_what_is_no_signature_is_refused(cluster, scene, make_chain):
    chain, *_ = scene
    assert await chain.inspect("1" * 64, Watchlist()) is None
    for text in ("", "0x" + "ab" * 32, "not a signature"):
        with pytest.raises(InvalidInput, match="signature"):
            await chain.inspect(text, Watchlist())
    with pytest.raises(ChainUnavailable):
        await make_chain("http://127.0.0.1:9").inspect("1" * 64, Watchlist())


async def test_one_endpoint_can_be_asked_alone(cluster, scene):
    chain, *_ = scene
    alone = chain.through(cluster.url)
    assert (await alone.tip()).block == (await chain.tip()).block
    with pytest.raises(InvalidInput, match="has no endpoint"):
        chain.through("https://elsewhere.example")


async def test_an_old_range_is_found_again_by_a_driver_that_came_later(cluster, scene, make_chain):
    chain, _, buyer, _ = scene
    ours = Destination(str(Keypair().pubkey()))
    start = (await chain.tip()).block
    cluster.transfer(buyer, ours.address, 10**7)
    cluster.settle()
    late = (await chain.tip()).block
    cluster.tick(2)
    watchlist = Watchlist([ours])
    await chain.scan(watchlist, late, (await chain.tip()).block)
    assert [each.units for each in (await chain.scan(watchlist, start, late)).transfers] == [10**7]
