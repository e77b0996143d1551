"""Everything behind HTTP: nodes that fail in every way in which nodes do, and shops that take webhooks, or do not."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pepay_core.contracts.context import HttpResponse
from pepay_core.domain.errors import Unavailable
from simulation.node import View, answer

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncGenerator, Callable, Mapping

    from simulation.chain import SimChain
    from simulation.faults import Faults

_TRACES: Final = {"trace_block", "debug_traceBlockByNumber", "debug_traceBlockByHash"}
KINDS: Final = (
    frozenset({"debug_traceBlockByNumber", "debug_traceBlockByHash", "override", "creation"}),
    frozenset({*_TRACES, "creation"}),
    frozenset({*_TRACES, "override", "creation"}),
    frozenset({"trace_block", "override", "creation"}),
)
"""What some nodes lack: one that traces blocks, one that takes state overrides, one with nothing but contracts, one that debugs."""
_PAGE: Final = b"<html><body>502 Bad Gateway</body></html>"


class Endpoint:
    """One node of a chain, or whatever stands behind a URL."""

    def __init__(self, host: str, chain: SimChain, others: list[SimChain], faults: Faults, chance: random.Random) -> None:
        self.host = host
        self.chain = chain
        self.lacks = chance.choice(KINDS)
        self.down_until = 0.0
        self._others = others
        self._faults = faults
        self._chance = chance
        self._view = View(chain, list(chain.path), chain.finalized)
        self._forked_until = 0.0

    async def serve(self, body: bytes, timeout: float) -> HttpResponse:
        """Answer a request, or fail to."""
        faults, chance = self._faults, self._chance
        loop = asyncio.get_running_loop()
        await asyncio.sleep(chance.uniform(0.005, 3.0 if faults.strikes("node answers slowly") else 0.15))
        if (loop.time() < self.down_until and faults.on) or faults.strikes("node refuses"):
            if loop.time() < self.down_until:
                faults.happened("node refuses")
            raise Unavailable("the connection was refused")
        if faults.strikes("node answers late"):
            await asyncio.sleep(timeout)
            raise Unavailable(f"no answer within {timeout:g} s")
        if faults.strikes("node answers 429"):
            return HttpResponse(429, {"retry-after": "1"}, b'{"error":"rate limited"}')
        if faults.strikes("node answers 5xx"):
            return HttpResponse(chance.choice([500, 502, 503, 504]), {}, _PAGE)
        if faults.strikes("node answers a page"):
            return HttpResponse(200, {}, _PAGE)
        asked = json.loads(body)
        several = isinstance(asked, list)
        answers = self._answers(asked if several else [asked], loop.time())
        whole = json.dumps(answers if several else answers[0] if answers else {}).encode()
        if faults.strikes("node answers half"):
            whole = whole[: chance.randrange(len(whole))]
        await asyncio.sleep(chance.uniform(0.0, 0.05))
        return HttpResponse(200, {}, whole)

    # --- what it knows -----------------------------------------------------------------

    def look(self, now: float) -> View:
        """Return the chain as it is seen from here now."""
        if now < self._forked_until and self._faults.on:
            return self._view
        if self._faults.strikes("node is of another chain"):
            other = self._chance.choice(self._others)
            return View(other, list(other.path), other.finalized)
        path = list(self.chain.path)
        if self._faults.strikes("node lags"):
            path = path[: -self._chance.randint(1, 6)]
        self._view = View(self.chain, path, self.chain.finalized)
        if self._faults.strikes("node is on a fork"):
            # It stays with what it has; the next reorganisation leaves it on a branch of its own.
            self._forked_until = now + self._chance.uniform(3, 20)
        return self._view

    def _answers(self, asked: list[dict[str, Any]], now: float) -> list[dict[str, Any]]:
        faults, chance = self._faults, self._chance
        view = self.look(now)
        turn = None
        if len(asked) > 1 and faults.strikes("node reorganises while it answers"):
            turn = chance.randrange(1, len(asked))
        answers = []
        for place, call in enumerate(asked):
            if place == turn:
                self.chain.reorganise(chance.randint(1, 3), now)
                faults.happened("reorganisation")
                view = View(self.chain, list(self.chain.path), self.chain.finalized)
            answers.append(self._one(view, call))
        if faults.strikes("node leaves out an answer"):
            answers.pop(chance.randrange(len(answers)))
        if answers and faults.strikes("node answers twice"):
            answers.append(chance.choice(answers))
        if faults.strikes("node answers in another order"):
            chance.shuffle(answers)
        return answers

    def _one(self, view: View, call: dict[str, Any]) -> dict[str, Any]:
        faults, chance = self._faults, self._chance
        full = answer(view, call, self.lacks)
        if call["method"] == "eth_chainId":
            return full
        if call["method"] == "eth_getLogs":
            result = full.get("result")
            if result and "blockHash" not in call["params"][0] and faults.strikes("node leaves out events"):
                missing = chance.choice(result)
                whole = {(each["blockHash"], each["address"]) for each in result if chance.random() < 0.3}
                whole.add((missing["blockHash"], missing["address"]))
                return {**full, "result": [each for each in result if (each["blockHash"], each["address"]) not in whole]}
            return full
        if chance.random() < 0.3:
            if faults.strikes("node answers an error"):
                return {"jsonrpc": "2.0", "id": full["id"], "error": {"code": -32000, "message": "request failed or timed out"}}
            if faults.strikes("node answers null"):
                return {"jsonrpc": "2.0", "id": full["id"], "result": None}
        return full


@dataclass(frozen=True, slots=True)
class Got:
    """A webhook as it arrived."""

    id: str
    body: bytes


class Receiver:
    """A shop's server. ``got`` is what it accepted, whether or not the sender learnt of that."""

    def __init__(self, host: str, faults: Faults, chance: random.Random) -> None:
        self.host = host
        self.url = f"https://{host}/hooks"
        self.got: list[Got] = []
        self._faults = faults
        self._chance = chance

    async def take(self, body: bytes, headers: Mapping[str, str], timeout: float) -> HttpResponse:
        """Accept a webhook, or fail to."""
        faults, chance = self._faults, self._chance
        await asyncio.sleep(chance.uniform(0.01, 4.0 if faults.strikes("receiver is slow") else 0.2))
        if faults.strikes("receiver refuses"):
            raise Unavailable("the connection was refused")
        if faults.strikes("receiver hangs"):
            await asyncio.sleep(timeout)
            raise Unavailable(f"no answer within {timeout:g} s")
        if faults.strikes("receiver answers 5xx"):
            asked = {"retry-after": str(chance.randint(1, 5))} if chance.random() < 0.3 else {}
            return HttpResponse(chance.choice([500, 503, 429, 302, 404]), asked, b"no")
        self.got.append(Got(headers["webhook-id"], body))
        if faults.strikes("receiver accepts unheard"):
            raise Unavailable("the connection was reset")
        await asyncio.sleep(chance.uniform(0.0, 0.1))
        return HttpResponse(200, {}, b"ok")


