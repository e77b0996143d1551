"""Nodes that fail and lie: a proxy before a real one, which does on command, and by a seed, what endpoints in the wild have done.

::

    async with FaultProxy(anvil.url, seed=7) as proxy:
        chain = make_chain(proxy.url, anvil.url)
        proxy.mode = Mode.LAG
"""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

from aiohttp import ClientSession, web

from pepay_evm import seals
from pepay_evm.decoding import TRANSFER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NO_BLOOM: Final = "0x" + "0" * 512


class Mode(StrEnum):
    """What a proxy does to the answers."""

    HONEST = "honest"
    LAG = "lag"
    """It knows the newest ``depth`` blocks not yet, or none above ``fixed``, and answers about them with nothing and no error."""
    LIMITED = "limited"
    """It answers 429, or with an error of the same meaning, and says when to come back."""
    HANG = "hang"
    """It takes the question, and answers nothing."""
    DOWN = "down"
    TRUNCATE = "truncate"
    """It leaves out some events, others each time."""
    OMIT = "omit"
    """It leaves out what pays the victims: transactions and receipts."""
    FORK = "fork"
    """It serves another chain of the same id."""
    INVENT = "invent"
    """It reports an event that never was, with a receipt."""
    INFLATE = "inflate"
    """It reports a thousand times the amount, everywhere alike."""
    REVIVE = "revive"
    """It reports transactions that failed as successful."""
    ENRICH = "enrich"
    """It reports balances that are not there."""
    FORGE = "forge"
    """It empties the filters of headers, and leaves out the events."""
    PHANTOM = "phantom"
    """It adds a block of its own to the end, whole and with the right hash, in which a victim is paid."""


LIES: Final = (Mode.OMIT, Mode.INVENT, Mode.INFLATE, Mode.REVIVE, Mode.ENRICH, Mode.FORGE, Mode.PHANTOM)


