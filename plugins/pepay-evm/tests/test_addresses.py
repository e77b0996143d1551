from __future__ import annotations

import pytest

from pepay_core.api import InvalidAddress
from pepay_evm.addresses import checksummed, keccak, parse

# The examples of EIP-55.
EIP_55 = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]


def test_the_digest_is_keccak_and_not_sha3():
    assert keccak(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


@pytest.mark.parametrize("address", EIP_55)
def test_addresses_are_written_with_the_checksum_of_eip_55(address):
    assert checksummed(address.lower()) == address
    assert parse(address) == parse(address.lower()) == parse("0x" + address[2:].upper()) == address


@pytest.mark.parametrize("address", EIP_55[4:])
def test_one_letter_in_the_wrong_case_is_noticed(address):
    place = next(place for place, letter in enumerate(address) if place > 1 and letter.isalpha())
    with pytest.raises(InvalidAddress, match="checksum"):
        parse(address[:place] + address[place].swapcase() + address[place + 1 :])


@pytest.mark.parametrize("text", ["", "0x", "0x1234", "vitalik.eth", "0x" + "1" * 39, "1" * 40, "0x" + "g" * 40, "0x" + "٣" * 40])
def test_other_texts_are_refused_and_named(text):
    with pytest.raises(InvalidAddress) as caught:
        parse(text)
    assert caught.value.text == text


def test_the_zero_address_is_refused():
    with pytest.raises(InvalidAddress, match="belongs to nobody"):
        parse("0x" + "0" * 40)


@pytest.mark.parametrize(
    "secret",
    ["0x" + "ab" * 32, "ab" * 32, "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"],
)
def test_what_may_be_a_private_key_is_not_repeated(secret):
    with pytest.raises(InvalidAddress) as caught:
        parse(secret)
    assert secret[2:20] not in f"{caught.value} {caught.value.text} {caught.value!r}"
