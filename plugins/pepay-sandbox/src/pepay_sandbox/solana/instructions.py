"""The instructions that a wallet and a test need, and the transactions they go into."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, TransferParams, create_account, transfer
from solders.transaction import VersionedTransaction

from pepay_sandbox.solana import programs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from solders.keypair import Keypair

MINT_BYTES: Final = 82
_FEE_MINT_BYTES: Final = 165 + 1 + 4 + 108


def key(address: str) -> Pubkey:
    """Read an address."""
    return Pubkey.from_string(address)


def signed(
    instructions: Sequence[Instruction], signers: Sequence[Keypair], blockhash: str, tables: Mapping[str, Sequence[str]] | None = None
) -> VersionedTransaction:
    """Return a transaction that the first signer pays for: of version 0 when there are lookup tables, of the old kind else."""
    payer, recent = signers[0].pubkey(), Hash.from_string(blockhash)
    if tables is None:
        return VersionedTransaction(Message.new_with_blockhash(instructions, payer, recent), list(signers))
    known = [AddressLookupTableAccount(key(table), [key(each) for each in addresses]) for table, addresses in tables.items()]
    return VersionedTransaction(MessageV0.try_compile(payer, list(instructions), known, recent), list(signers))


def with_references(instruction: Instruction, references: Sequence[str]) -> Instruction:
    """Return a transfer that names further accounts, as Solana Pay has it."""
    named = [AccountMeta(key(each), is_signer=False, is_writable=False) for each in references]
    return Instruction(instruction.program_id, instruction.data, [*instruction.accounts, *named])


def send_lamports(sender: str, recipient: str, lamports: int) -> Instruction:
    """Return a transfer of SOL."""
    return transfer(TransferParams(from_pubkey=key(sender), to_pubkey=key(recipient), lamports=lamports))


def memo(text: str) -> Instruction:
    """Return a memo."""
    return Instruction(key(programs.MEMO), text.encode(), [])


# --- tokens ---------------------------------------------------------------------------


def token_account_of(owner: str, mint: str, program: str = programs.TOKEN) -> str:
    """Return the address at which an owner holds a token."""
    seeds = [bytes(key(owner)), bytes(key(program)), bytes(key(mint))]
    return str(Pubkey.find_program_address(seeds, key(programs.ASSOCIATED_TOKEN))[0])


def create_mint(payer: str, mint: str, decimals: int, rent: int, *, program: str, fee_bps: int = 0) -> list[Instruction]:
    """Return what creates a mint whose payer may mint; ``rent`` is for as many bytes as :func:`mint_bytes` says."""
    size = mint_bytes(fee_bps)
    made = [
        create_account(CreateAccountParams(from_pubkey=key(payer), to_pubkey=key(mint), lamports=rent, space=size, owner=key(program))),
    ]
    authority = bytes(key(payer))
    if fee_bps:
        fees = b"\x1a\x00" + b"\x01" + authority + b"\x01" + authority + struct.pack("<HQ", fee_bps, 2**64 - 1)
        made.append(Instruction(key(program), fees, [_written(mint)]))
    made.append(Instruction(key(program), b"\x14" + bytes([decimals]) + authority + b"\x00", [_written(mint)]))
    return made


def mint_bytes(fee_bps: int = 0) -> int:
    """Return how large the account of a mint is."""
    return _FEE_MINT_BYTES if fee_bps else MINT_BYTES


def create_token_account(payer: str, owner: str, mint: str, program: str) -> Instruction:
    """Return what creates an owner's account for a token, or does nothing where it is there."""
    accounts = [
        AccountMeta(key(payer), is_signer=True, is_writable=True),
        _written(token_account_of(owner, mint, program)),
        *(_read(each) for each in (owner, mint, programs.SYSTEM, program)),
    ]
    return Instruction(key(programs.ASSOCIATED_TOKEN), b"\x01", accounts)


def mint_to(mint: str, account: str, authority: str, units: int, program: str) -> Instruction:
    """Return what makes tokens appear."""
    return Instruction(key(program), b"\x07" + struct.pack("<Q", units), [_written(mint), _written(account), _signs(authority)])


def send_tokens(source: str, mint: str, destination: str, owner: str, units: int, decimals: int, program: str) -> Instruction:
    """Return a checked transfer between token accounts."""
    accounts = [_written(source), _read(mint), _written(destination), _signs(owner)]
    return Instruction(key(program), b"\x0c" + struct.pack("<QB", units, decimals), accounts)


# --- lookup tables --------------------------------------------------------------------


def create_lookup_table(authority: str, recent_slot: int) -> tuple[str, Instruction]:
    """Return the address of a new table, and what creates it."""
    seeds = [bytes(key(authority)), struct.pack("<Q", recent_slot)]
    table, bump = Pubkey.find_program_address(seeds, key(programs.LOOKUP_TABLE))
    accounts = [_written(str(table)), _signs(authority), AccountMeta(key(authority), is_signer=True, is_writable=True), _read(programs.SYSTEM)]
    return str(table), Instruction(key(programs.LOOKUP_TABLE), struct.pack("<IQB", 0, recent_slot, bump), accounts)


def extend_lookup_table(table: str, authority: str, addresses: Sequence[str]) -> Instruction:
    """Return what adds addresses to a table."""
    octets = struct.pack("<IQ", 2, len(addresses)) + b"".join(bytes(key(each)) for each in addresses)
    accounts = [_written(table), _signs(authority), AccountMeta(key(authority), is_signer=True, is_writable=True), _read(programs.SYSTEM)]
    return Instruction(key(programs.LOOKUP_TABLE), octets, accounts)


def _written(address: str) -> AccountMeta:
    return AccountMeta(key(address), is_signer=False, is_writable=True)


def _read(address: str) -> AccountMeta:
    return AccountMeta(key(address), is_signer=False, is_writable=False)


def _signs(address: str) -> AccountMeta:
    return AccountMeta(key(address), is_signer=True, is_writable=False)
