"""The contract of a chain driver as tests: inherit ``ChainSuite``, provide three fixtures, and know whether money can be lost.

::

    from pepay_core.testing import ChainSuite


    class TestAcme(ChainSuite):
        bad_addresses = ("", "acme1short")

        @pytest.fixture
        def net(self): ...  # a Net: what you can do to your own test network

        @pytest.fixture
        def chain(self, net): ...  # your driver, open

        @pytest.fixture
        def wallet(self, chain): ...  # receiving material that can issue at least ten destinations
"""

# A test's name is its sentence, and what a network cannot do takes no argument.
# ruff: noqa: ARG002, D102

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import pytest

from pepay_core.api import AssetId, ChainUnavailable, CursorOrphaned, Feature, InvalidAddress, InvalidInput, Reference, WalletMaterial, Watchlist

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pepay_core.api import Block, Chain, Destination, Scan, Transfer


class Net(ABC):
    """What the suite does to a test network. Nothing is mined but by ``mine``, ``reorg`` and ``mine_again``.

    A method without an implementation skips the tests that need it; ``reorg`` is required of chains that declare REORGS, and
    ``token`` of those that declare TOKENS.
    """

    token: AssetId | None = None
    """An asset beside the native coin, which ``pay`` can pay with."""
    most: int = 2**256 - 1
    """The largest amount that the network can hold."""

    @abstractmethod
    async def pay(self, to: Destination, units: int, asset: AssetId) -> str:
        """Send one payment, zero units included, and return its transaction; any amount up to ``most`` must be payable once."""

    @abstractmethod
    async def mine(self, blocks: int = 1) -> None:
        """Mine: the first block holds everything that was sent, in the order of sending."""

    @abstractmethod
    async def cut(self) -> None:
        """Make the node unreachable for the rest of the test."""

    async def pay_together(self, payments: Sequence[tuple[Destination, int]], asset: AssetId) -> str:
        """Send several payments in one transaction."""
        pytest.skip("this network cannot pay twice in one transaction")

    async def pay_in_vain(self, to: Destination, units: int, asset: AssetId) -> str:
        """Send a payment whose transaction will be mined and fail."""
        pytest.skip("this network cannot mine a transaction that fails")

    async def pay_look_alike(self, to: Destination, units: int) -> str:
        """Send an asset that the driver does not know, made to look like one that it knows."""
        pytest.skip("this network has no look-alike")

    async def reorg(self, depth: int) -> None:
        """Replace the newest blocks by as many empty ones; what they held is no longer waiting to be mined either."""
        raise NotImplementedError("a chain that declares REORGS needs a network that can be reorganised")

    async def mine_again(self, transaction: str) -> None:
        """Mine a transaction that a reorganisation dropped, in a new block and behind other transactions."""
        pytest.skip("this network cannot mine a dropped transaction again")


