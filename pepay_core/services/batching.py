"""Doing for many at once what each of them asks for by itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_MOST: Final = 100


class Batcher(Generic[_Item, _Result]):
    """Calls ``handle`` with all items that came while the call before it ran, and gives each caller the result of its own item.

    A call that fails for several items is made again for each of them alone, so that one that cannot be handled fails alone.
    """

    def __init__(self, handle: Callable[[Sequence[_Item]], Awaitable[Sequence[_Result]]]) -> None:
        self._handle = handle
        self._waiting: list[tuple[_Item, asyncio.Future[_Result]]] = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, item: _Item) -> _Result:
        """Return what comes of an item; raises what its call raises. Who is cancelled meanwhile leaves the item to be handled."""
        future: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="batches")
        return await future

    async def settle(self, seconds: float) -> None:
        """Wait for the items that were given, for so long."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=seconds)

    async def _run(self) -> None:
        try:
            await asyncio.sleep(0)  # whoever is about to ask asks first
            while self._waiting:
                batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                await self._answer(batch)
        finally:
            self._task = None
            for _, future in self._waiting:
                future.cancel()
            self._waiting = []

    async def _answer(self, batch: list[tuple[_Item, asyncio.Future[_Result]]]) -> None:
        try:
            results = await self._handle([item for item, _ in batch])
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is raised to whoever asked
            if len(batch) == 1:
                _fail(batch[0][1], exc)
                return
            for each in batch:
                await self._answer([each])
            return
        except BaseException:
            for _, future in batch:
                future.cancel()
            raise
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)


def _fail(future: asyncio.Future[_Result], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
