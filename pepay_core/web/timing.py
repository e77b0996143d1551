"""How long a request may take."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECONDS: Final = 25.0
"""Less than the half minute after which proxies and clients give up, so that they are told why."""


@asynccontextmanager
async def within_deadline(seconds: float = SECONDS) -> AsyncIterator[None]:
    """Raise Unavailable when the block takes longer."""
    deadline = asyncio.timeout(seconds)
    try:
        async with deadline:
            yield
    except TimeoutError:
        if not deadline.expired():
            raise
        raise Unavailable("this took too long; whether it had an effect is not known", retry_after=5) from None
