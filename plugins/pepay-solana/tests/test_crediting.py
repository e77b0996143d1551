"""What counts is what arrived, and for whom the transfer says: every way to pay, on a real runtime."""

from __future__ import annotations

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import (
    CreateAccountParams,
    InitializeNonceAccountParams,
    WithdrawNonceAccountParams,
    create_account,
    initialize_nonce_account,
    withdraw_nonce_account,
)

from pepay_core.api import Destination, Watchlist
from pepay_sandbox.solana import instructions, programs
from pepay_solana import base58
from pepay_solana.addresses import ASSOCIATED, TOKEN_2022
from pepay_solana.crediting import Receiver, credits_of
from pepay_solana.decoding import Instruction as Instruction_
from pepay_solana.decoding import Transaction

USDC = 10**6


def reference():
    return str(Keypair().pubkey())


class Shop:
    """A wallet that is watched for three references, on a cluster with a token."""

    def __init__(self, cluster, chain, mint, *, program=programs.TOKEN):
        self.cluster, self.chain, self.mint, self.program = cluster, chain, mint, program
        self.owner = Keypair()
        self.wallet = str(self.owner.pubkey())
        cluster.airdrop(self.wallet, 10**9)
        cluster.tick()
        self.buyer = cluster.wallet()
        cluster.mint_to(mint, str(self.buyer.pubkey()), 1_000 * USDC)
        self.first, self.second, self.third = (Destination(self.wallet, reference()) for _ in range(3))

    @property
    def account(self):
        return self.cluster.token_account(self.wallet, self.mint)

    @property
    def purse(self):
        return self.cluster.token_account(str(self.buyer.pubkey()), self.mint)

    def paying(self, units, *destinations):
        """Return a transfer of tokens that carries the references of some destinations."""
        sending = instructions.send_tokens(self.purse, self.mint, self.account, str(self.buyer.pubkey()), units, 6, self.program)
        return instructions.with_references(sending, [each.reference for each in destinations])

    def paying_sol(self, lamports, *destinations):
        sending = instructions.send_lamports(str(self.buyer.pubkey()), self.wallet, lamports)
        return instructions.with_references(sending, [each.reference for each in destinations])

    async def found(self, *destinations, after=None):
        """Return what arrived since the start, as symbol, units and whose."""
        self.cluster.tick()
        tip = await self.chain.tip()
        scan = await self.chain.scan(Watchlist(destinations or [self.first, self.second, self.third]), after or self.start, tip.block)
        assert scan.cursor == tip.block
        names = {self.first: "first", self.second: "second", self.third: "third"}
        return [("SOL" if each.asset == self.chain.native else "USDC", each.units, names.get(each.to, each.to.address)) for each in scan.transfers]

    async def begin(self):
        self.cluster.tick()
        self.start = (await self.chain.tip()).block
        return self


@pytest.fixture
async def shop(cluster, make_chain):
    mint = cluster.create_mint(6)
    chain = make_chain(tokens={"USDC": (mint, 6)})
    await chain.open()
    shop = Shop(cluster, chain, mint)
    cluster.create_token_account(shop.wallet, mint)
    return await shop.begin()


async def test_a_payment_belongs_to_the_invoice_whose_reference_it_carries(shop):
    shop.cluster.send([shop.paying(5 * USDC, shop.second)], [shop.buyer])
    shop.cluster.send([shop.paying_sol(7, shop.first)], [shop.buyer])
    assert await shop.found() == [("USDC", 5 * USDC, "second"), ("SOL", 7, "first")]


async def test_what_carries_no_reference_is_nobodys(shop):
    shop.cluster.send([shop.paying(5 * USDC)], [shop.buyer])
    shop.cluster.send([shop.paying_sol(5)], [shop.buyer])
    assert await shop.found() == []


