"""Drivers with one fault each, and the one test of the suite that names it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import count

from pepay_core.api import CursorOrphaned, Destination, InvalidAddress, Scan, Tip, WalletMaterial
from pepay_core.testing.toy import COIN, DOLLAR, FAKE, ToyChain

FAULTS: dict[type[ToyChain], str] = {}


def caught_by(test):
    def remember(driver):
        FAULTS[driver] = test
        return driver

    return remember


def changed(scan, **changes):
    return replace(
        scan, transfers=tuple(replace(transfer, **{name: change(transfer) for name, change in changes.items()}) for transfer in scan.transfers)
    )


@caught_by("test_an_address_has_one_canonical_spelling")
class KeepsSpellings(ToyChain):
    def parse_address(self, text):
        super().parse_address(text)
        return text


@caught_by("test_what_is_not_an_address_is_refused")
class TakesAnyAddress(ToyChain):
    def parse_address(self, text):
        try:
            return super().parse_address(text)
        except InvalidAddress:
            return text


@caught_by("test_a_wallet_of_an_unknown_kind_is_refused")
class TakesAnyWallet(ToyChain):
    def parse_wallet(self, kind, value):
        return WalletMaterial(kind, value)


@caught_by("test_a_reference_always_gets_the_same_destination")
class NeverTheSameAddress(ToyChain):
    def __init__(self, net):
        super().__init__(net)
        self.issued = count()

    async def issue(self, wallet, ref):
        return await super().issue(wallet, replace(ref, index=next(self.issued)))


@caught_by("test_references_get_destinations_of_their_own")
class EveryThirdAddressAgain(ToyChain):
    async def issue(self, wallet, ref):
        return await super().issue(wallet, replace(ref, index=ref.index % 8))


@caught_by("test_a_payment_is_seen_once")
class SeesTheCursorAgain(ToyChain):
    async def scan(self, watched, after, until):
        scan = await super().scan(watched, after, until)
        again = self.arrivals(self.blocks()[after.height], {each.address: each for each in watched})
        return replace(scan, transfers=(*again, *scan.transfers))


@caught_by("test_a_transfer_stands_in_its_own_block")
class PutsAllIntoTheLastBlock(ToyChain):
    async def scan(self, watched, after, until):
        scan = await super().scan(watched, after, until)
        return changed(scan, block=lambda _: scan.cursor)


@caught_by("test_assets_are_told_apart")
class OneAssetForAll(ToyChain):
    async def scan(self, watched, after, until):
        return changed(await super().scan(watched, after, until), asset=lambda _: COIN.id)


@caught_by("test_payments_to_others_are_ignored")
class TakesWhatIsOthers(ToyChain):
    def arrivals(self, each, ours):
        everybody = {to: Destination(to) for transaction in each.transactions for _, to, _ in transaction.payments}
        nobody = "toy1" + "0" * 40
        return super().arrivals(each, {to: destination for to, destination in everybody.items() if to != nobody} | ours)


@caught_by("test_two_transfers_in_one_transaction_have_keys_of_their_own")
class OneKeyForEachTransaction(ToyChain):
    async def scan(self, watched, after, until):
        return changed(await super().scan(watched, after, until), index=lambda _: "0")


@caught_by("test_a_key_does_not_depend_on_what_is_watched")
class CountsWhatIsWatched(ToyChain):
    async def scan(self, watched, after, until):
        seen = Counter()

        def ordinal(transfer):
            seen[transfer.tx] += 1
            return str(seen[transfer.tx])

        return changed(await super().scan(watched, after, until), index=ordinal)


@caught_by("test_amounts_are_exact_to_the_last_unit")
class ReckonsInFloats(ToyChain):
    async def scan(self, watched, after, until):
        return changed(await super().scan(watched, after, until), units=lambda transfer: int(float(transfer.units)))


@caught_by("test_a_failed_transaction_is_not_a_payment")
class BelievesFailures(ToyChain):
    def arrivals(self, each, ours):
        transactions = tuple(replace(transaction, succeeds=True) for transaction in each.transactions)
        return super().arrivals(replace(each, transactions=transactions), ours)


@caught_by("test_nothing_at_all_is_not_a_payment")
class ReportsNothing(ToyChain):
    def arrivals(self, each, ours):
        transactions = tuple(
            replace(transaction, payments=tuple((asset, to, units or 1) for asset, to, units in transaction.payments))
            for transaction in each.transactions
        )
        return super().arrivals(replace(each, transactions=transactions), ours)


@caught_by("test_a_look_alike_is_not_a_payment")
class KnowsTokensByTheirLooks(ToyChain):
    def arrivals(self, each, ours):
        transactions = tuple(
            replace(transaction, payments=tuple((DOLLAR.id if asset == FAKE else asset, to, units) for asset, to, units in transaction.payments))
            for transaction in each.transactions
        )
        return super().arrivals(replace(each, transactions=transactions), ours)


@caught_by("test_scanning_a_range_again_gives_the_same")
class TellsOnlyOnce(ToyChain):
    def __init__(self, net):
        super().__init__(net)
        self.told = set()

    async def scan(self, watched, after, until):
        scan = await super().scan(watched, after, until)
        fresh = tuple(transfer for transfer in scan.transfers if (transfer, frozenset(watched)) not in self.told)
        self.told |= {(transfer, frozenset(watched)) for transfer in fresh}
        return replace(scan, transfers=fresh)


@caught_by("test_a_payment_in_the_first_unscanned_block_is_seen")
class SkipsTheFirstBlock(ToyChain):
    async def scan(self, watched, after, until):
        scan = await super().scan(watched, after, until)
        return replace(scan, transfers=tuple(transfer for transfer in scan.transfers if transfer.block.height != after.height + 1))


@caught_by("test_paging_skips_nothing")
class SkipsBetweenPages(ToyChain):
    page = 10

    async def scan(self, watched, after, until):
        scan = await super().scan(watched, after, until)
        if scan.cursor.height == after.height + self.page and scan.cursor != until:
            beyond = self.blocks()[scan.cursor.height + 1].block
            return replace(scan, cursor=beyond, headers=(*scan.headers, beyond))
        return scan


@caught_by("test_transfers_come_in_the_order_of_the_chain")
class SortsByAmount(ToyChain):
    async def scan(self, watched, after, until):
        scan = await super().scan(watched, after, until)
        return replace(scan, transfers=tuple(sorted(scan.transfers, key=lambda transfer: (transfer.block.height, transfer.units))))


@caught_by("test_an_empty_range_moves_the_cursor")
class StandsStillWithoutPayments(ToyChain):
    async def scan(self, watched, after, until):
        scan = await super().scan(watched, after, until)
        return scan if scan.transfers or not watched or until.height - after.height > 3 else Scan(after, scan.headers[:-3])


@caught_by("test_nothing_beyond_until_is_looked_at")
class LooksToItsOwnTip(ToyChain):
    async def scan(self, watched, after, until):
        await super().scan(watched, after, until)
        return await super().scan(watched, after, self.blocks()[-1].block)


@caught_by("test_headers_are_contiguous_and_end_with_the_cursor")
class LeavesHeadersOut(ToyChain):
    async def scan(self, watched, after, until):
        scan = await super().scan(watched, after, until)
        return replace(scan, headers=scan.headers[::2])


@caught_by("test_block_times_are_aware_and_in_utc")
class ForgetsTheTimeZone(ToyChain):
    async def scan(self, watched, after, until):
        scan = await super().scan(watched, after, until)
        return replace(scan, headers=(*(replace(block, time=block.time.replace(tzinfo=None)) for block in scan.headers[:-1]), *scan.headers[-1:]))


@caught_by("test_what_is_final_is_not_above_the_tip")
class FinalBeforeItHappens(ToyChain):
    async def tip(self):
        tip = await super().tip()
        return Tip(tip.block, tip.block.height + 1)


@caught_by("test_a_cursor_that_left_the_chain_is_reported")
class BlindToReorganisations(ToyChain):
    async def scan(self, watched, after, until):
        try:
            return await super().scan(watched, after, until)
        except CursorOrphaned:
            return await super().scan(watched, self.blocks()[after.height].block, until)


@caught_by("test_a_range_is_not_claimed_when_until_was_replaced")
class BelievesHeights(ToyChain):
    async def scan(self, watched, after, until):
        return await super().scan(watched, after, self.blocks()[min(until.height, len(self.blocks()) - 1)].block)


@caught_by("test_a_dropped_payment_is_no_longer_reported")
class RemembersPayments(ToyChain):
    def __init__(self, net):
        super().__init__(net)
        self.remembered = {}

    async def scan(self, watched, after, until):
        scan = await super().scan(watched, after, until)
        self.remembered |= {transfer.key: transfer for transfer in scan.transfers}
        missing = [old for old in self.remembered.values() if after.height < old.block.height < until.height and not scan.transfers]
        return replace(scan, transfers=(*missing, *scan.transfers))


@caught_by("test_a_key_survives_being_mined_again_elsewhere")
class CountsInTheBlock(ToyChain):
    def arrivals(self, each, ours):
        places = {transaction.id: place for place, transaction in enumerate(each.transactions)}
        return [replace(found, index=f"{places[found.tx]}.{found.index}") for found in super().arrivals(each, ours)]


@caught_by("test_an_outage_is_chain_unavailable")
class LetsErrorsThrough(ToyChain):
    def blocks(self):
        return self.net.read()
