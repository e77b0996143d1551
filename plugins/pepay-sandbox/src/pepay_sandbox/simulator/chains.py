"""The hands on the local chains: a wallet with test money on each, and command of time and forks."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from pepay_core.api import Unavailable, encode, family_of
from pepay_sandbox import token
from pepay_sandbox.jsonrpc import INTERNAL_ERROR, RpcError
from pepay_sandbox.local_chain import LocalChain
from pepay_sandbox.wallet import TestWallet

if TYPE_CHECKING:
    from pepay_core.api import Http
    from pepay_sandbox.settings import SimulatedChain
    from pepay_sandbox.solana.wallet import SolanaWallet

MOST_BLOCKS: Final = 64
_POCKET_UNITS: Final = 1_000_000 * 10**token.DECIMALS
_CONFIRMING: Final = 64  # blocks or slots after which a payment is final under any rule that is usual
_FAUCET_USDC: Final = "10000"


class Hand(Protocol):
    """What can be done on a chain."""

    async def address(self) -> str:
        """Return the wallet's address; it has money."""
        ...

    async def pay(self, asset: str, to: str, units: int, reference: str | None) -> str:
        """Send base units and take the transaction into a block; return it."""
        ...

    async def sign(self, method: str, params: list[Any]) -> Any:
        """Do what a page asks of its wallet, and take the transaction into a block."""
        ...

    async def blocks(self, count: int) -> None:
        """Let blocks come."""
        ...

    async def settle(self) -> None:
        """Let what was sent become final."""
        ...

    async def take_back(self, count: int) -> None:
        """Replace the newest blocks by empty ones."""
        ...