async def test_a_reference_elsewhere_in_the_transaction_says_nothing(shop):
    beside = Instruction(Pubkey.from_string(programs.MEMO), b"for the second", [])
    stranger = instructions.with_references(
        instructions.send_lamports(str(shop.buyer.pubkey()), str(Keypair().pubkey()), 10**9), [shop.second.reference]
    )
    shop.cluster.send([beside, stranger, shop.paying(5 * USDC, shop.first)], [shop.buyer])
    assert await shop.found() == [("USDC", 5 * USDC, "first")]


async def test_paid_in_two_transfers_of_one_transaction(shop):
    shop.cluster.send([shop.paying(2 * USDC, shop.first), shop.paying(3 * USDC, shop.first)], [shop.buyer])
    assert await shop.found() == [("USDC", 5 * USDC, "first")]


async def test_paid_in_two_transactions(shop):
    shop.cluster.send([shop.paying(2 * USDC, shop.first)], [shop.buyer])
    shop.cluster.tick()
    shop.cluster.send([shop.paying(3 * USDC, shop.first)], [shop.buyer])
    assert await shop.found() == [("USDC", 2 * USDC, "first"), ("USDC", 3 * USDC, "first")]


async def test_dust_that_carries_the_reference_first_hides_nothing(shop):
    shop.cluster.send([shop.paying(1, shop.first)], [shop.buyer])
    shop.cluster.tick()
    shop.cluster.send([shop.paying(5 * USDC, shop.first)], [shop.buyer])
    assert await shop.found() == [("USDC", 1, "first"), ("USDC", 5 * USDC, "first")]


async def test_one_transfer_with_two_references_pays_one_invoice(shop):
    shop.cluster.send([shop.paying(5 * USDC, shop.second, shop.first, shop.third)], [shop.buyer])
    assert await shop.found() == [("USDC", 5 * USDC, "second")]


async def test_two_transfers_with_a_reference_each_pay_two_invoices(shop):
    shop.cluster.send([shop.paying(2 * USDC, shop.first), shop.paying(3 * USDC, shop.second), shop.paying(4 * USDC)], [shop.buyer])
    assert sorted(await shop.found()) == [("USDC", 2 * USDC, "first"), ("USDC", 3 * USDC, "second")]


async def test_a_key_does_not_depend_on_what_is_watched(shop):
    shop.cluster.send([shop.paying(2 * USDC, shop.first), shop.paying(3 * USDC, shop.second)], [shop.buyer])
    shop.cluster.tick()
    tip = (await shop.chain.tip()).block
    both = (await shop.chain.scan(Watchlist([shop.first, shop.second]), shop.start, tip)).transfers
    alone = (await shop.chain.scan(Watchlist([shop.second]), shop.start, tip)).transfers
    assert len({each.key for each in both}) == 2
    assert [each.key for each in alone] == [each.key for each in both if each.to == shop.second]


async def test_a_failed_transaction_brings_nothing(shop):
    shop.cluster.send([shop.paying(5 * USDC, shop.first), shop.paying(10**15, shop.first)], [shop.buyer], fails=True)
    assert await shop.found() == []


async def test_a_mint_of_the_same_symbol_is_another_token(shop):
    false = shop.cluster.create_mint(6)
    shop.cluster.mint_to(false, str(shop.buyer.pubkey()), 10 * USDC)
    shop.cluster.create_token_account(shop.wallet, false)
    shop.cluster.transfer_tokens(shop.buyer, shop.wallet, false, 5 * USDC, references=[shop.first.reference])
    assert await shop.found() == []


async def test_the_token_account_may_be_made_in_the_same_transaction(cluster, make_chain):
    mint = cluster.create_mint(6)
    shop = await Shop(cluster, make_chain(tokens={"USDC": (mint, 6)}), mint).begin()
    cluster.transfer_tokens(shop.buyer, shop.wallet, mint, 5 * USDC, references=[shop.first.reference], create_account=True)
    assert await shop.found() == [("USDC", 5 * USDC, "first")]


