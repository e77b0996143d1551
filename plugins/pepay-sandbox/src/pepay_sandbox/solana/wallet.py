"""The test wallet on Solana: a key made at start, known to nobody, with test money to pay with."""

from __future__ import annotations

import base64
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from solders.compute_budget import set_compute_unit_limit
from solders.keypair import Keypair
from solders.transaction import VersionedTransaction

from pepay_core.api import InvalidInput, chain_of
from pepay_sandbox.solana import instructions, programs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from solders.instruction import Instruction

    from pepay_sandbox.solana.local_cluster import LocalCluster

SYMBOL: Final = "USDC"
DECIMALS: Final = 6
RATE_ID: Final = "usd-coin"
_START_LAMPORTS: Final = 100_000 * 10**9
_START_UNITS: Final = 1_000_000 * 10**DECIMALS
_LEAST_UNITS: Final = 200_000


@dataclass(frozen=True, slots=True)
class SolanaToken:
    """The test token of a cluster."""

    mint: str
    symbol: str = SYMBOL
    decimals: int = DECIMALS
    rate_id: str = RATE_ID

    def body(self) -> dict[str, Any]:
        """Return it as ``tokens`` of a Solana cluster are configured."""
        return {"symbol": self.symbol, "mint": self.mint, "decimals": self.decimals, "rate_id": self.rate_id}


def new_address() -> str:
    """Return an address that nobody has the key of any more."""
    return str(Keypair().pubkey())


class SolanaWallet:
    """Signs here and sends to a local cluster. Make it with :meth:`open`."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster
        self._key = Keypair()
        self._limits = itertools.count(_LEAST_UNITS)

    @classmethod
    async def open(cls, cluster: LocalCluster) -> SolanaWallet:
        """Return a wallet with a new key and SOL."""
        wallet = cls(cluster)
        await cluster.fund(wallet.address, _START_LAMPORTS)
        return wallet

    def __repr__(self) -> str:
        return f"SolanaWallet({self.address})"

    @property
    def address(self) -> str:
        """Where it receives."""
        return str(self._key.pubkey())

    async def deploy_token(self) -> SolanaToken:
        """Create a test USDC, which this wallet alone may mint, and fill the wallet with it."""
        mint = Keypair()
        address = str(mint.pubkey())
        rent = await self._cluster.client.call("getMinimumBalanceForRentExemption", instructions.mint_bytes())
        await self.send(instructions.create_mint(self.address, address, DECIMALS, rent, program=programs.TOKEN), mint)
        token = SolanaToken(address)
        await self.mint(token, self.address, _START_UNITS)
        return token

    async def open_account(self, token: SolanaToken, owner: str) -> str:
        """Create an owner's account for the token, or do nothing where it is there; return the signature."""
        return await self.send([instructions.create_token_account(self.address, owner, token.mint, programs.TOKEN)])

    async def mint(self, token: SolanaToken, owner: str, units: int) -> str:
        """Make tokens appear in an owner's account, which is created where there is none; return the signature."""
        account = instructions.token_account_of(owner, token.mint)
        return await self.send(
            [
                instructions.create_token_account(self.address, owner, token.mint, programs.TOKEN),
                instructions.mint_to(token.mint, account, self.address, units, programs.TOKEN),
            ]
        )

    async def pay(self, asset: str, address: str, units: int, *, reference: str | None = None) -> str:
        """Send base units of an asset, named by CAIP-19, with the reference by which the payee knows them; return the signature.

        Raises RpcError when the node declines.
        """
        namespace, _, mint = asset.partition("/")[2].partition(":")
        if chain_of(asset) != self._cluster.id:
            raise InvalidInput(f"the test wallet has money on {self._cluster.id} only, not on {chain_of(asset)}")
        references = [reference] if reference else []
        if namespace != "token":
            return await self.send([instructions.with_references(instructions.send_lamports(self.address, address, units), references)])
        source, destination = (instructions.token_account_of(owner, mint) for owner in (self.address, address))
        sending = instructions.send_tokens(source, mint, destination, self.address, units, DECIMALS, programs.TOKEN)
        return await self.send([instructions.with_references(sending, references)])

    async def sign(self, transaction: str) -> str:
        """Sign a transaction that a page has built and send it; both it and its signature are in base64. Raises ValueError, RpcError."""
        unsigned = VersionedTransaction.from_bytes(base64.b64decode(transaction))
        signed = VersionedTransaction(unsigned.message, [self._key])
        config = {"encoding": "base64", "preflightCommitment": "processed"}
        await self._cluster.client.call("sendTransaction", base64.b64encode(bytes(signed)).decode(), config)
        return base64.b64encode(bytes(signed.signatures[0])).decode()

    async def send(self, wanted: Sequence[Instruction], *signers: Keypair) -> str:
        """Sign a transaction, send it, and return its signature; it has landed then."""
        client = self._cluster.client
        latest = await client.call("getLatestBlockhash", {"commitment": "confirmed"})
        # Two equal payments on one blockhash would be one transaction: each has another limit.
        unique = set_compute_unit_limit(next(self._limits))
        signed = instructions.signed([unique, *wanted], [self._key, *signers], latest["value"]["blockhash"])
        config = {"encoding": "base64", "preflightCommitment": "processed"}
        return await client.call("sendTransaction", base64.b64encode(bytes(signed)).decode(), config)
