"""``jsonParsed`` of instructions, against those that solana-py and solders build."""

import pytest
from solders import system_program as system
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from spl.token import instructions as spl
from spl.token import models

from pepay_sandbox.solana import instructions, programs
from pepay_sandbox.solana.parsed_instructions import parsed_instruction

A, B, C, D, REFERENCE = (Keypair().pubkey() for _ in range(5))
TOKEN = Pubkey.from_string(programs.TOKEN)
TOKEN_2022 = Pubkey.from_string(programs.TOKEN_2022)
AMOUNT = {"uiAmount": 1.5, "decimals": 6, "amount": "1500000", "uiAmountString": "1.5"}
CHECKED = {"amount": 1_500_000, "decimals": 6, "program_id": TOKEN}


def parsed(instruction):
    accounts = [str(each.pubkey) for each in instruction.accounts]
    return parsed_instruction(str(instruction.program_id), accounts, bytes(instruction.data))


def text(**keys):
    return {name: str(value) if isinstance(value, Pubkey) else value for name, value in keys.items()}


@pytest.mark.parametrize(
    ("instruction", "kind", "info"),
    [
        (
            spl.transfer(models.TransferParams(program_id=TOKEN, source=A, dest=B, owner=C, amount=7)),
            "transfer",
            text(source=A, destination=B, authority=C, amount="7"),
        ),
        (
            spl.transfer_checked(models.TransferCheckedParams(source=A, mint=D, dest=B, owner=C, **CHECKED)),
            "transferChecked",
            text(source=A, mint=D, destination=B, authority=C, tokenAmount=AMOUNT),
        ),
        (
            spl.transfer_checked(models.TransferCheckedParams(source=A, mint=D, dest=B, owner=C, signers=[REFERENCE], **CHECKED)),
            "transferChecked",
            text(source=A, mint=D, destination=B, multisigAuthority=C, signers=[str(REFERENCE)], tokenAmount=AMOUNT),
        ),
        (
            spl.approve(models.ApproveParams(program_id=TOKEN, source=A, delegate=B, owner=C, amount=7)),
            "approve",
            text(source=A, delegate=B, owner=C, amount="7"),
        ),
        (
            spl.approve_checked(models.ApproveCheckedParams(source=A, mint=D, delegate=B, owner=C, **CHECKED)),
            "approveChecked",
            text(source=A, mint=D, delegate=B, owner=C, tokenAmount=AMOUNT),
        ),
        (spl.revoke(models.RevokeParams(program_id=TOKEN, account=A, owner=C)), "revoke", text(source=A, owner=C)),
        (
            spl.mint_to(models.MintToParams(program_id=TOKEN, mint=D, dest=A, mint_authority=C, amount=7)),
            "mintTo",
            text(mint=D, account=A, mintAuthority=C, amount="7"),
        ),
        (
            spl.mint_to_checked(models.MintToCheckedParams(mint=D, dest=A, mint_authority=C, **CHECKED)),
            "mintToChecked",
            text(mint=D, account=A, mintAuthority=C, tokenAmount=AMOUNT),
        ),
        (
            spl.burn(models.BurnParams(program_id=TOKEN, account=A, mint=D, owner=C, amount=7)),
            "burn",
            text(account=A, mint=D, authority=C, amount="7"),
        ),
        (
            spl.burn_checked(models.BurnCheckedParams(account=A, mint=D, owner=C, **CHECKED)),
            "burnChecked",
            text(account=A, mint=D, authority=C, tokenAmount=AMOUNT),
        ),
        (
            spl.close_account(models.CloseAccountParams(program_id=TOKEN, account=A, dest=B, owner=C)),
            "closeAccount",
            text(account=A, destination=B, owner=C),
        ),
        (
            spl.freeze_account(models.FreezeAccountParams(program_id=TOKEN, account=A, mint=D, authority=C)),
            "freezeAccount",
            text(account=A, mint=D, freezeAuthority=C),
        ),
        (
            spl.thaw_account(models.ThawAccountParams(program_id=TOKEN, account=A, mint=D, authority=C)),
            "thawAccount",
            text(account=A, mint=D, freezeAuthority=C),
        ),
        (
            spl.set_authority(
                models.SetAuthorityParams(
                    program_id=TOKEN, account=A, authority=spl.AuthorityType.ACCOUNT_OWNER, current_authority=C, new_authority=B
                )
            ),
            "setAuthority",
            text(account=A, authorityType="accountOwner", authority=C, newAuthority=B),
        ),
        (
            spl.set_authority(models.SetAuthorityParams(program_id=TOKEN, account=D, authority=spl.AuthorityType.MINT_TOKENS, current_authority=C)),
            "setAuthority",
            text(mint=D, authorityType="mintTokens", authority=C, newAuthority=None),
        ),
        (
            spl.initialize_mint2(models.InitializeMint2Params(program_id=TOKEN, mint=D, decimals=6, mint_authority=C, freeze_authority=B)),
            "initializeMint2",
            text(mint=D, decimals=6, mintAuthority=C, freezeAuthority=B),
        ),
        (
            spl.initialize_account(models.InitializeAccountParams(program_id=TOKEN, account=A, mint=D, owner=C)),
            "initializeAccount",
            text(account=A, mint=D, owner=C, rentSysvar=programs.RENT),
        ),
        (
            spl.initialize_account3(models.InitializeAccount3Params(program_id=TOKEN, account=A, mint=D, owner=C)),
            "initializeAccount3",
            text(account=A, mint=D, owner=C),
        ),
        (spl.sync_native(models.SyncNativeParams(program_id=TOKEN, account=A)), "syncNative", text(account=A)),
        (
            spl.initialize_transfer_fee_config(
                models.InitializeTransferFeeConfigParams(
                    program_id=TOKEN_2022,
                    mint=D,
                    transfer_fee_config_authority=B,
                    withdraw_withheld_authority=None,
                    transfer_fee_basis_points=100,
                    maximum_fee=5,
                )
            ),
            "initializeTransferFeeConfig",
            text(mint=D, transferFeeConfigAuthority=B, transferFeeBasisPoints=100, maximumFee=5),
        ),
        (
            spl.create_associated_token_account(A, B, D),
            "create",
            text(
                source=A,
                account=Pubkey.from_string(instructions.token_account_of(str(B), str(D))),
                wallet=B,
                mint=D,
                systemProgram=programs.SYSTEM,
                tokenProgram=TOKEN,
            ),
        ),
        (
            system.create_account(system.CreateAccountParams(from_pubkey=A, to_pubkey=B, lamports=9, space=165, owner=TOKEN)),
            "createAccount",
            text(source=A, newAccount=B, lamports=9, space=165, owner=TOKEN),
        ),
        (
            system.create_account_with_seed(
                system.CreateAccountWithSeedParams(from_pubkey=A, to_pubkey=B, base=C, seed="häuschen", lamports=9, space=1, owner=TOKEN)
            ),
            "createAccountWithSeed",
            text(source=A, newAccount=B, base=C, seed="häuschen", lamports=9, space=1, owner=TOKEN),
        ),
        (
            system.transfer(system.TransferParams(from_pubkey=A, to_pubkey=B, lamports=9)),
            "transfer",
            text(source=A, destination=B, lamports=9),
        ),
        (
            system.transfer_with_seed(
                system.TransferWithSeedParams(from_pubkey=A, from_base=C, from_seed="s", from_owner=TOKEN, to_pubkey=B, lamports=9)
            ),
            "transferWithSeed",
            text(source=A, sourceBase=C, destination=B, lamports=9, sourceSeed="s", sourceOwner=TOKEN),
        ),
        (system.assign(system.AssignParams(pubkey=A, owner=TOKEN)), "assign", text(account=A, owner=TOKEN)),
        (system.allocate(system.AllocateParams(pubkey=A, space=12)), "allocate", text(account=A, space=12)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_instruction_says_what_its_builder_meant(instruction, kind, info):
    said = parsed(instruction)

    assert said["type"] == kind
    assert said["info"] | ({"tokenAmount": AMOUNT} if "tokenAmount" in info else {}) == info
    if "tokenAmount" in info:
        assert str(said["info"]["tokenAmount"]["uiAmount"]) == "1.5"


@pytest.mark.parametrize(
    ("program", "octets"),
    [
        (programs.TOKEN, b""),
        (programs.TOKEN, b"\x0c\x01"),
        (programs.TOKEN, b"\xfe"),
        (programs.SYSTEM, b"\x02\x00\x00\x00"),
        (programs.SYSTEM, b"\x63\x00\x00\x00"),
        (programs.MEMO, b"\xff\xfe"),
        (programs.ASSOCIATED_TOKEN, b"\x09"),
        (programs.LOOKUP_TABLE, b"\x02\x00\x00\x00" + b"\xff" * 8),
        (programs.COMPUTE_BUDGET, b"\x02\x00\x00\x00\x00"),
    ],
)
def test_what_makes_no_sense_is_left_as_it_is(program, octets):
    assert parsed(Instruction(Pubkey.from_string(program), octets, [])) is None