class FaultProxy:
    """One endpoint before a node. ``victims`` are the addresses that it lies about, ``token`` the contract whose events it invents.

    ``asked`` counts what it was asked, by method. Everything random comes from the seed.
    """

    def __init__(self, target: str, *, seed: int = 0, fork: str = "") -> None:
        self.target = target
        self.fork = fork
        self.depth = 3
        self.fixed: int | None = None
        self.retry_after = 1
        self.victims: list[str] = []
        self.token = ""
        self.asked: dict[str, int] = {}
        self.url = ""
        self._chance = random.Random(seed)
        self._mode = Mode.HONEST
        self._released = asyncio.Event()
        self._invented: dict[str, dict[str, Any]] = {}
        self._phantoms: dict[str, dict[str, Any]] = {}
        self._session: ClientSession | None = None
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        self._session = ClientSession()
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._released.set()
        assert self._runner is not None
        assert self._session is not None
        await self._runner.cleanup()
        await self._session.close()

    @property
    def mode(self) -> Mode:
        """What it does now."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._released.set()
        self._released = asyncio.Event()
        self._mode = mode

    @property
    def asks(self) -> int:
        """How many questions it was asked."""
        return sum(self.asked.values())

    async def _handle(self, request: web.Request) -> web.Response:
        sent = await request.json()
        calls = sent if isinstance(sent, list) else [sent]
        for call in calls:
            self.asked[call["method"]] = self.asked.get(call["method"], 0) + 1
        if self._mode is Mode.DOWN:
            return web.Response(status=503)
        if self._mode is Mode.HANG:
            released = self._released
            with suppress(asyncio.CancelledError):
                await released.wait()
            return web.Response(status=500)
        if self._mode is Mode.LIMITED:
            return self._limited(calls)
        answers = await self._answers(calls)
        body = answers if isinstance(sent, list) else answers[0]
        return web.Response(body=json.dumps(body).encode(), content_type="application/json")

    def _limited(self, calls: Sequence[Mapping[str, Any]]) -> web.Response:
        headers = {"Retry-After": str(self.retry_after)}
        if self._chance.random() < 0.5:
            return web.Response(status=429, headers=headers)
        error = {"code": self._chance.choice([-32005, -32029]), "message": "limit exceeded"}
        body = [{"jsonrpc": "2.0", "id": call["id"], "error": error} for call in calls]
        return web.Response(body=json.dumps(body).encode(), content_type="application/json", headers=headers)

    async def _answers(self, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
        mode = self._mode
        target = self.fork if mode is Mode.FORK else self.target
        cap = None
        if mode is Mode.LAG:
            newest = int((await self._post(target, [_call("eth_blockNumber")]))[0]["result"], 16)
            cap = max(newest - self.depth, 0) if self.fixed is None else self.fixed
            calls = [{**call, "params": [_capped(each, cap) for each in call.get("params", [])]} for call in calls]
        if mode is Mode.PHANTOM:
            await self._prepare_phantom(target)
        answers = await self._post(target, calls)
        by_id = {call["id"]: call for call in calls}
        for answer in answers:
            call = by_id[answer["id"]]
            method, params = call["method"], call.get("params", [])
            if cap is not None and "result" in answer:
                answer["result"] = _before(answer["result"], cap)
            change = getattr(self, f"_{mode}", None)
            if change is not None:
                change(method, params, answer)
        return answers

    async def _post(self, target: str, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
        assert self._session is not None
        async with self._session.post(target, json=calls) as response:
            return await response.json()

    # --- the lies, each by the name of its mode ----------------------------------------------------

    def _truncate(self, method: str, _: Sequence[Any], answer: dict[str, Any]) -> None:
        if method == "eth_getLogs" and isinstance(answer.get("result"), list):
            answer["result"] = [log for log in answer["result"] if self._chance.random() < 0.5]

    def _omit(self, method: str, _: Sequence[Any], answer: dict[str, Any]) -> None:
        result = answer.get("result")
        if method.startswith("eth_getBlockBy") and isinstance(result, dict):
            result["transactions"] = [each for each in result["transactions"] if not isinstance(each, dict) or not self._pays_victim(each)]
        elif method == "eth_getTransactionByHash" and isinstance(result, dict) and self._pays_victim(result):
            answer["result"] = None
        elif method == "eth_getTransactionReceipt" and isinstance(result, dict):
            if (result.get("to") or "").lower() in self._victims() or any(self._to_victim(log) for log in result["logs"]):
                answer["result"] = None
        elif method == "eth_getLogs" and isinstance(result, list):
            answer["result"] = [log for log in result if not self._to_victim(log)]

    def _invent(self, method: str, params: Sequence[Any], answer: dict[str, Any]) -> None:
        if method.startswith("eth_getBlockBy") and isinstance(answer.get("result"), dict):
            self._newest = answer["result"]
        if method == "eth_getLogs" and isinstance(answer.get("result"), list) and "toBlock" in params[0] and self.victims and self.token:
            block = getattr(self, "_newest", None)
            if block is not None and int(params[0]["fromBlock"], 16) <= int(block["number"], 16) <= int(params[0]["toBlock"], 16):
                receipt = self._fake_receipt(block)
                if all(log["blockHash"] != block["hash"] for log in answer["result"]):
                    answer["result"].append(receipt["logs"][0])
        if method == "eth_getTransactionReceipt" and params[0] in self._invented:
            answer["result"] = self._invented[params[0]]

    def _inflate(self, method: str, _: Sequence[Any], answer: dict[str, Any]) -> None:
        result = answer.get("result")
        if method == "eth_getLogs" and isinstance(result, list):
            answer["result"] = [self._inflated(log) for log in result]
        elif method == "eth_getTransactionReceipt" and isinstance(result, dict):
            result["logs"] = [self._inflated(log) for log in result["logs"]]
        elif method == "eth_getTransactionByHash" and isinstance(result, dict):
            self._enlarge(result)
        elif method.startswith("eth_getBlockBy") and isinstance(result, dict):
            for each in result["transactions"]:
                if isinstance(each, dict):
                    self._enlarge(each)

    def _revive(self, method: str, _: Sequence[Any], answer: dict[str, Any]) -> None:
        if method == "eth_getTransactionReceipt" and isinstance(answer.get("result"), dict):
            answer["result"]["status"] = "0x1"

    def _enrich(self, method: str, params: Sequence[Any], answer: dict[str, Any]) -> None:
        if method == "eth_getBalance" and params[0].lower() in self._victims() and isinstance(answer.get("result"), str):
            answer["result"] = hex(int(answer["result"], 16) + 10**18)

    def _forge(self, method: str, _: Sequence[Any], answer: dict[str, Any]) -> None:
        if method.startswith("eth_getBlockBy") and isinstance(answer.get("result"), dict):
            answer["result"]["logsBloom"] = NO_BLOOM
        elif method == "eth_getLogs" and isinstance(answer.get("result"), list):
            answer["result"] = []

    def _phantom(self, method: str, params: Sequence[Any], answer: dict[str, Any]) -> None:
        block = self._phantoms.get("block")
        if block is None:
            return
        place = params[0] if params else None
        if method == "eth_getBlockByNumber" and place in {"latest", block["number"]}:
            full = block if params[1] else {**block, "transactions": [each["hash"] for each in block["transactions"]]}
            answer.pop("error", None)
            answer["result"] = full
        elif method == "eth_getTransactionReceipt" and place == block["transactions"][0]["hash"]:
            answer["result"] = self._phantoms["receipt"]
        elif method == "eth_getTransactionByHash" and place == block["transactions"][0]["hash"]:
            answer["result"] = block["transactions"][0]

    # --- what the lies are made of ----------------------------------------------------------------

    def _victims(self) -> set[str]:
        return {each.lower() for each in self.victims}

    def _pays_victim(self, transaction: Mapping[str, Any]) -> bool:
        return (transaction.get("to") or "").lower() in self._victims()

    def _to_victim(self, log: Mapping[str, Any]) -> bool:
        return len(log["topics"]) == 3 and "0x" + log["topics"][2][26:] in self._victims()

    def _inflated(self, log: dict[str, Any]) -> dict[str, Any]:
        if not self._to_victim(log):
            return log
        return {**log, "data": f"0x{int(log['data'], 16) * 1000:064x}"}

    def _enlarge(self, transaction: dict[str, Any]) -> None:
        if self._pays_victim(transaction):
            transaction["value"] = hex(int(transaction["value"], 16) * 1000)

    def _fake_receipt(self, block: Mapping[str, Any]) -> dict[str, Any]:
        victim = self._victims_of(block)
        hash_ = "0x" + f"{int(block['hash'], 16) ^ 0xFA4E:064x}"
        made = self._invented.get(hash_)
        if made is None:
            log = {
                "address": self.token,
                "topics": [TRANSFER, "0x" + "0" * 24 + "ab" * 20, "0x" + victim[2:].lower().rjust(64, "0")],
                "data": f"0x{77_000_000:064x}",
                "blockHash": block["hash"],
                "blockNumber": block["number"],
                "transactionHash": hash_,
                "transactionIndex": "0x0",
                "logIndex": "0x0",
                "removed": False,
            }
            made = {"transactionHash": hash_, "blockHash": block["hash"], "transactionIndex": "0x0", "status": "0x1", "logs": [log]}
            self._invented[hash_] = made
        return made

    def _victims_of(self, block: Mapping[str, Any]) -> str:
        return self.victims[int(block["number"], 16) % len(self.victims)]

    async def _prepare_phantom(self, target: str) -> None:
        """Make a block that follows the newest one, with a transaction that pays a victim."""
        (answer,) = await self._post(target, [_call("eth_getBlockByNumber", "latest", False)])
        head = answer["result"]
        known = self._phantoms.get("block")
        if (known is not None and known["parentHash"] == head["hash"]) or not self.victims:
            return
        block = {**head, "number": hex(int(head["number"], 16) + 1), "parentHash": head["hash"], "timestamp": hex(int(head["timestamp"], 16) + 1)}
        block["logsBloom"] = NO_BLOOM
        block["hash"] = seals.digest(block, "ethereum")
        hash_ = "0x" + f"{int(block['hash'], 16) ^ 0xBAD:064x}"
        place = {"blockHash": block["hash"], "blockNumber": block["number"], "transactionIndex": "0x0"}
        victim = self._victims_of(block)
        block["transactions"] = [{**place, "hash": hash_, "from": "0x" + "ab" * 20, "to": victim, "value": hex(10**18)}]
        self._phantoms = {"block": block, "receipt": {**place, "transactionHash": hash_, "status": "0x1", "logs": []}}


def _call(method: str, *params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 0, "method": method, "params": list(params)}


def _capped(param: Any, cap: int) -> Any:
    if param == "latest":
        return hex(cap)
    if param in ("safe", "finalized"):
        return hex(max(cap - 64, 0))
    return param


def _before(result: Any, cap: int) -> Any:
    """Return what a node whose newest block is at ``cap`` would answer."""
    if isinstance(result, list):
        return [each for each in result if not isinstance(each, dict) or int(each.get("blockNumber", "0x0"), 16) <= cap]
    if isinstance(result, dict):
        number = result.get("number", result.get("blockNumber"))
        if isinstance(number, str) and int(number, 16) > cap:
            return None
    return result
