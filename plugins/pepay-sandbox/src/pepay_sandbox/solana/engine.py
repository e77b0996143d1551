"""LiteSVM as an engine: accounts and execution. It knows no blocks; the ledger gives it those."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from solders.account import Account
from solders.clock import Clock
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from solders.transaction_metadata import FailedTransactionMetadata

from pepay_sandbox.solana import base58, programs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from solders.hash import Hash
    from solders.transaction import VersionedTransaction
    from solders.transaction_metadata import TransactionMetadata

SLOTS_PER_EPOCH: Final = 432_000
_TABLE_HEADER_BYTES: Final = 56
_NO_SIGNATURE: Final = "1" * 64


class CannotRun(Exception):
    """A transaction that cannot be executed at all, and so lands nowhere; ``error`` is the runtime's word for it."""

    def __init__(self, error: Any) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class Keys:
    """The accounts of a transaction: those in its message, then those that lookup tables add."""

    static: tuple[str, ...]
    writable: tuple[str, ...]
    readonly: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """In the order in which instructions count them."""
        return self.static + self.writable + self.readonly


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an execution; ``error`` is None, or the error as JSON writes it."""

    error: Any
    fee: int
    logs: tuple[str, ...]
    inner: tuple[Any, ...]
    units: int
    return_data: tuple[str, bytes] | None
    accounts: dict[str, Account]


class Engine:
    """One runtime with the programs of mainnet's basic set. It is for one thread."""

    def __init__(self) -> None:
        # Whether a blockhash is known, a signature is right and a transaction is new, the ledger decides: it has forks, the engine has none.
        self._svm = LiteSVM().with_blockhash_check(False).with_transaction_history(0).with_sigverify(False)
        self.put(programs.NATIVE_MINT, Account(1_461_600, _native_mint(), Pubkey.from_string(programs.TOKEN), executable=False))

    # --- accounts ---------------------------------------------------------------------

    def account(self, address: str) -> Account | None:
        """Return an account as it is now."""
        return self._svm.get_account(Pubkey.from_string(address))

    def put(self, address: str, account: Account | None) -> None:
        """Set an account, or delete it."""
        self._svm.set_account(Pubkey.from_string(address), account or Account(0, b"", Pubkey.from_string(programs.SYSTEM), executable=False))

    def owned_by(self, program: str) -> Iterator[str]:
        """Yield the addresses of what a program owns now."""
        for address, _ in self._svm.get_program_accounts(Pubkey.from_string(program)):
            yield str(address)

    def rent(self, size: int) -> int:
        """Return the least balance of an account with so many bytes."""
        return self._svm.minimum_balance_for_rent_exemption(size)

    def load_program(self, address: str, code: bytes) -> None:
        """Put a compiled program at an address."""
        self._svm.add_program(Pubkey.from_string(address), code)

    # --- time -------------------------------------------------------------------------

    def open_slot(self, slot: int, now: int, hashes: Sequence[tuple[int, Hash]]) -> None:
        """Begin a slot: set the clock and the hashes of the slots before, newest first."""
        self._svm.warp_to_slot(slot)
        self._svm.expire_blockhash()
        epoch = slot // SLOTS_PER_EPOCH
        self._svm.set_clock(Clock(slot, now, epoch, epoch + 1, now))
        self._svm.set_slot_hashes(list(hashes))

    # --- execution --------------------------------------------------------------------

    def execute(self, transaction: VersionedTransaction) -> Outcome:
        """Run a transaction; raises CannotRun where it may not even pay its fee."""
        result = self._svm.send_transaction(transaction)
        if isinstance(result, FailedTransactionMetadata):
            return _failed(result)
        return _outcome(None, result, {})

    def simulate(self, transaction: VersionedTransaction) -> Outcome:
        """Run a transaction and keep nothing; raises CannotRun."""
        result = self._svm.simulate_transaction(transaction)
        if isinstance(result, FailedTransactionMetadata):
            return _failed(result)
        return _outcome(None, result.meta(), {str(address): account for address, account in result.post_accounts()})

    def keys(self, transaction: VersionedTransaction, read: Callable[[str], Account | None]) -> Keys:
        """Return the accounts of a transaction, lookup tables resolved by reading accounts; raises CannotRun."""
        message: Any = transaction.message
        writable: list[str] = []
        readonly: list[str] = []
        for lookup in getattr(message, "address_table_lookups", None) or ():
            table = read(str(lookup.account_key))
            if table is None:
                raise CannotRun("AddressLookupTableNotFound")
            if str(table.owner) != programs.LOOKUP_TABLE:
                raise CannotRun("InvalidAddressLookupTableOwner")
            entries = bytes(table.data)[_TABLE_HEADER_BYTES:]
            for indexes, found in ((lookup.writable_indexes, writable), (lookup.readonly_indexes, readonly)):
                for index in bytes(indexes):
                    entry = entries[32 * index : 32 * index + 32]
                    if len(entry) < 32:
                        raise CannotRun("InvalidAddressLookupTableIndex")
                    found.append(base58.encode(entry))
        return Keys(tuple(str(key) for key in message.account_keys), tuple(writable), tuple(readonly))


def _failed(result: FailedTransactionMetadata) -> Outcome:
    error = json.loads(result.to_json())["err"]
    meta = result.meta()
    # A transaction that was refused before it ran has no signature in its report.
    if str(meta.signature()) == _NO_SIGNATURE:
        raise CannotRun(error)
    return _outcome(error, meta, {})


def _outcome(error: Any, meta: TransactionMetadata, accounts: dict[str, Account]) -> Outcome:
    returned = meta.return_data()
    octets = bytes(returned.data)
    return Outcome(
        error,
        fee=meta.fee(),
        logs=tuple(meta.logs()),
        inner=tuple(tuple(each) for each in meta.inner_instructions()),
        units=meta.compute_units_consumed(),
        return_data=(str(returned.program_id), octets) if octets else None,
        accounts=accounts,
    )


def _native_mint() -> bytes:
    return bytes(44) + b"\x09\x01" + bytes(36)
