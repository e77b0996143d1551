"""The driver keeps the contract on a real node, for the native coin and for a token."""

from __future__ import annotations

import pytest

from pepay_core.api import AssetId, Watchlist
from pepay_core.testing import ChainSuite, erc20
from pepay_core.testing.chain import Net
from pepay_evm.networks import erc20 as token_of

MAX = 2**256 - 1


class AnvilNet(Net):
    def __init__(self, anvil):
        self.anvil = anvil
        self.payer, self.owner, self.stranger = anvil.accounts[1], anvil.accounts[2], anvil.accounts[9]
        self.contract = anvil.deploy(erc20.coin("USDC", 18, MAX), sender=self.owner)
        self.look_alike = anvil.deploy(erc20.coin("USDC", 18, MAX), sender=self.stranger)
        self.disperse = anvil.deploy(erc20.DISPERSE, sender=self.stranger)
        self.token = AssetId(f"eip155:{anvil.chain_id}/erc20:{self.contract}")
        self.raw = {}

    async def pay(self, to, units, asset):
        if asset == self.token:
            return self.anvil.send(self.contract, data=erc20.transfer(to.address, units), sender=self.owner, gas=200_000)
        self.anvil.set_balance(self.payer, units + 10**20)
        return self.anvil.send(to.address, units, sender=self.payer)

    async def mine(self, blocks=1):
        self.anvil.mine(blocks)

    async def cut(self):
        self.anvil.stop()

    async def pay_together(self, payments, asset):
        total = sum(units for _, units in payments)
        if asset != self.token:
            data = erc20.disperse_coins([(to.address, units) for to, units in payments])
            return self.anvil.send(self.disperse, total, data=data, sender=self.stranger, gas=1_000_000)
        self.anvil.send(self.contract, data=erc20.transfer(self.disperse, total), sender=self.owner, gas=200_000)
        data = erc20.disperse_tokens(self.contract, [(to.address, units) for to, units in payments])
        return self.anvil.send(self.disperse, data=data, sender=self.stranger, gas=1_000_000)

    async def pay_in_vain(self, to, units, asset):
        if asset == self.token:
            return self.anvil.send(self.contract, data=erc20.transfer(to.address, units), sender=self.stranger, gas=200_000)
        # An account with code that refuses exactly this value: callvalue == units ? revert(0, 0) : stop()
        code = f"0x3460{units:02x}14600857005b600080fd"
        self.anvil.rpc("anvil_setCode", to.address, code)
        return self.anvil.send(to.address, units, sender=self.stranger, gas=200_000)

    async def pay_look_alike(self, to, units):
        return self.anvil.send(self.look_alike, data=erc20.transfer(to.address, units), sender=self.stranger, gas=200_000)

    async def reorg(self, depth):
        newest = self.anvil.height
        for height in range(newest - depth + 1, newest + 1):
            for sent in self.anvil.rpc("eth_getBlockByNumber", hex(height), False)["transactions"]:
                self.raw[sent] = self.anvil.rpc("eth_getRawTransactionByHash", sent)
        self.anvil.reorg(depth)

    async def mine_again(self, transaction):
        await self.pay_look_alike_to_nobody()
        self.anvil.rpc("eth_sendRawTransaction", self.raw[transaction])
        self.anvil.mine()

    async def pay_look_alike_to_nobody(self):
        data = erc20.transfer("0x" + "99" * 20, 1)
        self.anvil.send(self.look_alike, data=data, sender=self.stranger, gas=200_000)


class TestEvmChain(ChainSuite):
    bad_addresses = (
        "",
        "not an address",
        "0x" + "0" * 40,
        "f39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "0xf39fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb9226",
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb922660",
        "0xg39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    )
    spellings = tuple(
        (text, "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
        for text in (
            "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266",
            "0xF39FD6E51AAD88F6F4CE6AB8827279CFFFB92266",
            " 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266\n",
        )
    )

    @pytest.fixture
    def net(self, anvil):
        return AnvilNet(anvil)

    @pytest.fixture
    async def url(self, anvil):
        return anvil.url

    @pytest.fixture
    async def chain(self, anvil, net, make_chain, url):
        chain = make_chain(url, tokens=(token_of(f"eip155:{anvil.chain_id}", "USDC", net.contract, 18, "usd-coin"),))
        await chain.open()
        assert chain.refused == {}
        return chain

    @pytest.fixture
    def wallet(self, chain):
        return chain.parse_wallet("addresses", [f"0x{1000 + index:040x}" for index in range(10)])


class TestEvmChainByTreesOfCalls(TestEvmChain):
    """The same on a node with the other kind of traces."""

    @pytest.fixture
    async def url(self, proxy):
        proxy.denied = {"trace_block"}
        return proxy.url


class TestEvmChainByBalances(TestEvmChain):
    """The same on a node without any: what contracts send has no transaction then, and what one sends twice to an address is one payment."""

    @pytest.fixture
    async def url(self, proxy):
        proxy.deny_traces()
        return proxy.url

    async def test_two_transfers_in_one_transaction_have_keys_of_their_own(self, chain, net, ours, start, asset):
        if asset != chain.native:
            await super().test_two_transfers_in_one_transaction_have_keys_of_their_own(chain, net, ours, start, asset)
            return
        await net.pay_together([(ours, 1), (ours, 2)], asset)
        await net.mine()
        block = (await chain.tip()).block
        (transfer,) = (await chain.scan(Watchlist([ours]), start, block)).transfers
        assert (transfer.tx, transfer.index, transfer.units) == (f"balance:{ours.address}:{block.hash}", "0", 3)
        assert transfer.by_balance