async def test_recipient_and_reference_may_come_from_a_lookup_table(shop):
    table = [shop.account, shop.first.reference, shop.mint, shop.wallet, shop.second.reference]
    address = shop.cluster.create_lookup_table(table)
    shop.cluster.send([shop.paying(5 * USDC, shop.first), shop.paying_sol(9, shop.second)], [shop.buyer], tables={address: table})
    assert sorted(await shop.found()) == [("SOL", 9, "second"), ("USDC", 5 * USDC, "first")]


async def test_a_transfer_fee_is_not_credited(cluster, make_chain):
    mint = cluster.create_mint(6, fee_bps=100)
    chain = make_chain(tokens={"USDC": (mint, 6, TOKEN_2022)})
    await chain.open()
    assert chain.refused == {}
    shop = Shop(cluster, chain, mint, program=TOKEN_2022)
    cluster.create_token_account(shop.wallet, mint)
    await shop.begin()
    cluster.send([shop.paying(100 * USDC, shop.first)], [shop.buyer])
    cluster.tick()
    cluster.send([shop.paying(100 * USDC, shop.second), shop.paying(50 * USDC, shop.third)], [shop.buyer])
    assert sorted(await shop.found()) == [
        ("USDC", 49_500_000, "third"), ("USDC", 99 * USDC, "first"), ("USDC", 99 * USDC, "second"),
    ]  # fmt: skip


async def test_sol_out_of_a_wrapped_account_is_sol(shop):
    wrapped = Keypair()
    rent = shop.cluster.rpc("getMinimumBalanceForRentExemption", 165)
    owner = str(shop.buyer.pubkey())
    creating = create_account(
        CreateAccountParams(
            from_pubkey=shop.buyer.pubkey(), to_pubkey=wrapped.pubkey(), lamports=rent + 10**8, space=165, owner=Pubkey.from_string(programs.TOKEN)
        )
    )
    native = "So11111111111111111111111111111111111111112"
    initialising = Instruction(
        Pubkey.from_string(programs.TOKEN),
        bytes([18]) + bytes(shop.buyer.pubkey()),
        [
            AccountMeta(wrapped.pubkey(), is_signer=False, is_writable=True),
            AccountMeta(Pubkey.from_string(native), is_signer=False, is_writable=False),
        ],
    )
    closing = Instruction(
        Pubkey.from_string(programs.TOKEN),
        bytes([9]),
        [
            AccountMeta(wrapped.pubkey(), is_signer=False, is_writable=True),
            AccountMeta(Pubkey.from_string(shop.wallet), is_signer=False, is_writable=True),
            AccountMeta(Pubkey.from_string(owner), is_signer=True, is_writable=False),
            AccountMeta(Pubkey.from_string(shop.first.reference), is_signer=False, is_writable=False),
        ],
    )
    shop.cluster.send([creating, initialising, closing], [shop.buyer, wrapped])
    assert await shop.found() == [("SOL", rent + 10**8, "first")]


async def test_an_account_that_is_handed_over_is_no_payment(shop):
    # The buyer makes the shop the owner of an account of theirs that holds tokens.
    authority = Instruction(
        Pubkey.from_string(programs.TOKEN),
        bytes([6, 2, 1]) + base58.decode_key(shop.wallet),
        [
            AccountMeta(Pubkey.from_string(shop.purse), is_signer=False, is_writable=True),
            AccountMeta(shop.buyer.pubkey(), is_signer=True, is_writable=False),
            AccountMeta(Pubkey.from_string(shop.wallet), is_signer=False, is_writable=False),
            AccountMeta(Pubkey.from_string(shop.first.reference), is_signer=False, is_writable=False),
        ],
    )
    shop.cluster.send([authority], [shop.buyer])
    assert await shop.found() == []


