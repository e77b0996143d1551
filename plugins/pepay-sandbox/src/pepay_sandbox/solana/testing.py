"""The cluster as a fixture and as a context manager: a Solana node whose time and forks the test commands.

::

    from pepay_sandbox.solana.testing import cluster  # the fixture


    def test_something(cluster):
        usdc = cluster.create_mint(6)
        buyer, shop = cluster.wallet(), cluster.wallet()
        cluster.mint_to(usdc, str(buyer.pubkey()), 50_000_000)
        cluster.create_token_account(str(shop.pubkey()), usdc)
        paid = cluster.transfer_tokens(buyer, str(shop.pubkey()), usdc, 5_000_000, references=[reference])
        cluster.tick()  # confirmed
        cluster.rollback(2)  # gone
        cluster.reland(paid)  # and here again
        cluster.settle()  # finalized
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import itertools
import json
import threading
from typing import TYPE_CHECKING, Any, Final, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from solders.instruction import Instruction
    from solders.keypair import Keypair

    from pepay_sandbox.solana.server import Running

__all__ = ["Cluster", "ClusterError", "cluster"]

_RPC_SECONDS: Final = 30
SOL: Final = 10**9


class ClusterError(Exception):
    """The node answered with an error; ``code`` and ``data`` are the node's."""

    def __init__(self, message: str, code: int = 0, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


class Cluster:
    """One node on ports of its own, in a thread, which ends with the ``with`` block.

    Without ``slot_ms`` time stands still until :meth:`tick`. What is sent lands at once and is *processed*; it is *confirmed* when
    ``confirm_slots`` further slots have begun, and *finalized* after ``final_slots``. ``payer`` is rich, pays for what is done
    here, and may mint every token that is created here. What sets the scene (wallets, mints, token accounts, tokens from nowhere)
    begins a slot when it is done, so that a fork which drops a payment leaves it alone. Addresses and signatures are base58 text,
    amounts are base units.
    """

    def __init__(self, *, port: int = 0, slot_ms: int = 0, confirm_slots: int = 1, final_slots: int = 32) -> None:
        self.final_slots = final_slots
        self._options = {"port": port, "slot_ms": slot_ms, "confirm_slots": confirm_slots, "final_slots": final_slots}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._running: Running | None = None
        self._failure: BaseException | None = None
        self._numbers = itertools.count(1)
        self._mints: dict[str, tuple[str, int]] = {}
        self._limits = itertools.count(200_001)

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), name="pepay-solana", daemon=True)
        self._thread.start()
        ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        try:
            from solders.keypair import Keypair

            self.payer: Keypair = Keypair()
            self.genesis: str = self.rpc("getGenesisHash")
            self.airdrop(str(self.payer.pubkey()), 1_000_000 * SOL)
            self.settle()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the node, and forget its chain."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._loop is not None and self._end is not None:
            self._loop.call_soon_threadsafe(self._end.set)
        thread.join()

    async def _serve(self, ready: threading.Event) -> None:
        from pepay_sandbox.solana.server import solana_server

        try:
            async with solana_server(**self._options) as self._running:
                self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
                ready.set()
                await self._end.wait()
        except BaseException as exc:  # noqa: BLE001  told to whoever waits for the start
            self._failure = exc
        finally:
            ready.set()

    @property
    def url(self) -> str:
        """Where it answers JSON-RPC."""
        assert self._running is not None
        return self._running.rpc

    @property
    def ws_url(self) -> str:
        """Where it answers WebSockets."""
        assert self._running is not None
        return self._running.ws

    @property
    def chain(self) -> str:
        """The CAIP-2 name."""
        return f"solana:{self.genesis[:32]}"

    # --- JSON-RPC ----------------------------------------------------------------

    def rpc(self, method: str, *params: Any) -> Any:
        """Return a method's result, or raise ClusterError with the node's words."""
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=_RPC_SECONDS)
        try:
            body = json.dumps({"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": params})
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if "error" in answer:
            error = answer["error"]
            raise ClusterError(f"{method}: {error['message']}", error["code"], error.get("data"))
        return answer["result"]

    # --- time and forks ----------------------------------------------------------

    @property
    def slot(self) -> int:
        """The newest slot."""
        return self.rpc("getSlot", {"commitment": "processed"})

    def tick(self, slots: int = 1) -> int:
        """Begin so many slots, and return the newest."""
        return self.rpc("sandbox_tick", slots)

    def settle(self) -> int:
        """Tick until all that has landed is finalized, and return the newest slot."""
        return self.tick(self.final_slots)

    def rollback(self, slots: int) -> list[str]:
        """Drop the newest slots as a fork does, and return the signatures that are gone. A transaction of the newest slot goes with 1."""
        return self.rpc("sandbox_rollback", slots)

    def reland(self, signature: str) -> None:
        """Land again what a fork dropped; raises ClusterError where it cannot."""
        if self.rpc("sandbox_reland", signature) is None:
            raise ClusterError("it can land no more")

    def forward(self, seconds: int) -> int:
        """Set the clock of blocks ahead, and return the time of the newest."""
        return self.rpc("sandbox_forward", seconds)

    def pause(self) -> None:
        """Let time stand still."""
        self.rpc("sandbox_pause")

    def resume(self) -> None:
        """Let time pass again, in a cluster that has ``slot_ms``."""
        self.rpc("sandbox_resume")

    # --- transactions ------------------------------------------------------------

    def send(
        self,
        instructions: Sequence[Instruction],
        signers: Sequence[Keypair] = (),
        *,
        tables: Mapping[str, Sequence[str]] | None = None,
        fails: bool = False,
    ) -> str:
        """Sign and send a transaction, and return its signature.

        The first signer pays, or ``payer`` where there is none. With ``tables`` (addresses by lookup table) it is of version 0. With
        ``fails`` it lands although it will fail; else ClusterError says why it would.
        """
        raw = self.build(instructions, signers, tables=tables)
        return self.send_raw(raw, skip_preflight=fails)

    def build(
        self, instructions: Sequence[Instruction], signers: Sequence[Keypair] = (), *, tables: Mapping[str, Sequence[str]] | None = None
    ) -> bytes:
        """Return a signed transaction. No two are equal, and a fork does not take its blockhash away."""
        from solders.compute_budget import set_compute_unit_limit

        from pepay_sandbox.solana.instructions import signed

        blockhash = self.rpc("getLatestBlockhash", {"commitment": "finalized"})["value"]["blockhash"]
        unique = set_compute_unit_limit(next(self._limits))
        return bytes(signed([unique, *instructions], signers or [self.payer], blockhash, tables))

    def send_raw(self, raw: bytes, *, skip_preflight: bool = False) -> str:
        """Send a signed transaction."""
        # As processed, a preflight sees what has just been sent.
        config = {"encoding": "base64", "skipPreflight": skip_preflight, "preflightCommitment": "processed"}
        return self.rpc("sendTransaction", base64.b64encode(raw).decode(), config)

    # --- money -------------------------------------------------------------------

    def wallet(self, lamports: int = 10 * SOL) -> Keypair:
        """Return a new key with SOL."""
        from solders.keypair import Keypair

        made = Keypair()
        if lamports:
            self.airdrop(str(made.pubkey()), lamports)
            self.tick()
        return made

    def airdrop(self, address: str, lamports: int) -> str:
        """Make SOL appear, and return the transaction's signature."""
        return self.rpc("requestAirdrop", address, lamports)

    def balance(self, address: str, commitment: str = "processed") -> int:
        """Return an account's lamports."""
        return self.rpc("getBalance", address, {"commitment": commitment})["value"]

    def token_balance(self, account: str, commitment: str = "processed") -> int:
        """Return what a token account holds."""
        return int(self.rpc("getTokenAccountBalance", account, {"commitment": commitment})["value"]["amount"])

    def transfer(self, sender: Keypair, recipient: str, lamports: int, *, references: Sequence[str] = (), memo: str | None = None) -> str:
        """Send SOL as a Solana Pay wallet does, and return the signature."""
        from pepay_sandbox.solana import instructions

        sending = instructions.send_lamports(str(sender.pubkey()), recipient, lamports)
        return self.send([*_memos(memo), instructions.with_references(sending, references)], [sender])

    # --- tokens ------------------------------------------------------------------

    def create_mint(self, decimals: int, *, token_2022: bool = False, fee_bps: int = 0) -> str:
        """Create a token, with ``fee_bps`` one of Token-2022 that keeps hundredths of a percent of each transfer; return its address."""
        from solders.keypair import Keypair

        from pepay_sandbox.solana import instructions, programs

        mint, payer = Keypair(), str(self.payer.pubkey())
        address = str(mint.pubkey())
        program = programs.TOKEN_2022 if token_2022 or fee_bps else programs.TOKEN
        rent = self.rpc("getMinimumBalanceForRentExemption", instructions.mint_bytes(fee_bps))
        self.send(instructions.create_mint(payer, address, decimals, rent, program=program, fee_bps=fee_bps), [self.payer, mint])
        self._mints[address] = program, decimals
        self.tick()
        return address

    def token_account(self, owner: str, mint: str) -> str:
        """Return the address of an owner's account for a token, whether it exists or not."""
        from pepay_sandbox.solana.instructions import token_account_of

        return token_account_of(owner, mint, self._mint(mint)[0])

    def create_token_account(self, owner: str, mint: str) -> str:
        """Create an owner's account for a token where there is none, and return its address."""
        from pepay_sandbox.solana import instructions

        self.send([instructions.create_token_account(str(self.payer.pubkey()), owner, mint, self._mint(mint)[0])])
        self.tick()
        return self.token_account(owner, mint)

    def mint_to(self, mint: str, owner: str, units: int) -> str:
        """Make tokens appear in an owner's account, which is created where there is none; return the account's address."""
        from pepay_sandbox.solana import instructions

        program, payer = self._mint(mint)[0], str(self.payer.pubkey())
        account = self.token_account(owner, mint)
        self.send(
            [
                instructions.create_token_account(payer, owner, mint, program),
                instructions.mint_to(mint, account, payer, units, program),
            ]
        )
        self.tick()
        return account

    def transfer_tokens(
        self,
        sender: Keypair,
        owner: str,
        mint: str,
        units: int,
        *,
        references: Sequence[str] = (),
        memo: str | None = None,
        create_account: bool = False,
    ) -> str:
        """Send tokens to an owner's account as a Solana Pay wallet does, and return the signature.

        The account must exist, or ``create_account`` makes it in the same transaction.
        """
        from pepay_sandbox.solana import instructions

        program, decimals = self._mint(mint)
        payer = str(sender.pubkey())
        source, destination = self.token_account(payer, mint), self.token_account(owner, mint)
        creating = [instructions.create_token_account(payer, owner, mint, program)] if create_account else []
        sending = instructions.send_tokens(source, mint, destination, payer, units, decimals, program)
        return self.send([*creating, *_memos(memo), instructions.with_references(sending, references)], [sender])

    def _mint(self, mint: str) -> tuple[str, int]:
        if mint not in self._mints:
            value = self.rpc("getAccountInfo", mint, {"encoding": "jsonParsed", "commitment": "processed"})["value"]
            self._mints[mint] = value["owner"], value["data"]["parsed"]["info"]["decimals"]
        return self._mints[mint]

    # --- lookup tables and programs ----------------------------------------------

    def create_lookup_table(self, addresses: Sequence[str]) -> str:
        """Create a lookup table that can be used at once, and return its address."""
        from pepay_sandbox.solana import instructions

        authority = str(self.payer.pubkey())
        self.tick()
        table, creating = instructions.create_lookup_table(authority, self.slot - 1)
        self.send([creating, instructions.extend_lookup_table(table, authority, addresses)])
        self.tick()
        return table

    def load_program(self, address: str, code: bytes) -> None:
        """Put a compiled program at an address."""
        self.rpc("sandbox_loadProgram", address, base64.b64encode(code).decode())


def _memos(text: str | None) -> list[Instruction]:
    from pepay_sandbox.solana import instructions

    return [] if text is None else [instructions.memo(text)]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Run a cluster of the test's own, whose time stands still."""
    with Cluster() as running:
        yield running
