"""What wallets are given: links as the specification writes them, and transactions as solders reads them."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction

from pepay_core.api import AssetId, Block, Destination, InvalidInput, PaymentRequest, Transfer
from pepay_sandbox.solana import instructions
from pepay_solana import messages
from pepay_solana.addresses import TOKEN
from pepay_solana.clusters import CLUSTERS, Mint, mints, spl
from pepay_solana.links import payment_uri

MAINNET = CLUSTERS["mainnet"]
USDC = next(each for each in mints(MAINNET) if each.token.symbol == "USDC")
WALLET, REFERENCE = str(Keypair().pubkey()), str(Keypair().pubkey())
BLOCKHASH = str(Hash(hashlib.sha256(b"block").digest()))


def uri(units, *, mint=None, label="", reference=REFERENCE):
    asset = MAINNET.native.id if mint is None else mint.token.id
    return payment_uri(MAINNET, mint, PaymentRequest(asset, units, Destination(WALLET, reference), label))


@pytest.mark.parametrize(
    ("units", "amount"),
    [(1, "0.000000001"), (10**9, "1"), (333_400_000, "0.3334"), (10**18, "1000000000"), (1_500_000_000, "1.5")],
)
def test_an_amount_is_in_units_of_the_coin_and_written_out(units, amount):
    assert uri(units) == f"solana:{WALLET}?amount={amount}&reference={REFERENCE}"


def test_a_token_is_named_by_its_mint_and_spaces_are_written_as_wallets_read_them():
    link = uri(49_990_000, mint=USDC, label="Fish & Chips + Tea")
    assert link.startswith(f"solana:{WALLET}?amount=49.99&spl-token={USDC.address}&reference={REFERENCE}&label=")
    assert link.endswith("&label=Fish%20%26%20Chips%20%2B%20Tea")
    assert parse_qs(urlsplit(link).query)["label"] == ["Fish & Chips + Tea"]
    assert len(link) < 2048


def test_an_address_without_a_reference_is_a_link_too():
    assert uri(10**9, reference=None) == f"solana:{WALLET}?amount=1"


async def test_an_asset_of_another_chain_has_no_link(make_chain):
    chain = make_chain()
    assert chain.payment_uri(PaymentRequest(AssetId("eip155:1/slip44:60"), 1, Destination(WALLET))) is None


# --- transactions ----------------------------------------------------------------


def same(ours, theirs, payer):
    """Compare a transaction with what solders makes of the same instructions, byte for byte."""
    message = Message.new_with_blockhash(theirs, Pubkey.from_string(payer), Hash.from_string(BLOCKHASH))
    decoded = Transaction.from_bytes(base64.b64decode(ours))
    assert decoded.message == message or _resolved(decoded.message) == _resolved(message)
    assert decoded.message.header == message.header
    assert bytes(Transaction.new_unsigned(decoded.message)) == base64.b64decode(ours)


def _resolved(message):
    keys, header = message.account_keys, message.header
    signers, count = header.num_required_signatures, len(keys)

    def writable(place):
        read_only = header.num_readonly_signed_accounts if place < signers else header.num_readonly_unsigned_accounts
        return place < (signers if place < signers else count) - read_only

    return [
        (keys[each.program_id_index], [(keys[place], place < signers, writable(place)) for place in bytes(each.accounts)], bytes(each.data))
        for each in message.instructions
    ]


def test_a_transfer_of_sol_is_what_solders_makes_of_it():
    payer = str(Keypair().pubkey())
    ours = messages.unsigned(payer, [messages.transfer_sol(payer, WALLET, 123_456_789, [REFERENCE])], BLOCKHASH)
    theirs = transfer(TransferParams(from_pubkey=Pubkey.from_string(payer), to_pubkey=Pubkey.from_string(WALLET), lamports=123_456_789))
    same(ours, [instructions.with_references(theirs, [REFERENCE])], payer)


def test_a_transfer_of_a_token_into_a_new_account_is_what_solders_makes_of_it():
    payer = str(Keypair().pubkey())
    steps = [messages.create_token_account(payer, WALLET, USDC), messages.transfer_token(payer, WALLET, 5_000_000, USDC, [REFERENCE])]
    ours = messages.unsigned(payer, steps, BLOCKHASH)
    source, target = (instructions.token_account_of(owner, USDC.address, TOKEN) for owner in (payer, WALLET))
    theirs = [
        instructions.create_token_account(payer, WALLET, USDC.address, TOKEN),
        instructions.with_references(instructions.send_tokens(source, USDC.address, target, payer, 5_000_000, 6, TOKEN), [REFERENCE]),
    ]
    same(ours, theirs, payer)


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 300, 16_384])
def test_lengths_are_written_seven_bits_at_a_time(length):
    step = messages.Step(TOKEN, (), bytes(length))
    payer = str(Keypair().pubkey())
    ours = Transaction.from_bytes(base64.b64decode(messages.unsigned(payer, [step], BLOCKHASH)))
    assert bytes(ours.message.instructions[0].data) == bytes(length)
    assert isinstance(Instruction(Pubkey.from_string(TOKEN), bytes(length), []), Instruction)


async def test_a_server_built_transaction_pays_when_the_payer_signs_it(cluster, make_chain):
    mint = cluster.create_mint(6)
    buyer = cluster.wallet()
    cluster.mint_to(mint, str(buyer.pubkey()), 10_000_000)
    chain = make_chain(tokens={"USDC": (mint, 6)})
    cluster.settle()
    request = PaymentRequest(AssetId(f"{cluster.chain}/token:{mint}"), 7_000_000, Destination(WALLET, REFERENCE))

    unsigned = await chain.payment_request(request, chain.parse_address(str(buyer.pubkey())))
    assert (unsigned.family, unsigned.payload["chain"]) == ("solana", "solana:localnet")
    transaction = Transaction.from_bytes(base64.b64decode(unsigned.payload["transaction"]))
    transaction.sign([buyer], transaction.message.recent_blockhash)
    cluster.send_raw(bytes(transaction))
    cluster.tick()

    assert cluster.token_balance(cluster.token_account(WALLET, mint)) == 7_000_000
    with pytest.raises(InvalidInput, match="has 3 USDC, which is less"):
        await chain.payment_request(request, chain.parse_address(str(buyer.pubkey())))


async def test_the_explorer_is_linked_where_there_is_one(make_chain):
    block = Block(1, "x", datetime(2026, 1, 1, tzinfo=UTC))
    transfer_ = Transfer(MAINNET.id, "signature", "1", MAINNET.native.id, Destination(WALLET), 1, block)
    assert make_chain(explorer="https://solscan.io").explorer_url(transfer_) == "https://solscan.io/tx/signature"
    assert make_chain().explorer_url(transfer_) is None


def test_tokens_are_told_apart_by_letters_case():
    one = Mint(USDC.address, TOKEN, spl(MAINNET.genesis, "USDC", USDC.address, 6, "usd-coin"))
    assert one.token.id.endswith(f"/token:{USDC.address}")
    assert one.token.id != one.token.id.lower()