async def test_what_a_wallet_moves_about_by_itself_is_no_payment(shop):
    bare = Destination(shop.wallet)
    closing = Instruction(
        Pubkey.from_string(programs.TOKEN),
        bytes([9]),
        [
            AccountMeta(Pubkey.from_string(shop.account), is_signer=False, is_writable=True),
            AccountMeta(shop.owner.pubkey(), is_signer=False, is_writable=True),
            AccountMeta(shop.owner.pubkey(), is_signer=True, is_writable=False),
        ],
    )
    shop.cluster.send([closing], [shop.owner])
    assert await shop.found(bare) == []
    shop.cluster.send([shop.paying_sol(5)], [shop.buyer])
    assert await shop.found(bare) == [("SOL", 5, shop.wallet)]


async def test_the_sender_is_told(shop):
    shop.cluster.send([shop.paying(5, shop.first), shop.paying_sol(5, shop.second)], [shop.buyer])
    shop.cluster.tick()
    scan = await shop.chain.scan(Watchlist([shop.first, shop.second]), shop.start, (await shop.chain.tip()).block)
    assert {each.sender for each in scan.transfers} == {str(shop.buyer.pubkey())}


# --- through programs ------------------------------------------------------------


async def test_paid_through_a_program_with_the_reference_among_what_it_was_given(shop):
    # The program of token accounts hands on what lies at an account of an account: the tokens move in a call that it makes.
    other = shop.cluster.create_mint(6)
    between = shop.cluster.create_token_account(shop.wallet, other)
    nested = shop.cluster.mint_to(shop.mint, between, 5 * USDC)
    await shop.begin()
    places = [nested, shop.mint, shop.account, between, other]
    recovering = Instruction(
        Pubkey.from_string(ASSOCIATED),
        bytes([2]),
        [
            *(AccountMeta(Pubkey.from_string(each), is_signer=False, is_writable=True) for each in places),
            AccountMeta(shop.owner.pubkey(), is_signer=True, is_writable=True),
            AccountMeta(Pubkey.from_string(programs.TOKEN), is_signer=False, is_writable=False),
            AccountMeta(Pubkey.from_string(shop.first.reference), is_signer=False, is_writable=False),
        ],
    )
    signature = shop.cluster.send([recovering], [shop.buyer, shop.owner])
    found = await shop.found()
    inner = shop.cluster.rpc("getTransaction", signature, {"commitment": "confirmed", "encoding": "json", "maxSupportedTransactionVersion": 0})
    assert inner["meta"]["innerInstructions"]
    assert ("USDC", 5 * USDC, "first") in found
    # The deposit of the account that is closed on the way is SOL, and belongs to the same.
    assert sorted(symbol for symbol, _, whose in found if whose == "first") == ["SOL", "USDC"]


async def test_lamports_that_a_program_moves_by_itself_belong_to_the_reference_that_it_was_given(shop):
    store, rent = Keypair(), shop.cluster.rpc("getMinimumBalanceForRentExemption", 80)
    creating = create_account(
        CreateAccountParams(
            from_pubkey=shop.buyer.pubkey(), to_pubkey=store.pubkey(), lamports=rent + 500, space=80, owner=Pubkey.from_string(programs.SYSTEM)
        )
    )
    initialising = initialize_nonce_account(InitializeNonceAccountParams(nonce_pubkey=store.pubkey(), authority=shop.buyer.pubkey()))
    shop.cluster.send([creating, initialising], [shop.buyer, store])
    taking = withdraw_nonce_account(
        WithdrawNonceAccountParams(nonce_pubkey=store.pubkey(), authorized_pubkey=shop.buyer.pubkey(), to_pubkey=shop.owner.pubkey(), lamports=500)
    )
    shop.cluster.send([instructions.with_references(taking, [shop.second.reference]), shop.paying_sol(7, shop.first)], [shop.buyer])
    assert sorted(await shop.found()) == [("SOL", 7, "first"), ("SOL", 500, "second")]


# --- the rule by itself ----------------------------------------------------------

WALLET, PAYER, A, B, ROUTER = "W", "P", "A", "B", "R"


