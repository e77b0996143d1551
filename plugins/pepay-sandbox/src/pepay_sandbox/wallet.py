"""The test wallet: a key made at start, known to nobody, with test money to pay with."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any, Final

from pepay_core.api import InvalidInput, chain_of
from pepay_sandbox import token
from pepay_sandbox.token import TestToken

if TYPE_CHECKING:
    from pepay_sandbox.local_chain import LocalChain

_TIP: Final = 1_000_000_000
_START_WEI: Final = 10_000 * 10**18
_START_UNITS: Final = 1_000_000 * 10**token.DECIMALS


class TestWallet:
    """Signs here and sends to a local chain. Make it with :meth:`open`."""

    __test__ = False

    def __init__(self, chain: LocalChain) -> None:
        self._chain = chain
        self._lock = asyncio.Lock()
        self._account: Any = None

    @classmethod
    async def open(cls, chain: LocalChain) -> TestWallet:
        """Return a wallet with a new key and ETH."""
        wallet = cls(chain)
        wallet._account = await asyncio.to_thread(_new_account)
        await chain.fund(wallet.address, _START_WEI)
        return wallet

    def __repr__(self) -> str:
        return f"TestWallet({self.address})"

    @property
    def address(self) -> str:
        """Where it receives."""
        return self._account.address

    async def deploy_token(self) -> TestToken:
        """Create a test USDC on the chain and fill the wallet with it."""
        creation = await self.send(to=None, data=token.deployment())
        await self._chain.mine()
        deployed = TestToken((await self._chain.receipt(creation))["contractAddress"])
        minting = await self.send(to=deployed.address, data=token.mint(self.address, _START_UNITS))
        await self._chain.mine()
        await self._chain.receipt(minting)
        return deployed

    async def pay(self, asset: str, address: str, units: int, *, reference: str | None = None) -> str:
        """Send base units of an asset, named by CAIP-19, and return the transaction hash; raises RpcError when the node declines."""
        namespace, _, reference = asset.partition("/")[2].partition(":")
        if chain_of(asset) != self._chain.id:
            raise InvalidInput(f"the test wallet has money on {self._chain.id} only, not on {chain_of(asset)}")
        if namespace == "erc20":
            return await self.send(to=reference, data=token.transfer(address, units))
        return await self.send(to=address, value=units)

    async def send(self, *, to: str | None, value: int = 0, data: str = "0x") -> str:
        """Sign a transaction, send it, and return its hash; it may still fail when it is mined."""
        client = self._chain.client
        async with self._lock:
            call = {"from": self.address, "value": hex(value), "data": data} | ({"to": to} if to else {})
            gas = int(await client.call("eth_estimateGas", call), 16)
            nonce = int(await client.call("eth_getTransactionCount", self.address, "pending"), 16)
            head = await client.call("eth_getBlockByNumber", "latest", False)
            fields = {
                "chainId": self._chain.chain_id,
                "nonce": nonce,
                "gas": gas + gas // 5,
                "maxFeePerGas": 2 * int(head["baseFeePerGas"], 16) + _TIP,
                "maxPriorityFeePerGas": _TIP,
                "value": value,
                "data": data,
            } | ({"to": bytes.fromhex(to.removeprefix("0x"))} if to else {})
            signed = self._account.sign_transaction(fields)
            return await client.call("eth_sendRawTransaction", "0x" + bytes(signed.raw_transaction).hex())


def _new_account() -> Any:
    from eth_account import Account  # a second of imports, in a thread

    return Account.from_key(secrets.token_bytes(32))