class ChainSuite:
    """Every promise of ``Chain`` that money depends on, one test each."""

    pytestmark = pytest.mark.anyio

    bad_addresses: Sequence[str] = ("", "not an address")
    """Texts that must be refused."""
    spellings: Sequence[tuple[str, str]] = ()
    """Pairs of a text that must be accepted, and its canonical spelling."""

    @pytest.fixture
    def net(self) -> Net:
        """Return a fresh test network."""
        raise NotImplementedError("provide the fixture `net`")

    @pytest.fixture
    def chain(self, net: Net) -> Chain:
        """Return the driver, open."""
        raise NotImplementedError("provide the fixture `chain`")

    @pytest.fixture
    def wallet(self, chain: Chain) -> WalletMaterial:
        """Return receiving material as ``parse_wallet`` gave it."""
        raise NotImplementedError("provide the fixture `wallet`")

    @pytest.fixture(params=["native", "token"])
    def asset(self, request: pytest.FixtureRequest, chain: Chain, net: Net) -> AssetId:
        """Return each kind of asset in turn."""
        if request.param == "native":
            return chain.native
        if Feature.TOKENS not in chain.features:
            pytest.skip("the chain declares no tokens")
        assert net.token is not None, "a chain that declares TOKENS needs a network with a token"
        return net.token

    @pytest.fixture
    async def ours(self, chain: Chain, wallet: WalletMaterial) -> Destination:
        """Return the destination that most tests pay."""
        return await chain.issue(wallet, reference(0))

    @pytest.fixture
    async def start(self, chain: Chain, net: Net) -> Block:
        """Return a block to look from, with an empty one above it."""
        tip = await chain.tip()
        await net.mine()
        return tip.block

    # --- addresses ---------------------------------------------------------------

    async def test_an_address_has_one_canonical_spelling(self, chain: Chain, ours: Destination) -> None:
        assert chain.parse_address(ours.address) == ours.address
        for text, canonical in self.spellings:
            assert chain.parse_address(text) == canonical, f"{text!r} has another spelling"

    async def test_what_is_not_an_address_is_refused(self, chain: Chain) -> None:
        for text in self.bad_addresses:
            with pytest.raises(InvalidAddress):
                pytest.fail(f"{text!r} was taken for {chain.parse_address(text)!r}")

    async def test_a_wallet_of_an_unknown_kind_is_refused(self, chain: Chain) -> None:
        with pytest.raises(InvalidInput):
            chain.parse_wallet("no such kind", "value")

    async def test_a_reference_always_gets_the_same_destination(self, chain: Chain, wallet: WalletMaterial) -> None:
        first = await chain.issue(wallet, reference(3))
        assert await chain.issue(wallet, reference(3)) == first

    async def test_references_get_destinations_of_their_own(self, chain: Chain, wallet: WalletMaterial) -> None:
        issued = {await chain.issue(wallet, reference(index)) for index in range(10)}
        assert len(issued) == 10

    # --- what is a payment -------------------------------------------------------

    async def test_a_payment_is_seen_once(self, chain: Chain, net: Net, ours: Destination, start: Block, asset: AssetId) -> None:
        await net.pay(ours, 5, asset)
        await net.mine()
        until = (await chain.tip()).block
        assert units(await look(chain, [ours], start, until)) == [5]
        await net.mine(2)
        assert await look(chain, [ours], until) == []

    async def test_a_transfer_stands_in_its_own_block(self, chain: Chain, net: Net, ours: Destination, start: Block, asset: AssetId) -> None:
        sent = await net.pay(ours, 5, asset)
        await net.mine()
        block = (await chain.tip()).block
        await net.mine(2)
        (transfer,) = await look(chain, [ours], start)
        assert (transfer.chain, transfer.tx, transfer.block, transfer.to) == (chain.id, sent, block, ours)

    async def test_assets_are_told_apart(self, chain: Chain, net: Net, ours: Destination, start: Block) -> None:
        if net.token is None:
            pytest.skip("the network has no token")
        await net.pay(ours, 5, chain.native)
        await net.pay(ours, 5, net.token)
        await net.mine()
        assert [transfer.asset for transfer in await look(chain, [ours], start)] == [chain.native, net.token]

    async def test_payments_to_others_are_ignored(
        self, chain: Chain, net: Net, wallet: WalletMaterial, ours: Destination, start: Block, asset: AssetId
    ) -> None:
        await net.pay(await chain.issue(wallet, reference(7)), 5, asset)
        await net.mine()
        assert await look(chain, [ours], start) == []

    async def test_two_transfers_in_one_transaction_have_keys_of_their_own(
        self, chain: Chain, net: Net, ours: Destination, start: Block, asset: AssetId
    ) -> None:
        if Feature.SEVERAL_PER_TRANSACTION not in chain.features:
            pytest.skip("the chain declares one transfer for each transaction")
        await net.pay_together([(ours, 1), (ours, 2)], asset)
        await net.mine()
        found = await look(chain, [ours], start)
        assert units(found) == [1, 2]
        assert len({transfer.key for transfer in found}) == 2

    async def test_a_key_does_not_depend_on_what_is_watched(
        self, chain: Chain, net: Net, wallet: WalletMaterial, ours: Destination, start: Block, asset: AssetId
    ) -> None:
        if Feature.SEVERAL_PER_TRANSACTION not in chain.features:
            pytest.skip("the chain declares one transfer for each transaction")
        other = await chain.issue(wallet, reference(1))
        await net.pay_together([(other, 1), (ours, 2)], asset)
        await net.mine()
        among_both = [transfer.key for transfer in await look(chain, [other, ours], start) if transfer.to == ours]
        assert [transfer.key for transfer in await look(chain, [ours], start) if transfer.to == ours] == among_both

    @pytest.mark.parametrize("amount", [2**53 + 1, 2**96 + 1, 2**256 - 1])
    async def test_amounts_are_exact_to_the_last_unit(
        self, chain: Chain, net: Net, ours: Destination, start: Block, asset: AssetId, amount: int
    ) -> None:
        amount = min(amount, net.most, 2**100 + 1 if asset == chain.native else amount)  # no chain has more coins than that
        await net.pay(ours, amount, asset)
        await net.mine()
        assert units(await look(chain, [ours], start)) == [amount]

    async def test_a_failed_transaction_is_not_a_payment(self, chain: Chain, net: Net, ours: Destination, start: Block, asset: AssetId) -> None:
        await net.pay_in_vain(ours, 5, asset)
        await net.pay(ours, 1, asset)
        await net.mine()
        assert units(await look(chain, [ours], start)) == [1]

    async def test_nothing_at_all_is_not_a_payment(self, chain: Chain, net: Net, ours: Destination, start: Block, asset: AssetId) -> None:
        await net.pay(ours, 0, asset)
        await net.pay(ours, 1, asset)
        await net.mine()
        assert units(await look(chain, [ours], start)) == [1]

    async def test_a_look_alike_is_not_a_payment(self, chain: Chain, net: Net, ours: Destination, start: Block) -> None:
        await net.pay_look_alike(ours, 5)
        await net.pay(ours, 1, chain.native)
        await net.mine()
        assert units(await look(chain, [ours], start)) == [1]

    # --- how ranges are read -----------------------------------------------------

    async def test_scanning_a_range_again_gives_the_same(self, chain: Chain, net: Net, ours: Destination, start: Block, asset: AssetId) -> None:
        await net.pay(ours, 5, asset)
        await net.mine(3)
        first = await look(chain, [ours], start)
        assert units(first) == [5]
        assert await look(chain, [ours], start) == first

    async def test_a_payment_in_the_first_unscanned_block_is_seen(
        self, chain: Chain, net: Net, ours: Destination, start: Block, asset: AssetId
    ) -> None:
        after = (await chain.tip()).block
        assert after != start
        await net.pay(ours, 5, asset)
        await net.mine()
        assert units(await look(chain, [ours], after)) == [5]

    async def test_paging_skips_nothing(self, chain: Chain, net: Net, ours: Destination, start: Block) -> None:
        amounts = list(range(1, 41))
        for amount in amounts:
            await net.pay(ours, amount, chain.native)
            await net.mine()
        assert units(await look(chain, [ours], start)) == amounts

    async def test_transfers_come_in_the_order_of_the_chain(self, chain: Chain, net: Net, ours: Destination, start: Block, asset: AssetId) -> None:
        for block in ([3, 1], [2]):
            for amount in block:
                await net.pay(ours, amount, asset)
            await net.mine()
        assert units(await look(chain, [ours], start)) == [3, 1, 2]

    async def test_an_empty_range_moves_the_cursor(self, chain: Chain, net: Net, ours: Destination, start: Block) -> None:
        await net.mine(2)
        until = (await chain.tip()).block
        for watched in ([ours], []):
            scan = await chain.scan(Watchlist(watched), start, until)
            assert start.height < scan.cursor.height <= until.height
        assert (await chain.scan(Watchlist([ours]), until, until)).cursor == until

    async def test_nothing_beyond_until_is_looked_at(self, chain: Chain, net: Net, ours: Destination, start: Block, asset: AssetId) -> None:
        until = (await chain.tip()).block
        await net.pay(ours, 5, asset)
        await net.mine(2)
        scan = await chain.scan(Watchlist([ours]), start, until)
        assert scan.transfers == ()
        assert scan.cursor.height <= until.height

    async def test_headers_are_contiguous_and_end_with_the_cursor(self, chain: Chain, net: Net, ours: Destination, start: Block) -> None:
        await net.mine(3)
        until = (await chain.tip()).block
        scan = await chain.scan(Watchlist([ours]), start, until)
        heights = [block.height for block in scan.headers]
        assert heights == list(range(scan.cursor.height - len(heights) + 1, scan.cursor.height + 1))
        assert scan.headers[-1] == scan.cursor
        assert len({block.hash for block in scan.headers}) == len(heights)

    async def test_block_times_are_aware_and_in_utc(self, chain: Chain, net: Net, ours: Destination, start: Block) -> None:
        await net.pay(ours, 5, chain.native)
        await net.mine()
        tip = await chain.tip()
        scan = await chain.scan(Watchlist([ours]), start, tip.block)
        for block in (tip.block, scan.cursor, *scan.headers, *(transfer.block for transfer in scan.transfers)):
            assert block.time.tzinfo is not None, "a block's time is naive"
            assert block.time.utcoffset() == timedelta(0), "a block's time is not in UTC"

    async def test_what_is_final_is_not_above_the_tip(self, chain: Chain, net: Net) -> None:
        await net.mine(3)
        tip = await chain.tip()
        assert tip.finalized is None or 0 <= tip.finalized <= tip.block.height
        assert tip.block.time.astimezone(UTC) == tip.block.time

    # --- when things go wrong ----------------------------------------------------

    async def test_a_cursor_that_left_the_chain_is_reported(self, chain: Chain, net: Net, ours: Destination, start: Block) -> None:
        _needs_reorgs(chain)
        await net.mine(2)
        gone = (await chain.tip()).block
        await net.reorg(2)
        await net.mine(2)
        with pytest.raises(CursorOrphaned) as caught:
            await chain.scan(Watchlist([ours]), gone, (await chain.tip()).block)
        assert caught.value.block == gone

    async def test_a_range_is_not_claimed_when_until_was_replaced(self, chain: Chain, net: Net, ours: Destination, start: Block) -> None:
        _needs_reorgs(chain)
        await net.mine(2)
        replaced = (await chain.tip()).block
        await net.reorg(1)
        await net.mine(2)
        with pytest.raises(ChainUnavailable):
            await look(chain, [ours], start, replaced)

    async def test_a_dropped_payment_is_no_longer_reported(self, chain: Chain, net: Net, ours: Destination, start: Block, asset: AssetId) -> None:
        _needs_reorgs(chain)
        await net.pay(ours, 5, asset)
        await net.mine()
        assert units(await look(chain, [ours], start)) == [5]
        await net.reorg(1)
        await net.mine()
        assert await look(chain, [ours], start) == []

    async def test_a_key_survives_being_mined_again_elsewhere(self, chain: Chain, net: Net, ours: Destination, start: Block, asset: AssetId) -> None:
        _needs_reorgs(chain)
        sent = await net.pay(ours, 5, asset)
        await net.mine()
        (first,) = await look(chain, [ours], start)
        await net.reorg(1)
        await net.mine_again(sent)
        (second,) = await look(chain, [ours], start)
        assert second.key == first.key
        assert second.block != first.block

    async def test_an_outage_is_chain_unavailable(self, chain: Chain, net: Net, ours: Destination, start: Block) -> None:
        until = (await chain.tip()).block
        await net.cut()
        with pytest.raises(ChainUnavailable):
            await chain.tip()
        with pytest.raises(ChainUnavailable):
            await chain.scan(Watchlist([ours]), start, until)


def reference(index: int) -> Reference:
    """Return the reference that core would make for the n-th destination of a wallet."""
    return Reference(index, hashlib.sha256(index.to_bytes(8, "big")).digest())


def units(transfers: Sequence[Transfer]) -> list[int]:
    """Return what arrived, in base units."""
    return [transfer.units for transfer in transfers]


async def look(chain: Chain, watched: Collection[Destination], after: Block, until: Block | None = None) -> list[Transfer]:
    """Return what a watcher finds above a block, in as many scans as the driver needs; up to the tip if no other block is given."""
    until = until or (await chain.tip()).block
    watchlist = Watchlist(watched)
    found: list[Transfer] = []
    while True:
        scan: Scan = await chain.scan(watchlist, after, until)
        found += scan.transfers
        if not after.height < scan.cursor.height < until.height:
            return found
        after = scan.cursor


def _needs_reorgs(chain: Chain) -> None:
    if Feature.REORGS not in chain.features:
        pytest.skip("the chain declares no reorganisations")
