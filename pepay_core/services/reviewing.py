"""The second look: every range is scanned once more, by another source than the one that covered it, where there is another.

What was found twice is known; what the first look left out is found now; and what the second look does not show is asked about. An
invoice expires only by time that was looked at twice, unless nobody else answers.
"""

from __future__ import annotations

import asyncio
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
        self._reached: Block | None = None
        self._ahead: deque[tuple[Block, str]] = deque()
        self._nobody = False
        self._stride = 1 if chain.idle else max(1, min(math.ceil(_PACE / chain.block_seconds), _MOST))

    @property
    def begun(self) -> bool:
        """Whether it is known up to where was looked twice."""
        return self._reached is not None

    def begin(self, reached: Block) -> None:
        """Begin behind a block."""
        self._reached = reached

    def follow(self, base: Block, scan: Scan) -> None:
        """Take note of what a pass has looked at."""
        assert self._reached is not None
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
        assert self._reached is not None
        until, first = self._ahead[0]
        for last, source in self._ahead:
            if source != first:
                break
            until = last
        try:
            async with asyncio.timeout(_CALL):
                scan = await self._chain.second_look(watched, self._reached, until, first)
        except (ChainUnavailable, CursorOrphaned, TimeoutError) as exc:
            log.debug("%s: the second look at block %d waits: %s", self._chain.name, until.height, exc)
            return None
        if scan is None:
            self._nobody = True
            return None
        return self._reached, scan

    def passed(self, scan: Scan) -> None:
        """Go on behind what was looked at twice, once it is written down."""
        self._reached = scan.cursor
        while self._ahead and self._ahead[0][0].height <= scan.cursor.height:
            self._ahead.popleft()

    def return_to(self, block: Block, cursor: Block) -> None:
        """Look once more at everything above a block, up to the first look's cursor, whoever looked at it."""
        if self._reached is None or block.height < self._reached.height:
            self._reached = block
            self._ahead = deque([(cursor, "")])

    def covered(self, first: Block, second: Scan | None) -> Block:
        """Return the block up to which time counts as covered, when the first look has come to ``first``."""
        assert self._reached is not None
        if self._nobody:
            return first
        reached = second.cursor if second is not None else self._reached
        return first if reached.height >= first.height else reached

    def _forgo(self) -> None:
        if self._ahead:
            self._reached = self._ahead[-1][0]
            self._ahead.clear()
