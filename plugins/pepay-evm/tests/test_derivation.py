from __future__ import annotations

import hashlib
import hmac

import coincurve
import pytest

from pepay_core.api import InvalidInput, NoDestination
from pepay_evm import derivation
from pepay_evm.derivation import check_xpub, deposit_address

MNEMONIC = "test test test test test test test test test test test junk"
HARDENED = 2**31
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

# BIP-32, test vector 1: the chain m/0H/1/2H and its child 2.
PARENT = "xpub6D4BDPcP2GT577Vvch3R8wDkScZWzQzMMUm3PWbmWvVJrZwQY4VUNgqFJPMM3No2dFDFGTsxxpG5uJh7n7epu4trkrX7x7DogT5Uv6fcLW5"
CHILD = "xpub6FHa3pjLCk84BayeJxFW2SP4XRrFd1JYnxeLeU8EqN3vDfZmbqBqaGJAyiLjTAwm6ZLRQUMv1ZACTj37sR62cfN7fe5JnJ7dh8zL4fiyLHV"


def encoded(payload):
    payload += hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number, text = int.from_bytes(payload, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return text


def extended(*, version="0488b21e", depth=3, chain_code=b"\1" * 32, key=None):
    key = coincurve.PrivateKey(b"\2" * 32).public_key.format() if key is None else key
    return encoded(bytes.fromhex(version) + bytes([depth]) + b"\0" * 4 + HARDENED.to_bytes(4, "big") + chain_code + key)


def account(*path):
    """Derive a private key as wallets do, and return its extended public key."""
    seed = hashlib.pbkdf2_hmac("sha512", MNEMONIC.encode(), b"mnemonic", 2048)
    digest = hmac.digest(b"Bitcoin seed", seed, "sha512")
    for index in path:
        data = b"\0" + digest[:32] if index >= HARDENED else coincurve.PrivateKey(digest[:32]).public_key.format()
        child = hmac.digest(digest[32:], data + index.to_bytes(4, "big"), "sha512")
        digest = coincurve.PrivateKey(digest[:32]).add(child[:32]).secret + child[32:]
    return extended(depth=len(path), chain_code=digest[32:], key=coincurve.PrivateKey(digest[:32]).public_key.format())


def test_deposits_are_those_of_every_wallet_with_the_same_seed():
    xpub = account(44 + HARDENED, 60 + HARDENED, HARDENED)
    assert [deposit_address(xpub, index) for index in range(3)] == [
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
    ]


def test_children_are_those_of_the_published_vectors():
    child = derivation._parse(PARENT).child(2)
    payload = derivation._base58check(CHILD)
    assert (child.chain_code, child.point) == (payload[13:45], payload[45:])


def test_an_xpub_is_taken_as_it_stands():
    assert check_xpub(f"  {PARENT}\n") == PARENT


def test_every_wrong_character_is_noticed():
    for place in range(len(PARENT)):
        wrong = PARENT[:place] + ("x" if PARENT[place] != "x" else "y") + PARENT[place + 1 :]
        with pytest.raises(InvalidInput):
            check_xpub(wrong)


@pytest.mark.parametrize("version", ["0488ade4", "049d7878", "04b2430c", "04358394", "0295b005", "02aa7a99", "044a4e28", "045f18bc"])
def test_a_private_key_is_refused_loudly_and_not_repeated(version):
    xprv = extended(version=version, key=b"\0" + b"\2" * 32)
    with pytest.raises(InvalidInput, match="PRIVATE") as caught:
        check_xpub(xprv)
    assert xprv[4:20] not in repr(caught.value) + str(caught.value)
    assert caught.value.field == "value"


def test_a_private_key_that_calls_itself_public_is_refused():
    with pytest.raises(InvalidInput, match="PRIVATE"):
        check_xpub(extended(key=b"\0" + b"\2" * 32))


@pytest.mark.parametrize(("version", "name"), [("049d7cb2", "ypub"), ("04b24746", "zpub"), ("043587cf", "tpub"), ("045f1cf6", "vpub")])
def test_keys_of_other_chains_are_refused_with_a_hint(version, name):
    with pytest.raises(InvalidInput, match=f"{name}.*m/44'/60'/0'"):
        check_xpub(extended(version=version))


@pytest.mark.parametrize("depth", [0, 1, 2, 4, 5])
def test_only_an_account_is_taken(depth):
    with pytest.raises(InvalidInput, match=f"depth {depth}"):
        check_xpub(extended(depth=depth))


@pytest.mark.parametrize("key", [b"\2" + b"\xff" * 32, b"\4" + b"\2" * 32, b"\1" + b"\2" * 32], ids=["no point", "uncompressed", "no prefix"])
def test_what_is_no_public_key_is_refused(key):
    with pytest.raises(InvalidInput, match="no valid public key"):
        check_xpub(extended(key=key))


@pytest.mark.parametrize("text", ["", "xpub", "xpub" + "0" * 107, "z" * 111, "1" * 111, "\u0661" * 111])
def test_other_texts_are_refused(text):
    with pytest.raises(InvalidInput):
        check_xpub(text)


@pytest.mark.parametrize("index", [-1, HARDENED])
def test_there_are_no_hardened_deposits(index):
    with pytest.raises(NoDestination):
        deposit_address(PARENT, index)
