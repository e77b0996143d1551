"""Why a transaction failed, in the words that nodes use for it."""

from __future__ import annotations

import re
from typing import Any, Final

_SENTENCES: Final = {
    "AccountInUse": "Account in use",
    "AccountLoadedTwice": "Account loaded twice",
    "AccountNotFound": "Attempt to debit an account but found no record of a prior credit.",
    "AddressLookupTableNotFound": "Transaction loads an address table account that doesn't exist",
    "AlreadyProcessed": "This transaction has already been processed",
    "BlockhashNotFound": "Blockhash not found",
    "InsufficientFundsForFee": "Insufficient funds for fee",
    "InvalidAccountForFee": "This account may not be used to pay transaction fees",
    "InvalidAccountIndex": "Transaction contains an invalid account reference",
    "InvalidAddressLookupTableIndex": "Transaction address table lookup uses an invalid index",
    "InvalidAddressLookupTableOwner": "Transaction loads an address table account with an invalid owner",
    "InvalidProgramForExecution": "This program may not be used for executing instructions",
    "ProgramAccountNotFound": "Attempt to load a program that does not exist",
    "SanitizeFailure": "Transaction failed to sanitize accounts offsets correctly",
    "SignatureFailure": "Transaction did not pass signature verification",
    "UnsupportedVersion": "Transaction version is unsupported",
}
_OF_INSTRUCTIONS: Final = {
    "AccountAlreadyInitialized": "instruction requires an uninitialized account",
    "AccountBorrowFailed": "instruction tries to borrow reference for an account which is already borrowed",
    "AccountNotExecutable": "instruction expected an executable account",
    "ComputationalBudgetExceeded": "Computational budget exceeded",
    "ExternalAccountLamportSpend": "instruction spent from the balance of an account it does not own",
    "IllegalOwner": "Provided owner is not allowed",
    "IncorrectProgramId": "incorrect program id for instruction",
    "InsufficientFunds": "insufficient funds for instruction",
    "InvalidAccountData": "invalid account data for instruction",
    "InvalidAccountOwner": "Invalid account owner",
    "InvalidArgument": "invalid program argument",
    "InvalidInstructionData": "invalid instruction data",
    "MissingAccount": "An account required by the instruction is missing",
    "MissingRequiredSignature": "missing required signature for instruction",
    "NotEnoughAccountKeys": "insufficient account keys for instruction",
    "PrivilegeEscalation": "Cross-program invocation with unauthorized signer or writable account",
    "ProgramFailedToComplete": "Program failed to complete",
    "ReadonlyDataModified": "instruction modified data of a read-only account",
    "ReadonlyLamportChange": "instruction changed the balance of a read-only account",
    "UninitializedAccount": "instruction requires an initialized account",
    "UnsupportedProgramId": "Unsupported program id",
}
_CAPITAL: Final = re.compile(r"(?<!^)(?=[A-Z])")


def sentence(error: Any) -> str:
    """Return the sentence for an error as JSON writes it."""
    if isinstance(error, str):
        return _SENTENCES.get(error) or _CAPITAL.sub(" ", error).capitalize()
    [(kind, detail)] = error.items()
    if kind == "InstructionError":
        index, reason = detail
        return f"Error processing Instruction {index}: {_reason(reason)}"
    if kind == "InsufficientFundsForRent":
        return f"Transaction results in an account ({detail['account_index']}) with insufficient funds for rent"
    return f"{_CAPITAL.sub(' ', kind).capitalize()}: {detail}"


def _reason(reason: Any) -> str:
    if isinstance(reason, str):
        return _OF_INSTRUCTIONS.get(reason) or _CAPITAL.sub(" ", reason).lower()
    [(kind, detail)] = reason.items()
    return f"custom program error: {detail:#x}" if kind == "Custom" else f"{kind}: {detail}"
