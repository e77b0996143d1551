"""Finishing what must not be left half done when its task is cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

_T = TypeVar("_T")


async def to_the_end(work: Awaitable[_T]) -> _T:
    """Wait for ``work`` whatever happens; a cancellation is raised once it is done. The work must have a deadline of its own."""
    future = asyncio.ensure_future(work)
    canceled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as exc:
            canceled = exc
    if canceled is not None:
        if not future.cancelled():
            future.exception()  # seen: the cancellation is what the caller is told
        raise canceled
    return future.result()
