"""Transactions that pay, unsigned, byte for byte as a wallet signs them. No key is ever here."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pepay_solana import base58
from pepay_solana.addresses import ASSOCIATED, SYSTEM, token_account

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pepay_solana.clusters import Mint


@dataclass(frozen=True, slots=True)
class Meta:
    """One account of an instruction."""

    key: str
    signer: bool = False
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction."""

    program: str
    metas: tuple[Meta, ...]
    data: bytes


def transfer_sol(payer: str, to: str, lamports: int, references: Sequence[str]) -> Step:
    """Return a transfer of SOL, with references as Solana Pay adds them."""
    metas = (Meta(payer, signer=True, writable=True), Meta(to, writable=True), *map(Meta, references))
    return Step(SYSTEM, metas, (2).to_bytes(4, "little") + lamports.to_bytes(8, "little"))


def transfer_token(payer: str, to: str, units: int, mint: Mint, references: Sequence[str]) -> Step:
    """Return a transfer between the token accounts of two wallets, with references as Solana Pay adds them."""
    source, target = (token_account(wallet, mint.address, mint.program) for wallet in (payer, to))
    metas = (Meta(source, writable=True), Meta(mint.address), Meta(target, writable=True), Meta(payer, signer=True), *map(Meta, references))
    return Step(mint.program, metas, bytes([12]) + units.to_bytes(8, "little") + bytes([mint.token.decimals]))


def create_token_account(payer: str, wallet: str, mint: Mint) -> Step:
    """Return the creation of a wallet's token account at the payer's cost, which does nothing where there is one."""
    metas = (
        Meta(payer, signer=True, writable=True),
        Meta(token_account(wallet, mint.address, mint.program), writable=True),
        Meta(wallet),
        Meta(mint.address),
        Meta(SYSTEM),
        Meta(mint.program),
    )
    return Step(ASSOCIATED, metas, bytes([1]))


def unsigned(payer: str, steps: Sequence[Step], blockhash: str) -> str:
    """Return a transaction in base64 with an empty place for each signature; the payer pays the fee and signs first."""
    metas = [Meta(payer, signer=True, writable=True), *(meta for step in steps for meta in (*step.metas, Meta(step.program)))]
    rights: dict[str, tuple[bool, bool]] = {}
    for meta in metas:
        signer, writable = rights.get(meta.key, (False, False))
        rights[meta.key] = (signer or meta.signer, writable or meta.writable)
    # Signers first, and within both parts those that are written to: sorting keeps the payer in front.
    keys = sorted(rights, key=lambda each: (not rights[each][0], not rights[each][1]))
    signers = [each for each in keys if rights[each][0]]
    places = {each: place for place, each in enumerate(keys)}
    header = bytes(
        [
            len(signers),
            sum(1 for each in signers if not rights[each][1]),
            sum(1 for each in keys if rights[each] == (False, False)),
        ]
    )
    message = (
        header + _listed(base58.decode_key(each) for each in keys) + base58.decode_key(blockhash) + _listed(_step(each, places) for each in steps)
    )
    return base64.b64encode(_length(len(signers)) + bytes(64 * len(signers)) + message).decode()


def _step(step: Step, places: dict[str, int]) -> bytes:
    accounts = bytes(places[meta.key] for meta in step.metas)
    return bytes([places[step.program]]) + _length(len(accounts)) + accounts + _length(len(step.data)) + step.data


def _listed(parts: Iterable[bytes]) -> bytes:
    listed = list(parts)
    return _length(len(listed)) + b"".join(listed)


def _length(number: int) -> bytes:
    """Return a length as Solana writes it: seven bits to a byte, the lowest first."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
