"""How many blocks one look covers: what the endpoint has shown to bear, found by trying."""

from __future__ import annotations

from typing import Final

_FIRST: Final = 10  # free plans of large providers allow no more
_PATIENCE: Final = 64  # looks after which a size that was refused once is tried again


class Span:
    """The number of blocks for the next look: it doubles with every full success, and halves with every failure.

    After a refusal the half stays the most for a while, so that a fixed limit does not cost a failure with every second look.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._ceiling = most
        self._successes = 0
        self.blocks = min(_FIRST, most)

    def refused(self, blocks: int) -> bool:
        """Take note that so many blocks at once were refused; return whether fewer can be tried."""
        self.failed(blocks)
        self._successes, self._ceiling = 0, self.blocks
        return blocks > 1

    def failed(self, blocks: int) -> None:
        """Take note that a look at so many blocks failed, for whatever reason."""
        self.blocks = max(min(self.blocks, blocks) // 2, 1)

    def succeeded(self, blocks: int) -> None:
        """Take note that so many blocks at once were answered."""
        self._successes += 1
        if self._successes >= _PATIENCE:
            self._successes, self._ceiling = 0, self._most
        if blocks >= self.blocks:
            self.blocks = min(2 * self.blocks, self._ceiling)
