"""JSON-RPC to one node: one batch per question, and nothing believed that is not a whole and well-formed answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from pepay_core.api import ChainUnavailable, InvalidInput, Unavailable, encode
from pepay_evm.decoding import quantity
from pepay_evm.seals import Seal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import SecretStr

    from pepay_core.api import Http, HttpResponse

POST_SECONDS: Final = 10.0
_LIMIT_BYTES: Final = 32_000_000
_LONGEST_REST: Final = 3600.0
_UNLIMITED: Final = 1_000_000
_LIMIT_CODES: Final = {-32005, -32029, 429}
# What vendors call a rate limit, and what they call a limit of another kind under the same codes.
_RATE_WORDS: Final = re.compile(
    r"rate.?limit|too many requests|request count|requests? (limit|per)|per second|throttl|capacity|quota|compute units", re.IGNORECASE
)
_RANGE_WORDS: Final = re.compile(r"range|results|logs|response size|query returned|batch", re.IGNORECASE)


class WrongChain(ChainUnavailable):
    """The endpoint serves another chain."""

    def __init__(self, label: str, served: int) -> None:
        super().__init__(f"{label} serves eip155:{served}")
        self.served = served


class RateLimited(ChainUnavailable):
    """The endpoint wants to be left alone, for so many seconds where it says so."""

    def __init__(self, label: str, seconds: float | None) -> None:
        super().__init__(f"{label} limits how often it is asked")
        self.seconds = seconds


class NodeError(ChainUnavailable):
    """The node understood, and answered with an error."""


class BatchRefused(NodeError):
    """The node would not take so much at once."""


@dataclass(frozen=True, slots=True)
class Call:
    """One method with its parameters; where ``lenient``, the node's error is the answer's value instead of a failure."""

    method: str
    params: tuple[Any, ...] = ()
    lenient: bool = False


_CHAIN_ID: Final = Call("eth_chainId")


class Endpoint:
    """One node, or whatever stands behind a URL. ``label`` names it without its credentials."""

    def __init__(
        self, url: SecretStr, http: Http, chain: int, *, label: str | None = None, seal: Seal | None = None, timeout: float = POST_SECONDS
    ) -> None:
        self._url = url
        self._http = http
        self._chain = chain
        self._seal = seal or Seal()
        self._timeout = timeout
        # How many calls it takes at once, as far as it has shown; 0: not even a batch of one.
        self._batch = _UNLIMITED
        self.label = label or label_of(url)

    def __repr__(self) -> str:
        return f"<Endpoint {self.label}>"

    async def ask(self, calls: Sequence[Call]) -> list[Any]:
        """Return one result for each call, in their order, from a node that serves the right chain.

        Every batch asks for the chain id as well, so that an endpoint that is switched over to another chain is never believed. A batch
        that the node finds too large is asked in smaller ones. Raises RateLimited, and ChainUnavailable for everything else that is not
        a whole and well-formed answer.
        """
        results: list[Any] = []
        while True:
            part = calls[len(results) : len(results) + max(self._batch, 1)]
            try:
                results += await self._ask(part)
            except BatchRefused:
                if self._batch == 0:
                    raise
                self._batch = len(part) // 2
                continue
            if len(results) == len(calls):
                break
        for call, result in zip(calls, results, strict=True):
            if call.method.startswith("eth_getBlockBy") and isinstance(result, dict):
                self._seal.check(result, self.label)
        return results

    async def _ask(self, calls: Sequence[Call]) -> list[Any]:
        asked = (_CHAIN_ID, *calls)
        if self._batch:
            results = self._results(await self._post([_written(number, call) for number, call in enumerate(asked)]), asked)
        else:
            results = []
            for call in asked:
                answer = await self._post(_written(0, call))
                results += self._results([answer] if isinstance(answer, dict) else answer, (call,))
        served = quantity(results[0])
        if served != self._chain:
            raise WrongChain(self.label, served)
        return results[1:]

    async def _post(self, sent: Any) -> Any:
        try:
            response = await self._http.post(
                self._url.get_secret_value(), encode(sent), headers={"Content-Type": "application/json"}, timeout=self._timeout, limit=_LIMIT_BYTES
            )
        except (Unavailable, InvalidInput) as exc:
            raise ChainUnavailable(self._clean(exc.message)) from None
        rest = _retry_after(response.headers)
        if response.status == 429 or (response.status == 503 and rest is not None):
            raise RateLimited(self.label, rest)
        if response.status == 413:
            raise BatchRefused(f"{self.label} finds the request too large")
        if response.status != 200:
            self._explain(response)
            raise ChainUnavailable(f"{self.label} answered with status {response.status}")
        try:
            answer = response.json()
        except Unavailable as exc:
            raise ChainUnavailable(f"{self.label}: {exc.message}") from None
        for each in _errors(answer):
            if _is_rate_limit(each, rest):
                raise RateLimited(self.label, rest if rest is not None else _backoff(each))
        if isinstance(sent, list) and isinstance(answer, dict) and answer.get("error") is not None:
            raise self._refusal(answer["error"])
        return answer

    def _explain(self, response: HttpResponse) -> None:
        """Raise what a node says in the body of an answer whose status is an error, where it says something that can be acted on."""
        try:
            answer = response.json()
        except Unavailable:
            return
        for each in _errors(answer):
            if _is_rate_limit(each, None):
                raise RateLimited(self.label, _backoff(each))
            if isinstance(self._refusal(each), BatchRefused):
                raise self._refusal(each)

    def _refusal(self, error: Any) -> NodeError:
        """Return what it means that a batch was answered with one error."""
        told = self._node_error(error)
        code, message = (error.get("code"), str(error.get("message"))) if isinstance(error, dict) else (None, "")
        return BatchRefused(told.message) if code == -32600 or "batch" in message.lower() else told

    def _results(self, answer: Any, asked: Sequence[Call]) -> list[Any]:
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
        hidden = f"{parts.username or ''}/{parts.password or ''}/{parts.path}/{parts.query}/{parts.fragment}"
        words = {word for word in re.split(r"[/?&=;:@]", hidden) if len(word) > 3}
        for word in sorted({*words, *map(unquote, words)}, key=len, reverse=True):
            message = message.replace(word, "…")
        return " ".join(message.encode(errors="replace").decode().split())[:160]


def label_of(url: SecretStr) -> str:
    """Return the part of a URL that holds no key."""
    parts = urlsplit(url.get_secret_value())
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


def _written(number: int, call: Call) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": call.method, "params": call.params}


def _errors(answer: Any) -> Iterator[dict[str, Any]]:
    for each in answer if isinstance(answer, list) else [answer]:
        if isinstance(each, dict) and isinstance(each.get("error"), dict):
            yield each["error"]


def _is_rate_limit(error: Mapping[str, Any], rest: float | None) -> bool:
    """Tell a limit on how often from a limit on how much, which some vendors give the same code."""
    message = error.get("message")
    text = message if isinstance(message, str) else ""
    if error.get("code") in _LIMIT_CODES and (rest is not None or _backoff(error) is not None):
        return True
    return bool(_RATE_WORDS.search(text)) and not _RANGE_WORDS.search(text)


def _backoff(error: Mapping[str, Any]) -> float | None:
    """Return how long an error asks to wait, in the one form that vendors share."""
    data = error.get("data")
    rate = data.get("rate") if isinstance(data, dict) else None
    seconds = rate.get("backoff_seconds") if isinstance(rate, dict) else None
    return min(seconds, _LONGEST_REST) if type(seconds) is int and seconds >= 0 else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a Retry-After header asks for (RFC 9110, section 10.2.3), or None."""
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,6}", text):
        return min(int(text), _LONGEST_REST)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((aware - datetime.now(UTC)).total_seconds(), 0.0), _LONGEST_REST)
