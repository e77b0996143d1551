"""Hints that something happened to a wallet, from WebSocket endpoints: they make PePay look sooner, and nothing else depends on them."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, suppress
from itertools import cycle
from typing import TYPE_CHECKING, Final

from pepay_core.api import InvalidInput, Unavailable, decode, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from pydantic import SecretStr

    from pepay_core.api import Clock, Http

log = logging.getLogger("pepay.plugin.solana")

_MOST: Final = 40  # accounts that are listened for; the others are looked at in their time
_AGAIN: Final = 5.0  # seconds between two looks at which accounts there are
_SILENCE: Final = 120.0  # seconds without a word after which a connection counts as dead: nodes do not say when they drop one
_LONGEST_WAIT: Final = 60.0


class Hints:
    """Listens for transactions that name the watched accounts, each on a connection of its own, because a node takes one name at a time."""

    def __init__(self, urls: Sequence[SecretStr], http: Http, clock: Clock, accounts: Callable[[], Sequence[str]]) -> None:
        self._urls = urls
        self._http = http
        self._clock = clock
        self._accounts = accounts
        self._told = asyncio.Event()

    async def stream(self) -> AsyncIterator[None]:
        """Yield when a transaction names an account, and when a connection is there again after it was not."""
        listeners: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                wanted = self._accounts()[:_MOST]
                for account in [each for each in listeners if each not in wanted]:
                    listeners.pop(account).cancel()
                for account in wanted:
                    if account not in listeners or listeners[account].done():
                        listeners[account] = asyncio.create_task(self._listen(account))
                with suppress(TimeoutError):
                    async with asyncio.timeout(_AGAIN):
                        await self._told.wait()
                if self._told.is_set():
                    self._told.clear()
                    yield
        finally:
            for task in listeners.values():
                task.cancel()
            await asyncio.gather(*listeners.values(), return_exceptions=True)

    async def _listen(self, account: str) -> None:
        """Listen for one account on one endpoint after another, for ever, and ever less eagerly while none of them works."""
        subscription = encode(
            {"jsonrpc": "2.0", "id": 1, "method": "logsSubscribe", "params": [{"mentions": [account]}, {"commitment": "confirmed"}]}
        )
        wait = 1.0
        for url in cycle(self._urls):
            try:
                messages = self._http.listen(url.get_secret_value(), subscription, silence=_SILENCE)
                async with aclosing(messages):
                    async for message in messages:
                        _refuse_errors(message)
                        wait = 1.0
                        self._told.set()
                reason = "the connection was closed"
            except (Unavailable, InvalidInput) as exc:
                reason = exc.message
            log.debug("no hints about %s for now: %s", account, reason)
            await self._clock.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)


def _refuse_errors(message: bytes) -> None:
    answer = decode(message)
    if not isinstance(answer, dict) or answer.get("error") is not None:
        raise Unavailable("the endpoint refuses to tell of transactions")
