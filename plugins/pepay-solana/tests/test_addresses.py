from __future__ import annotations

import random

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from spl.token.instructions import get_associated_token_address

from pepay_core.api import InvalidAddress
from pepay_solana import addresses, base58

MAINNET_USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\1", b"\xff" * 32, bytes(32), bytes(range(64))])
def test_base58_goes_both_ways(data):
    assert base58.decode(base58.encode(data)) == data


@pytest.mark.parametrize("text", ["0", "O", "I", "l", "+", " 1", "é"])
def test_what_the_alphabet_does_not_have_is_refused(text):
    with pytest.raises(ValueError, match="not base58"):
        base58.decode(text)


def test_keys_are_spelt_as_solders_spells_them():
    for _ in range(50):
        key = Keypair().pubkey()
        assert base58.encode(bytes(key)) == str(key)
        assert addresses.parse(str(key)) == str(key)


def test_the_curve_is_the_one_that_solders_checks():
    chance = random.Random(1)
    for _ in range(300):
        key = chance.randbytes(32)
        assert addresses.on_curve(key) is Pubkey(key).is_on_curve()
    for edge in (
        bytes(32),
        b"\1" + bytes(31),
        b"\xed" + b"\xff" * 30 + b"\x7f",
        b"\xee" + b"\xff" * 30 + b"\x7f",
        b"\xff" * 32,
        b"\0" * 31 + b"\x80",
    ):
        assert addresses.on_curve(edge) is Pubkey(edge).is_on_curve(), edge.hex()


@pytest.mark.parametrize("program", [addresses.TOKEN, addresses.TOKEN_2022])
def test_token_accounts_are_where_wallets_look_for_them(program):
    for _ in range(30):
        owner, mint = Keypair().pubkey(), Keypair().pubkey()
        expected = get_associated_token_address(owner, mint, Pubkey.from_string(program))
        assert addresses.token_account(str(owner), str(mint), program) == str(expected)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "base58"),
        ("abc", "base58"),
        ("9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWW0", "base58"),
        (addresses.SYSTEM, "System Program"),
        (addresses.TOKEN_2022, "Token-2022 Program"),
        (addresses.WRAPPED_SOL, "mint of wrapped SOL"),
        ("FGETo8T8wMcN2wCjav8VK6eh3dLk63evNDPxzLSJra8B", "no wallet can sign"),
        ("5" * 88, "too long"),
    ],
)
def test_what_is_no_wallet_is_refused_with_the_reason(text, reason):
    with pytest.raises(InvalidAddress, match=reason):
        addresses.parse(text)


def test_a_private_key_is_not_repeated():
    secret = base58.encode(bytes(Keypair()))
    with pytest.raises(InvalidAddress) as caught:
        addresses.parse(secret)
    assert secret not in str(caught.value)
    assert secret not in repr(caught.value)
