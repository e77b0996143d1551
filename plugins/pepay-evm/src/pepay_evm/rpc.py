"""JSON-RPC to the nodes of one network: one batch per question, several endpoints, and none of them trusted because it answers."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

from pepay_core.api import ChainUnavailable, InvalidInput, Unavailable, encode
from pepay_evm.capabilities import UNKNOWN
from pepay_evm.decoding import quantity

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pydantic import SecretStr

    from pepay_core.api import Clock, Http

_T = TypeVar("_T")
_POST_SECONDS: Final = 10.0
# Shared by the endpoints, so that the last one still gets its turn within the time that core waits for a driver.
_STEP_SECONDS: Final = 24.0
# How long an endpoint that serves another chain is left alone.
_QUARANTINE_SECONDS: Final = 60.0
_LIMIT_BYTES: Final = 32_000_000


class WrongChain(ChainUnavailable):
    """The endpoint serves another chain."""

    def __init__(self, label: str, served: int) -> None:
        super().__init__(f"{label} serves eip155:{served}")
        self.served = served


class NodeError(ChainUnavailable):
    """The node understood, and answered with an error."""


@dataclass(frozen=True, slots=True)
class Call:
    """One method with its parameters; where ``lenient``, the node's error is the answer's value instead of a failure."""

    method: str
    params: tuple[Any, ...] = ()
    lenient: bool = False


class Endpoint:
    """One node, or whatever stands behind a URL."""

    def __init__(self, url: SecretStr, http: Http, chain: int) -> None:
        self._url = url
        self._http = http
        self._chain = chain
        self.label = _label(url.get_secret_value())
        self.shunned_until: float | None = None
        # What the probe at start found; see ``probing.py``.
        self.capabilities = UNKNOWN

    def __repr__(self) -> str:
        return f"<Endpoint {self.label}>"

    async def ask(self, calls: Sequence[Call]) -> list[Any]:
        """Return one result for each call, in their order, from a node that serves the right chain.

        Every batch asks for the chain id as well, so that an endpoint that is switched over to another chain is never believed.
        Raises ChainUnavailable for everything else that is not a whole and well-formed answer.
        """
        asked = (Call("eth_chainId"), *calls)
        body = encode([{"jsonrpc": "2.0", "id": number, "method": call.method, "params": call.params} for number, call in enumerate(asked)])
        try:
            response = await self._http.post(
                self._url.get_secret_value(), body, headers={"Content-Type": "application/json"}, timeout=_POST_SECONDS, limit=_LIMIT_BYTES
            )
        except (Unavailable, InvalidInput) as exc:
            raise ChainUnavailable(self._clean(exc.message)) from None
        if response.status == 413:
            raise NodeError(f"{self.label} finds the request too large")
        if response.status != 200:
            raise ChainUnavailable(f"{self.label} answered with status {response.status}")
        try:
            answer = response.json()
        except Unavailable as exc:
            raise ChainUnavailable(f"{self.label}: {exc.message}") from None
        results = self._results(answer, asked)
        served = quantity(results[0])
        if served != self._chain:
            raise WrongChain(self.label, served)
        return results[1:]

    def _results(self, answer: Any, asked: Sequence[Call]) -> list[Any]:
        if isinstance(answer, dict) and answer.get("error") is not None:
            raise self._node_error(answer["error"])
        if not isinstance(answer, list) or len(answer) != len(asked):
            raise ChainUnavailable(f"{self.label} did not answer the whole batch")
        by_id: dict[int, Any] = {}
        for each in answer:
            number = each.get("id") if isinstance(each, dict) else None
            if type(number) is not int or not 0 <= number < len(asked) or number in by_id:
                raise ChainUnavailable(f"{self.label} answered something that was not asked")
            by_id[number] = each
        return [self._result(by_id[number], call) for number, call in enumerate(asked)]

    def _result(self, answer: dict[str, Any], call: Call) -> Any:
        if answer.get("error") is not None:
            error = self._node_error(answer["error"])
            if call.lenient:
                return error
            raise error
        if "result" not in answer:
            raise ChainUnavailable(f"{self.label} answered without a result")
        return answer["result"]

    def _node_error(self, error: Any) -> NodeError:
        message = error.get("message") if isinstance(error, dict) else None
        return NodeError(f"{self.label}: {self._clean(message) if isinstance(message, str) else 'an error without a message'}")

    def _clean(self, message: str) -> str:
        """Return the beginning of a message, without any part of the URL that could be a key."""
        parts = urlsplit(self._url.get_secret_value())
        hidden = f"{parts.username or ''}/{parts.password or ''}/{parts.path}/{parts.query}"
        words = {word for word in re.split(r"[/?&=;:@]", hidden) if len(word) > 3}
        for word in sorted({*words, *map(unquote, words)}, key=len, reverse=True):
            message = message.replace(word, "…")
        return " ".join(message.encode(errors="replace").decode().split())[:160]


class Rpc:
    """All endpoints of a network. One step talks to one of them from beginning to end."""

    def __init__(self, urls: Sequence[SecretStr], http: Http, clock: Clock, chain: int) -> None:
        self.endpoints = tuple(Endpoint(url, http, chain) for url in urls)
        self._clock = clock
        self._favourite = 0

    async def step(self, work: Callable[[Endpoint], Awaitable[_T]]) -> _T:
        """Return what the work gives with the first endpoint that it succeeds with, beginning with the one that served last.

        Only ChainUnavailable passes to the next endpoint; when none is left it is raised with the reason of each.
        """
        reasons: list[str] = []
        count = len(self.endpoints)
        now = self._clock.monotonic()
        for place in [(self._favourite + offset) % count for offset in range(count)]:
            endpoint = self.endpoints[place]
            if endpoint.shunned_until is not None and now < endpoint.shunned_until:
                reasons.append(f"{endpoint.label} serves another chain")
                continue
            try:
                async with asyncio.timeout(_STEP_SECONDS / count):
                    result = await work(endpoint)
            except TimeoutError:
                reasons.append(f"{endpoint.label} took too long")
            except ChainUnavailable as exc:
                if isinstance(exc, WrongChain):
                    endpoint.shunned_until = now + _QUARANTINE_SECONDS
                reasons.append(exc.message)
            else:
                self._favourite = place
                endpoint.shunned_until = None
                return result
        raise ChainUnavailable("; ".join(dict.fromkeys(reasons)))


def _label(url: str) -> str:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