class Rpc:
    """JSON-RPC by a plugin's HTTP client."""

    def __init__(self, http: Http, url: str) -> None:
        self._http = http
        self._url = url
        self._ids = itertools.count(1)

    async def call(self, method: str, *params: Any) -> Any:
        """Return the result of a method; raises RpcError for the node's errors, and Unavailable when it does not answer."""
        body = encode({"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params})
        answer = (await self._http.post(self._url, body, headers={"content-type": "application/json"})).json()
        if error := answer.get("error"):
            raise RpcError(error.get("code", INTERNAL_ERROR), error.get("message", "no message"), error.get("data"))
        return answer.get("result")


class EvmHand:
    """On anvil, or on py-evm."""

    def __init__(self, rpc: Rpc, url: str, chain: str) -> None:
        self._rpc = rpc
        self._chain = LocalChain(url, int(chain.partition(":")[2]), "auto", rpc)  # type: ignore[arg-type]  # speaks as RpcClient does
        self._lock = asyncio.Lock()
        self._wallet: TestWallet | None = None

    async def _open(self) -> TestWallet:
        async with self._lock:
            if self._wallet is None:
                self._wallet = await TestWallet.open(self._chain)
            return self._wallet

    async def address(self) -> str:
        """Return the wallet's address."""
        return (await self._open()).address

    async def pay(self, asset: str, to: str, units: int, reference: str | None) -> str:
        """Send coins or tokens; of the sandbox's own token as many as it takes."""
        wallet = await self._open()
        await self._fill(asset.partition("/")[2], units)
        sent = await wallet.pay(asset, to, units, reference=reference)
        await self.blocks(1)
        return sent

    async def sign(self, method: str, params: list[Any]) -> Any:
        """Sign what the page built."""
        if method == "eth_getTransactionReceipt":
            return await self._rpc.call(method, *params)
        if method not in {"eth_sendTransaction", "wallet_sendCalls"}:
            raise RpcError(4200, "The test wallet does not know this method.")
        call = params[0]["calls"][0] if method == "wallet_sendCalls" else params[0]
        wallet, data = await self._open(), call.get("data") or "0x"
        if data.startswith("0xa9059cbb"):
            await self._fill(f"erc20:{call['to']}", int(data[74:138], 16))
        sent = await wallet.send(to=call["to"], value=int(call.get("value") or "0x0", 16), data=data)
        await self.blocks(1)
        return {"id": sent} if method == "wallet_sendCalls" else sent

    async def _fill(self, what: str, units: int) -> None:
        """Have enough of a token; anybody may mint the sandbox's own."""
        namespace, _, contract = what.partition(":")
        if namespace != "erc20":
            return
        wallet = await self._open()
        held = await self._rpc.call("eth_call", {"to": contract, "data": token.balance_of(wallet.address)}, "latest")
        if int(held, 16) < units:
            await wallet.send(to=contract, data=token.mint(wallet.address, max(units, _POCKET_UNITS)))
            await self.blocks(1)

    async def blocks(self, count: int) -> None:
        """Mine."""
        await self._chain.mine(count)

    async def settle(self) -> None:
        """Mine enough."""
        await self.blocks(_CONFIRMING)

    async def take_back(self, count: int) -> None:
        """Fork; py-evm cannot."""
        await self._rpc.call("anvil_reorg", count, [])
        await self.blocks(1)
        # After a fork anvil's clock goes on from the new blocks' times, which are earlier than those of the old ones.
        newest = await self._rpc.call("eth_getBlockByNumber", "latest", False)
        behind = int(time.time()) - int(newest["timestamp"], 16)
        if behind > 0:
            await self._rpc.call("evm_increaseTime", behind)


class SolanaHand:
    """On the sandbox's cluster."""

    def __init__(self, rpc: Rpc, url: str, http: Http, faucet: str | None) -> None:
        self._rpc, self._url, self._http, self._faucet = rpc, url, http, faucet
        self._lock = asyncio.Lock()
        self._wallet: SolanaWallet | None = None

    async def _open(self) -> SolanaWallet:
        async with self._lock:
            if self._wallet is None:
                from pepay_sandbox.solana.local_cluster import LocalCluster
                from pepay_sandbox.solana.wallet import SolanaWallet

                genesis = await self._rpc.call("getGenesisHash")
                cluster = LocalCluster(self._url, "", genesis, _CONFIRMING, self._rpc)  # type: ignore[arg-type]  # as above
                wallet = await SolanaWallet.open(cluster)
                if self._faucet:
                    wish = encode({"address": wallet.address, "usdc": _FAUCET_USDC})
                    await self._http.post(self._faucet, wish, headers={"content-type": "application/json"})
                await self.blocks(2)
                self._wallet = wallet
            return self._wallet

    async def address(self) -> str:
        """Return the wallet's address."""
        return (await self._open()).address

    async def pay(self, asset: str, to: str, units: int, reference: str | None) -> str:
        """Send SOL or tokens with the reference by which they are known."""
        sent = await (await self._open()).pay(asset, to, units, reference=reference)
        await self.blocks(2)
        return sent

    async def sign(self, method: str, params: list[Any]) -> Any:
        """Sign what the page built, and return the signature in base64 as the Wallet Standard has it."""
        if method == "standard:connect":
            await self._open()
            return None
        if method != "solana:signAndSendTransaction":
            raise RpcError(4200, "The test wallet does not know this method.")
        signature = await (await self._open()).sign(params[0])
        await self.blocks(2)
        return signature

    async def blocks(self, count: int) -> None:
        """Begin slots."""
        await self._rpc.call("sandbox_tick", count)

    async def settle(self) -> None:
        """Begin enough of them."""
        await self.blocks(_CONFIRMING)

    async def take_back(self, count: int) -> None:
        """Fork."""
        # One slot more than the confirmations that a payment has is begun already.
        await self._rpc.call("sandbox_rollback", count + 1)
        await self.blocks(1)


def hand_on(chain: str, settings: SimulatedChain, http: Http) -> Hand:
    """Return the hand on a chain."""
    rpc = Rpc(http, settings.rpc)
    if family_of(chain) == "solana":  # type: ignore[arg-type]
        return SolanaHand(rpc, settings.rpc, http, settings.faucet)
    return EvmHand(rpc, settings.rpc, chain)


__all__ = ["Hand", "Rpc", "RpcError", "Unavailable", "hand_on"]
