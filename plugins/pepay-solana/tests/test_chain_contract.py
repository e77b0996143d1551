"""The driver keeps the contract on a real runtime, for SOL and for a token, with references and with a list of addresses."""

from __future__ import annotations

import pytest
from solders.keypair import Keypair

from pepay_core.api import AssetId
from pepay_core.testing import ChainSuite
from pepay_core.testing.chain import Net
from pepay_sandbox.solana import instructions, programs

SOL = 10**9


class ClusterNet(Net):
    most = 2**58

    def __init__(self, cluster):
        self.cluster = cluster
        self.payer = cluster.wallet()
        self.mint = cluster.create_mint(6)
        self.look_alike = cluster.create_mint(6)
        for mint in (self.mint, self.look_alike):
            cluster.mint_to(mint, str(self.payer.pubkey()), 2**62 + 10**12)
        self.token = AssetId(f"{cluster.chain}/token:{self.mint}")

    def receive(self, wallets):
        """Make wallets that can be paid in SOL and in both tokens."""
        for wallet in wallets:
            self.cluster.airdrop(wallet, SOL)
            for mint in (self.mint, self.look_alike):
                self.cluster.create_token_account(wallet, mint)
        self.cluster.tick()

    async def pay(self, to, units, asset):
        references = [to.reference] if to.reference else []
        if asset == self.token:
            return self.cluster.transfer_tokens(self.payer, to.address, self.mint, units, references=references)
        return self.cluster.transfer(self.rich(units), to.address, units, references=references)

    def rich(self, lamports):
        if lamports < SOL:
            return self.payer
        self.cluster.airdrop(str(self.payer.pubkey()), lamports)
        return self.payer

    async def mine(self, blocks=1):
        self.cluster.tick(blocks)

    async def cut(self):
        self.cluster.close()

    def _instruction(self, to, units, asset, mint=None):
        payer = str(self.payer.pubkey())
        if asset == self.token:
            source, target = (self.cluster.token_account(owner, mint or self.mint) for owner in (payer, to.address))
            sending = instructions.send_tokens(source, mint or self.mint, target, payer, units, 6, programs.TOKEN)
        else:
            sending = instructions.send_lamports(payer, to.address, units)
        return instructions.with_references(sending, [to.reference] if to.reference else [])

    async def pay_together(self, payments, asset):
        return self.cluster.send([self._instruction(to, units, asset) for to, units in payments], [self.payer])

    async def pay_in_vain(self, to, units, asset):
        too_much = self._instruction(to, 2**63, asset)
        return self.cluster.send([self._instruction(to, units, asset), too_much], [self.payer], fails=True)

    async def pay_look_alike(self, to, units):
        return self.cluster.send([self._instruction(to, units, self.token, self.look_alike)], [self.payer])

    async def reorg(self, depth):
        # The open block goes as well.
        self.cluster.rollback(depth + 1)
        self.cluster.tick(depth)

    async def mine_again(self, transaction):
        self.cluster.transfer(self.payer, str(Keypair().pubkey()), SOL)
        self.cluster.reland(transaction)
        self.cluster.tick()


class Suite(ChainSuite):
    bad_addresses = (
        "",
        "not an address",
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "11111111111111111111111111111111",
        "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
        "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGY",
        "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWW0",
        # The token account for USDC of the wallet below.
        "FGETo8T8wMcN2wCjav8VK6eh3dLk63evNDPxzLSJra8B",
    )
    spellings = ((" 9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM\n", "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM"),)

    @pytest.fixture
    def net(self, cluster):
        return ClusterNet(cluster)

    @pytest.fixture
    async def chain(self, net, make_chain):
        chain = make_chain(tokens={"USDC": (net.mint, 6)})
        await chain.open()
        assert chain.refused == {}
        return chain


class TestReferences(Suite):
    @pytest.fixture
    def wallet(self, net, chain):
        own = str(Keypair().pubkey())
        net.receive([own])
        return chain.parse_wallet("address", own)


class TestAddresses(Suite):
    @pytest.fixture
    def wallet(self, net, chain):
        listed = [str(Keypair().pubkey()) for _ in range(10)]
        net.receive([listed[0], listed[1], listed[7]])
        return chain.parse_wallet("addresses", listed)
