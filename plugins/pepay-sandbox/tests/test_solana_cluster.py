"""The local Solana cluster: commitments, forks, and what comes of a transaction."""

import time

import pytest

from pepay_sandbox.solana import ledger
from pepay_sandbox.solana.testing import SOL, Cluster, ClusterError


def pubkey(keypair):
    return str(keypair.pubkey())


@pytest.fixture
def shop(cluster):
    return pubkey(cluster.wallet(SOL))


@pytest.fixture
def buyer(cluster):
    return cluster.wallet()


def status(cluster, signature):
    [found] = cluster.rpc("getSignatureStatuses", [signature])["value"]
    return found and found["confirmationStatus"]


def test_a_transaction_is_processed_then_confirmed_then_final(cluster, buyer, shop):
    paid = cluster.transfer(buyer, shop, 5_000_000)

    seen = [status(cluster, paid)]
    for slots in (1, 30, 1):
        cluster.tick(slots)
        seen.append(status(cluster, paid))

    assert seen == ["processed", "confirmed", "confirmed", "finalized"]


def test_balances_are_as_old_as_the_commitment_asks(cluster, buyer, shop):
    cluster.settle()
    cluster.transfer(buyer, shop, 5_000_000)
    cluster.tick()
    cluster.transfer(buyer, shop, 700_000)

    assert [cluster.balance(shop, each) - SOL for each in ("processed", "confirmed", "finalized")] == [5_700_000, 5_000_000, 0]


def test_a_fork_takes_a_payment_back_and_the_same_payment_can_land_again(cluster, buyer, shop):
    paid = cluster.transfer(buyer, shop, 5_000_000)
    cluster.tick()

    assert cluster.rollback(2) == [paid]
    assert status(cluster, paid) is None
    assert cluster.balance(shop) == SOL
    cluster.reland(paid)
    cluster.settle()
    assert status(cluster, paid) == "finalized"
    assert cluster.balance(shop) == SOL + 5_000_000


def test_old_blocks_are_forgotten_but_nothing_that_landed(cluster, buyer, shop, monkeypatch):
    monkeypatch.setattr(ledger, "_KEPT", 100)
    paid = cluster.transfer(buyer, shop, 5_000_000)
    landed = cluster.slot
    cluster.tick(250)

    assert cluster.rpc("getFirstAvailableBlock") > landed
    assert cluster.rpc("getTransaction", paid)["slot"] == landed
    assert cluster.rpc("getBlock", landed)["transactions"]
    assert cluster.rpc("getSignaturesForAddress", shop)[0]["signature"] == paid
    with pytest.raises(ClusterError, match="cleaned up"):
        cluster.rpc("getBlock", landed + 1)
    assert cluster.genesis == cluster.rpc("getGenesisHash")
    assert cluster.balance(shop, "finalized") == SOL + 5_000_000
    again = cluster.transfer(buyer, shop, 5_000_000)
    assert cluster.rollback(1) == [again]


def test_no_fork_takes_back_what_is_final(cluster, buyer, shop):
    cluster.transfer(buyer, shop, 5_000_000)
    cluster.settle()

    with pytest.raises(ClusterError, match="not final"):
        cluster.rollback(33)


def test_time_that_passes_can_be_stopped_and_goes_on():
    with Cluster(slot_ms=1) as cluster:
        cluster.pause()
        before = cluster.slot
        assert cluster.tick(2) == before + 2
        assert cluster.slot == before + 2

        cluster.resume()
        deadline = time.monotonic() + 20
        while cluster.slot == before + 2:
            assert time.monotonic() < deadline, "time stands still"


def test_two_clusters_are_two_chains():
    with Cluster() as first, Cluster() as second:
        assert first.genesis != second.genesis
        assert first.url != second.url


def test_a_port_that_is_taken_is_said(cluster):
    with pytest.raises(OSError, match="in use"), Cluster(port=int(cluster.url.rpartition(":")[2])):
        pass
