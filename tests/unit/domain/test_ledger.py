from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from pepay_core.domain.assets import AssetId
from pepay_core.domain.ids import MerchantId
from pepay_core.domain.ledger import Account, Entry, Reason, balances

AT = datetime(2026, 11, 1, tzinfo=UTC)
MERCHANTS = st.sampled_from([MerchantId("mer_1"), MerchantId("mer_2")])
ASSETS = st.sampled_from([AssetId("eip155:1/slip44:60"), AssetId("eip155:1/erc20:0xa0b8")])
UNITS = st.integers(1, 2**256 - 1)


def entry(merchant, account, asset, units):
    return Entry("pst_1", merchant, account, asset, units, None, "USD", Reason.DETECTED, None, None, AT)


MOVES = st.lists(st.tuples(MERCHANTS, st.permutations(list(Account)), ASSETS, UNITS), max_size=20)


def both_sides(moves):
    return [
        side
        for merchant, (source, target, *_), asset, units in moves
        for side in (entry(merchant, source, asset, -units), entry(merchant, target, asset, units))
    ]


@given(MOVES)
def test_what_leaves_one_account_is_in_another_so_that_all_accounts_of_an_asset_sum_to_zero(moves):
    totals = {}
    for (merchant, _, asset), units in balances(both_sides(moves)).items():
        totals[merchant, asset] = totals.get((merchant, asset), 0) + units
    assert set(totals.values()) <= {0}


@given(MOVES)
def test_a_movement_and_its_reversal_leave_every_account_as_it_was(moves):
    back = [(merchant, [target, source, *rest], asset, units) for merchant, (source, target, *rest), asset, units in moves]
    assert set(balances(both_sides(moves) + both_sides(back)).values()) <= {0}


@given(MOVES, st.randoms(use_true_random=False))
def test_balances_do_not_depend_on_the_order_of_the_entries(moves, random):
    entries = both_sides(moves)
    shuffled = entries.copy()
    random.shuffle(shuffled)
    assert balances(shuffled) == balances(entries)


def test_balances_are_kept_apart_by_merchant_account_and_asset():
    one, other = MerchantId("mer_1"), MerchantId("mer_2")
    eth, usdc = AssetId("eip155:1/slip44:60"), AssetId("eip155:1/erc20:0xa0b8")
    found = balances(
        [
            entry(one, Account.BUYER, eth, -5),
            entry(one, Account.RECEIVABLE, eth, 5),
            entry(one, Account.RECEIVABLE, eth, 2),
            entry(one, Account.RECEIVABLE, usdc, 7),
            entry(other, Account.RECEIVABLE, eth, 11),
        ]
    )
    assert found == {
        (one, Account.BUYER, eth): -5,
        (one, Account.RECEIVABLE, eth): 7,
        (one, Account.RECEIVABLE, usdc): 7,
        (other, Account.RECEIVABLE, eth): 11,
    }


def test_no_digit_of_a_large_balance_is_lost():
    found = balances([entry(MerchantId("mer_1"), Account.WALLET, AssetId("eip155:1/slip44:60"), 2**256 - 1)] * 3)
    assert list(found.values()) == [3 * (2**256 - 1)]
