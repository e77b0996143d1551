"""One node: the ledger, the pace of its slots, and the account from which airdrops come."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from solders.account import Account
from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from pepay_sandbox.solana import programs

if TYPE_CHECKING:
    from pepay_sandbox.solana.ledger import Ledger
    from pepay_sandbox.solana.records import Landed

LAMPORTS_PER_SOL: Final = 10**9
_FAUCET_LAMPORTS: Final = 5 * 10**8 * LAMPORTS_PER_SOL
_LEAST_UNITS: Final = 10_000


class Node:
    """What the methods work on. ``ticking`` says whether time passes by itself, where it can."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.ticking = True
        self._faucet = Keypair()
        self._airdrops = itertools.count(_LEAST_UNITS)
        ledger.engine.put(str(self._faucet.pubkey()), Account(_FAUCET_LAMPORTS, b"", Pubkey.from_string(programs.SYSTEM), executable=False))

    def airdrop(self, address: str, lamports: int) -> Landed | None:
        """Send lamports from the faucet, as a transaction of its own; None where it has not so many."""
        payer = self._faucet.pubkey()
        left = self.ledger.engine.account(str(payer))
        if left is None or lamports >= left.lamports:
            return None
        # Two equal airdrops on one blockhash would be one transaction: each has another limit.
        instructions = [
            set_compute_unit_limit(next(self._airdrops)),
            transfer(TransferParams(from_pubkey=payer, to_pubkey=Pubkey.from_string(address), lamports=lamports)),
        ]
        message = Message.new_with_blockhash(instructions, payer, Hash.from_string(self.ledger.tip.hash))
        transaction = VersionedTransaction(message, [self._faucet])
        return self.ledger.submit(transaction, bytes(transaction))

    def received(self, signature: str) -> None:
        """Say that a transaction has come in, before anything comes of it."""
        for watcher in self.ledger.watchers:
            watcher.received(signature)