class SimHttp:
    """Implements ``Http``: what leaves a process arrives here."""

    def __init__(self, endpoints: list[Endpoint], receivers: list[Receiver], note: Callable[[str], None]) -> None:
        self._endpoints = {each.host: each for each in endpoints}
        self._receivers = {each.host: each for each in receivers}
        self._note = note

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None, timeout: float = 10, limit: int = 4_000_000) -> HttpResponse:
        raise Unavailable("there is nothing at this address")

    async def post(
        self, url: str, body: bytes, *, headers: Mapping[str, str] | None = None, timeout: float = 10, limit: int = 16_000_000
    ) -> HttpResponse:
        host = urlsplit(url).hostname or ""
        return await self._told(f"rpc {host}", self._endpoints[host].serve(body, timeout))

    async def post_public(
        self, url: str, body: bytes, *, headers: Mapping[str, str] | None = None, timeout: float = 10, limit: int = 16_384
    ) -> HttpResponse:
        host = urlsplit(url).hostname or ""
        return await self._told(f"hook {host}", self._receivers[host].take(body, headers or {}, timeout))

    async def check_public(self, url: str) -> None:
        pass

    async def listen(self, url: str, first: bytes, **_: Any) -> AsyncGenerator[bytes, None]:
        raise Unavailable("nobody tells of new blocks")
        yield b""

    async def _told(self, what: str, work: Any) -> HttpResponse:
        try:
            response = await work
        except Unavailable as exc:
            self._note(f"{what}: {exc.message}")
            raise
        self._note(f"{what}: {response.status}, {len(response.body)} bytes")
        return response
