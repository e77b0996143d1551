"""Ranges of blocks that were looked at: contiguous, merged, and void where blocks have left the chain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pepay_core.domain.chains import Block
from pepay_core.domain.coverage import Coverage, extended

CHAIN = "eip155:1"
START = datetime(2026, 1, 1, tzinfo=UTC)


def block(height, fork=0):
    return Block(height, f"0x{fork}-{height}", START + timedelta(seconds=height))


def look(ranges, after, last, source="a"):
    """Extend the way storage does: only the ranges that reach to the block are given, and replaced."""
    reaching = [each for each in ranges if each.last >= after.height]
    kept = [each for each in ranges if each.last < after.height]
    return [*kept, *extended(reaching, CHAIN, after, last, last.time, source)]


def test_the_record_begins_with_nothing_covered_above_the_first_block():
    begun = look([], block(100), block(100))

    assert begun == [Coverage(CHAIN, 101, 100, block(100).hash, block(100).time, "a")]
    assert [(each.first, each.last) for each in look(begun, block(100), block(120))] == [(101, 120)]


def test_a_look_by_the_same_source_makes_the_range_longer_and_another_source_begins_one():
    ranges = look(look([], block(100), block(110)), block(110), block(120))
    changed = look(ranges, block(120), block(130), "b")

    assert [(each.first, each.last, each.source) for each in ranges] == [(101, 120, "a")]
    assert [(each.first, each.last, each.source) for each in changed] == [(101, 120, "a"), (121, 130, "b")]


def test_when_only_time_passes_only_time_is_written():
    (covered,) = extended(look([], block(100), block(110)), CHAIN, block(110), block(110), START + timedelta(days=1), "")

    assert covered == Coverage(CHAIN, 101, 110, block(110).hash, START + timedelta(days=1), "a")


def test_what_was_known_of_blocks_that_left_is_void():
    ranges = look(look([], block(100), block(110)), block(110), block(120), "b")
    back = look(ranges, block(105), block(112, fork=1), "c")

    assert [(each.first, each.last, each.source) for each in back] == [(101, 105, "a"), (106, 112, "c")]
    assert back[0].last_hash == block(105).hash


def test_a_walk_behind_the_first_block_covers_from_there():
    (covered,) = look(look([], block(100), block(110)), block(90), block(111, fork=1))

    assert (covered.first, covered.last) == (91, 111)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.sampled_from("ab"))))
def test_ranges_stay_contiguous_and_merged_whatever_is_looked_at(steps):
    ranges, top = look([], block(100), block(100)), block(100)
    for fork, (back, forward, source) in enumerate(steps, start=1):
        after = top if not back else block(max(top.height - back, 50), fork)
        top = after if not forward else block(after.height + forward, fork)
        ranges = look(ranges, after, top, source)

    assert (ranges[-1].last, ranges[-1].last_hash) == (top.height, top.hash)
    assert all(earlier.last + 1 == later.first for earlier, later in pairwise(ranges))
    assert all(earlier.source != later.source for earlier, later in pairwise(ranges) if later.first <= later.last and earlier.first <= earlier.last)
