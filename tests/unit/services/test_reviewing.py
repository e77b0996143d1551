"""The second look: it counts as far as it has met what the first one came to."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest

from pepay_core.domain.chains import Scan
from pepay_core.domain.sources import Source, SourceState
from pepay_core.domain.watchlist import Watchlist
from pepay_core.services.reviewing import Review
from pepay_core.testing.toy import ToyChain, ToyNet

if TYPE_CHECKING:
    from pepay_core.domain.chains import Block

EVERYTHING = Watchlist(())


class TwoEndpoints(ToyChain):
    """A chain whose second endpoint has blocks of its own, and shows ``page`` of them at once."""

    page = 1

    def __init__(self, net, other):
        super().__init__(net)
        self.other = ToyChain(other)

    def sources(self):
        return [Source(name, SourceState.SERVING) for name in ("first", "second")]

    async def second_look(self, watched, after, until, first):
        blocks = self.other.blocks()
        nearer = blocks[min(after.height + self.page, until.height)].block
        return await self.other.scan(watched, after, nearer)


@pytest.fixture
async def nets():
    """Return a chain of seven blocks, and another branch of it that leaves after the third and whose blocks are of later times."""
    net = ToyNet()
    await net.mine(3)
    branch = copy.deepcopy(net)
    branch.seconds, branch._count = 1_000, 100
    await net.mine(4)
    await branch.mine(4)
    return net, branch


def reviewing(chain) -> tuple[Review, Block, Block]:
    """Return a second look that has come to the third block, while the first one has come to the last."""
    blocks = [each.block for each in chain.net.read()]
    third, last = blocks[3], blocks[-1]
    review = Review(chain)
    review.begin(third, third)
    review.follow(third, Scan(last, source="first"))
    return review, third, last


async def look(review, last):
    """Look twice, once, and return up to where that counts."""
    looked = await review.look(EVERYTHING)
    second = looked[1] if looked else None
    covered = review.covered(last, second)
    review.passed(last, second)
    review.follow(last, Scan(last))
    return covered


async def test_what_is_shown_of_another_branch_covers_nothing(nets):
    net, branch = nets
    review, third, last = reviewing(TwoEndpoints(net, branch))

    assert [await look(review, last) for _ in range(6)] == [third] * 6


async def test_who_was_shown_another_branch_begins_again_behind_what_is_certain(nets):
    net, branch = nets
    chain = TwoEndpoints(net, branch)
    review, _, last = reviewing(chain)
    await look(review, last)
    await look(review, last)

    chain.other = ToyChain(net)
    covered = [await look(review, last) for _ in range(5)]

    assert covered[-1] == last


async def test_looks_that_end_sooner_count_together_once_they_meet_what_the_first_look_came_to(nets):
    net, _ = nets
    review, third, last = reviewing(TwoEndpoints(net, net))

    assert [await look(review, last) for _ in range(4)] == [third, third, third, last]


async def test_a_look_that_shows_another_block_than_the_first_one_is_not_heard(nets):
    net, branch = nets
    chain = TwoEndpoints(net, branch)
    chain.page = 4
    review, third, last = reviewing(chain)

    assert await review.look(EVERYTHING) is None
    assert review.covered(last, None) == third


async def test_a_walk_back_to_where_a_look_ended_leaves_something_to_look_at(nets):
    net, branch = nets
    review, third, last = reviewing(TwoEndpoints(net, branch))
    await look(review, last)
    fourth = net.read()[4].block

    review.follow(fourth, Scan(fourth))

    assert await look(review, fourth) == third
