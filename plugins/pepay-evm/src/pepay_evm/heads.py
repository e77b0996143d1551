"""Hints that there is a new block, from WebSocket endpoints: they make PePay look sooner, and nothing else depends on them."""

from __future__ import annotations

import logging
from contextlib import aclosing
from itertools import cycle
from typing import TYPE_CHECKING, Final

from pepay_core.api import InvalidInput, Unavailable, decode, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from pydantic import SecretStr

    from pepay_core.api import Clock, Http

log = logging.getLogger("pepay.plugin.evm")

_SUBSCRIBE: Final = encode({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]})
_LONGEST_WAIT: Final = 60.0


class Heads:
    """Listens for new heads on one endpoint after another, for ever; ``silence`` is how many seconds without any mean that it is dead."""

    def __init__(self, urls: Sequence[SecretStr], http: Http, clock: Clock, *, silence: float) -> None:
        self._urls = urls
        self._http = http
        self._clock = clock
        self._silence = silence

    async def hints(self) -> AsyncIterator[None]:
        """Yield with every new head; connect again, ever less eagerly, when an endpoint fails."""
        wait = 1.0
        for url in cycle(self._urls):
            try:
                messages = self._http.listen(url.get_secret_value(), _SUBSCRIBE, silence=self._silence)
                async with aclosing(messages):
                    async for message in messages:
                        if _tells_a_head(message):
                            wait = 1.0
                            yield
                reason = "the connection was closed"
            except (Unavailable, InvalidInput) as exc:
                reason = exc.message
            log.log(logging.INFO if wait == 1.0 else logging.DEBUG, "no hints of new blocks for now: %s", reason)
            await self._clock.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)


def _tells_a_head(message: bytes) -> bool:
    answer = decode(message)
    if not isinstance(answer, dict):
        return False
    if answer.get("error") is not None:
        raise Unavailable("the endpoint refuses to tell of new blocks")
    return answer.get("method") == "eth_subscription"