def transaction(*steps, arrived, keys=(PAYER, WALLET, A, B), **changes):
    """Return a transaction that brought lamports to the wallet; steps are (program, accounts, lamports or None, parent)."""
    listed = tuple(
        Instruction_(
            program, tuple(keys.index(each) for each in accounts), b"" if units is None else b"\2\0\0\0" + units.to_bytes(8, "little"), parent
        )
        for program, accounts, units, parent in steps
    )
    before = tuple(10_000 for _ in keys)
    after = tuple(10_000 + (arrived if each == WALLET else 0) for each in keys)
    fields = {
        "signature": "s", "slot": 1, "failed": False, "fee": 5, "signers": 1, "keys": keys, "before": before, "after": after,
        "tokens_before": {}, "tokens_after": {}, "instructions": listed,
    }  # fmt: skip
    return Transaction(**{**fields, **changes})


def shared(tx, *, watched=(A, B), bare=False):
    receivers = {WALLET: Receiver(WALLET, "SOL")}
    found = credits_of(tx, receivers, {each: Destination(WALLET, each) for each in watched}, {WALLET: Destination(WALLET)} if bare else {})
    assert sum(each.units for each in found) <= tx.after[tx.keys.index(WALLET)] - tx.before[tx.keys.index(WALLET)] + tx.fee
    return {each.to.reference or "bare": each.units for each in found}


SYSTEM = programs.SYSTEM


def test_an_inner_transfer_belongs_to_the_reference_of_its_caller():
    tx = transaction((ROUTER, (PAYER, WALLET, A), None, None), (SYSTEM, (PAYER, WALLET), 50, 0), arrived=50)
    assert shared(tx) == {A: 50}


def test_the_reference_of_the_transfer_itself_comes_before_its_callers():
    tx = transaction((ROUTER, (PAYER, WALLET, A, B), None, None), (ROUTER, (PAYER, WALLET), None, 0), (SYSTEM, (PAYER, WALLET, B), 50, 1), arrived=50)
    assert shared(tx) == {B: 50}


def test_a_reference_beside_the_payment_gets_nothing():
    tx = transaction((SYSTEM, (PAYER, WALLET, A), 50, None), (ROUTER, (PAYER, B), None, None), (ROUTER, (WALLET, B), None, None), arrived=50)
    assert shared(tx) == {A: 50}


def test_less_than_was_sent_is_lost_by_all_in_proportion():
    tx = transaction((SYSTEM, (PAYER, WALLET, A), 100, None), (SYSTEM, (PAYER, WALLET, B), 50, None), arrived=149)
    assert shared(tx) == {A: 100, B: 49}


def test_more_than_was_sent_belongs_to_who_named_both_and_else_to_nobody():
    moved = ((SYSTEM, (PAYER, WALLET, A), 100, None), (ROUTER, (WALLET, B), None, None))
    assert shared(transaction(*moved, arrived=130)) == {A: 100, B: 30}
    assert shared(transaction(*moved[:1], arrived=130)) == {A: 100}
    assert shared(transaction(*moved[:1], arrived=130), bare=True) == {A: 100, "bare": 30}


def test_a_reference_that_is_not_watched_takes_nothing_from_others():
    tx = transaction((SYSTEM, (PAYER, WALLET, A), 100, None), (SYSTEM, (PAYER, WALLET, B), 50, None), arrived=150)
    assert shared(tx, watched=(B,)) == {B: 50}


def test_a_wallet_that_pays_the_fee_itself_is_credited_without_it():
    tx = transaction((SYSTEM, (PAYER, WALLET, A), 100, None), keys=(WALLET, PAYER, A, B), arrived=95, signers=2)
    assert shared(tx) == {A: 100}


def test_what_came_and_went_again_is_no_payment():
    tx = transaction((SYSTEM, (PAYER, WALLET, A), 100, None), (SYSTEM, (WALLET, PAYER), 100, None), arrived=0)
    assert shared(tx) == {}
