"""The second look: every range is scanned once more, by another source than the one that covered it, where there is another.

What was found twice is known; what the first look left out is found now; and what the second look does not show is asked about. An
invoice expires only by time that was looked at twice, unless nobody else answers.

A second look may end before the block that the first one came to, and its source may be on another branch. So it counts as far as it
has met blocks of the first look, and no further: until then, the next one goes on where it ended.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
from collections import deque
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import ChainUnavailable, CursorOrphaned

if TYPE_CHECKING:
    from pepay_core.contracts.chain import Chain
    from pepay_core.domain.chains import Block, Scan
    from pepay_core.domain.watchlist import Watchlist

log = logging.getLogger(__name__)

_CALL: Final = 30.0
_PACE: Final = 10.0  # seconds of blocks that one second look is worth
_MOST: Final = 64


class Review:
    """Follows one watcher. It remembers nothing that a restart could lose: how far it came is how far time is covered."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._newest: Block | None = None
        self._reached: Block | None = None
        self._tried: Block | None = None
        self._ahead: deque[tuple[Block, str]] = deque()
        self._nobody = False
        self._stride = 1 if chain.idle else max(1, min(math.ceil(_PACE / chain.block_seconds), _MOST))

    def follows(self, newest: Block) -> bool:
        """Tell whether a record that ends with this block is the one that it knows; another watcher may have moved it to another branch."""
        return self._newest == newest

    def begin(self, newest: Block, reached: Block) -> None:
        """Begin behind a block of a record that ends with ``newest``."""
        self._newest, self._reached, self._tried = newest, reached, None
        self._ahead.clear()

    def follow(self, base: Block, scan: Scan) -> None:
        """Take note of what a pass has looked at."""
        assert self._reached is not None
        if self._tried is not None and self._tried.height >= base.height:
            self._tried = None
        if self._reached.height >= base.height:
            self._reached = base
            self._ahead.clear()
        source = ""
        while self._ahead and self._ahead[-1][0].height > base.height:
            source = self._ahead.pop()[1]
        end = self._ahead[-1][0] if self._ahead else self._reached
        if end.height < base.height:
            self._ahead.append((base, source))
        if scan.cursor.height > base.height:
            self._ahead.append((scan.cursor, scan.source))

    @property
    def due(self) -> bool:
        """Whether enough lies ahead for another look."""
        assert self._reached is not None
        return not self._nobody and bool(self._ahead) and self._ahead[-1][0].height - self._reached.height >= self._stride

    async def look(self, watched: Watchlist) -> tuple[Block, Scan] | None:
        """Look again at what is due, and return it with the block that it begins after; None when nothing was looked at."""
        self._nobody = len(self._chain.sources()) <= 1
        if self._nobody:
            self._forgo()
            return None
        if not self.due:
            return None
        after, until, first = self._range()
        try:
            async with asyncio.timeout(_CALL):
                scan = await self._chain.second_look(watched, after, until, first)
        except (ChainUnavailable, CursorOrphaned, TimeoutError) as exc:
            log.debug("%s: the second look at block %d waits: %s", self._chain.name, until.height, exc)
            if isinstance(exc, CursorOrphaned):
                self._tried = None
            return None
        if scan is None:
            self._nobody = True
            return None
        if self._strays(scan):
            log.info("%s: the second look at block %d was at another branch", self._chain.name, scan.cursor.height)
            self._tried = None
            return None
        return after, scan

    def _range(self) -> tuple[Block, Block, str]:
        """Return the block to look behind, the one to look up to, and the source that has looked there first."""
        assert self._reached is not None
        after = self._tried or self._reached
        rest = [each for each in self._ahead if each[0].height > after.height]
        until, first = rest[0]
        if self._tried is None:
            *_, (until, _) = itertools.takewhile(lambda each: each[1] == first, rest)
        return after, until, first

    def _strays(self, scan: Scan) -> bool:
        """Tell whether a look shows another block where the first one had come to."""
        shown = {each.height: each.hash for each in (*scan.headers, scan.cursor)}
        return any(shown.get(block.height, block.hash) != block.hash for block, _ in self._ahead)

    def _met(self, scan: Scan) -> Block:
        """Return the last block that both looks have come to: everything below it is of one branch."""
        assert self._reached is not None
        shown = {each.hash for each in (*scan.headers, scan.cursor)}
        return next((block for block, _ in reversed(self._ahead) if block.hash in shown), self._reached)

    def passed(self, cursor: Block, second: Scan | None) -> None:
        """Go on behind what was looked at twice, once it is written down with the first look's ``cursor``."""
        self._newest = cursor
        if second is None:
            return
        self._reached = self._met(second)
        self._tried = second.cursor if second.cursor.height > self._reached.height else None
        while self._ahead and self._ahead[0][0].height <= self._reached.height:
            self._ahead.popleft()

    def return_to(self, block: Block, cursor: Block) -> None:
        """Look once more at everything above a block, up to the first look's cursor, whoever looked at it."""
        if self._reached is None or block.height < self._reached.height:
            self._reached, self._tried = block, None
            self._ahead = deque([(cursor, "")])

    def covered(self, first: Block, second: Scan | None) -> Block:
        """Return the block up to which time counts as covered, when the first look has come to ``first``."""
        assert self._reached is not None
        if self._nobody:
            return first
        reached = self._met(second) if second is not None else self._reached
        return first if reached.height >= first.height else reached

    def _forgo(self) -> None:
        if self._ahead:
            self._reached, self._tried = self._ahead[-1][0], None
            self._ahead.clear()
