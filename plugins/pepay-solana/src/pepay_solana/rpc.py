"""JSON-RPC to one node of a cluster, as plain JSON, which is not trusted because it answers."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from pepay_core.api import ChainUnavailable, InvalidInput, Unavailable, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import SecretStr

    from pepay_core.api import Clock, Http, HttpResponse

_POST_SECONDS: Final = 10.0
_GENESIS_SECONDS: Final = 60.0  # how long an endpoint is believed to serve the cluster that it served
_REST_SECONDS: Final = 2.0
_LONGEST_REST: Final = 60.0
_LIMIT_BYTES: Final = 32_000_000
_AT_ONCE: Final = 4

BLOCK_CLEANED_UP: Final = -32001
BLOCK_NOT_AVAILABLE: Final = -32004
SLOT_SKIPPED: Final = frozenset({-32007, -32009})
UNSUPPORTED_VERSION: Final = -32015
_TOO_MANY: Final = frozenset({429, -32429, -32005})
# Statuses with which endpoints refuse a batch that they would answer piece by piece.
_NO_BATCHES: Final = frozenset({400, 403, 405, 413, 422, 500, 501})


class WrongCluster(ChainUnavailable):
    """The endpoint serves another cluster."""

    def __init__(self, label: str, served: str) -> None:
        super().__init__(f"{label} serves the cluster with genesis {served}")
        self.served = served


class Throttled(ChainUnavailable):
    """The endpoint asks for fewer requests, and to be left alone for some seconds."""

    def __init__(self, label: str, rest: float) -> None:
        super().__init__(f"{label} asks for fewer requests")
        self.rest = min(max(rest, 0.0), _LONGEST_REST)


class NodeError(ChainUnavailable):
    """The node understood, and answered with an error."""

    def __init__(self, message: str, number: int | None) -> None:
        super().__init__(message)
        self.number = number


@dataclass(frozen=True, slots=True)
class Call:
    """One method with its parameters; where ``lenient``, the node's error is the answer's value instead of a failure."""

    method: str
    params: tuple[Any, ...] = ()
    lenient: bool = False


class Endpoint:
    """One node, or whatever stands behind a URL. ``batch`` is the most calls in one request."""

    def __init__(self, url: SecretStr, http: Http, clock: Clock, genesis: str, batch: int, name: str = "") -> None:
        self._url = url
        self._http = http
        self._clock = clock
        self._genesis = genesis
        self._batch = batch
        self._known_until: float | None = None
        self.label = name or label(url.get_secret_value())

    def __repr__(self) -> str:
        return f"<Endpoint {self.label}>"

    async def ask(self, calls: Sequence[Call]) -> list[Any]:
        """Return one result for each call, in their order, from a node that serves the right cluster.

        Raises ChainUnavailable for everything that is not a whole and well-formed answer.
        """
        now = self._clock.monotonic()
        if self._known_until is None or now >= self._known_until:
            await self.check_genesis()
        return await self._ask(calls)

    async def check_genesis(self) -> None:
        """Raise WrongCluster where the endpoint serves another cluster, now that it is asked again."""
        (served,) = await self._ask([Call("getGenesisHash")])
        if not isinstance(served, str) or served != self._genesis:
            raise WrongCluster(self.label, served[:44] if isinstance(served, str) else "of no name")
        self._known_until = self._clock.monotonic() + _GENESIS_SECONDS

    async def _ask(self, calls: Sequence[Call]) -> list[Any]:
        results: list[Any] = []
        while len(results) < len(calls):
            size, rest = self._batch, calls[len(results) :]
            parts = [rest[start : start + size] for start in range(0, min(len(rest), size * _AT_ONCE), size)]
            answers = await asyncio.gather(*(self._exchange(part) for part in parts), return_exceptions=True)
            for answer in answers:
                if isinstance(answer, _NoBatches):
                    # From here on this endpoint is asked piece by piece, beginning with what is still without an answer.
                    self._batch = 1
                    break
                if isinstance(answer, BaseException):
                    raise answer
                results += answer
        return results

    async def _exchange(self, calls: Sequence[Call]) -> list[Any]:
        asked = [{"jsonrpc": "2.0", "id": number, "method": call.method, "params": call.params} for number, call in enumerate(calls)]
        body = encode(asked if len(asked) > 1 else asked[0])
        try:
            response = await self._http.post(
                self._url.get_secret_value(), body, headers={"Content-Type": "application/json"}, timeout=_POST_SECONDS, limit=_LIMIT_BYTES
            )
        except (Unavailable, InvalidInput) as exc:
            raise ChainUnavailable(self._clean(exc.message)) from None
        if response.status == 429:
            raise Throttled(self.label, _retry_after(response))
        if response.status in _NO_BATCHES and len(calls) > 1:
            raise _NoBatches
        # Some endpoints send the errors of JSON-RPC with a status of their own.
        try:
            answer = response.json()
        except Unavailable as exc:
            raise ChainUnavailable(f"{self.label} answered with status {response.status}: {exc.message}") from None
        return self._results(answer, calls, response)

    def _results(self, answer: Any, calls: Sequence[Call], response: HttpResponse) -> list[Any]:
        if len(calls) == 1 and isinstance(answer, dict):
            answer = [answer]
        if isinstance(answer, dict) and answer.get("error") is not None:
            error = self._node_error(answer["error"], response)
            if isinstance(error, Throttled):
                raise error
            raise _NoBatches
        if not isinstance(answer, list) or len(answer) != len(calls):
            raise ChainUnavailable(f"{self.label} did not answer the whole batch")
        by_id: dict[int, Any] = {}
        for each in answer:
            number = each.get("id") if isinstance(each, dict) else None
            if number is None and len(calls) == 1 and isinstance(each, dict) and each.get("error") is not None:
                number = 0
            if type(number) is not int or not 0 <= number < len(calls) or number in by_id:
                raise ChainUnavailable(f"{self.label} answered something that was not asked")
            by_id[number] = each
        return [self._result(by_id[number], call, response) for number, call in enumerate(calls)]

    def _result(self, answer: dict[str, Any], call: Call, response: HttpResponse) -> Any:
        if answer.get("error") is not None:
            error = self._node_error(answer["error"], response)
            if call.lenient and isinstance(error, NodeError):
                return error
            raise error
        if "result" not in answer:
            raise ChainUnavailable(f"{self.label} answered without a result")
        return answer["result"]

    def _node_error(self, error: Any, response: HttpResponse) -> NodeError | Throttled:
        message = error.get("message") if isinstance(error, dict) else None
        code = error.get("code") if isinstance(error, dict) else None
        if code in _TOO_MANY:
            return Throttled(self.label, _retry_after(response))
        text = self._clean(message) if isinstance(message, str) else "an error without a message"
        return NodeError(f"{self.label}: {text}", code if type(code) is int else None)

    def _clean(self, message: str) -> str:
        """Return the beginning of a message, without any part of the URL that could be a key."""
        parts = urlsplit(self._url.get_secret_value())
        hidden = f"{parts.username or ''}/{parts.password or ''}/{parts.path}/{parts.query}"
        words = {word for word in re.split(r"[/?&=;:@]", hidden) if len(word) > 3}
        for word in sorted({*words, *map(unquote, words)}, key=len, reverse=True):
            message = message.replace(word, "…")
        return " ".join(message.encode(errors="replace").decode().split())[:160]


class _NoBatches(Exception):
    """The endpoint takes one call at a time."""


def label(url: str) -> str:
    """Return scheme, host and port of a URL: what of it may be shown."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


def _retry_after(response: HttpResponse) -> float:
    text = next((value for name, value in response.headers.items() if name.lower() == "retry-after"), "").strip()
    return int(text) if re.fullmatch(r"[0-9]{1,5}", text) else _REST_SECONDS
