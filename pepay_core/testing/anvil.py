"""anvil as a fixture and as a context manager: a real Ethereum node that mines, forgets and forks on command.

::

    from pepay_core.testing.anvil import anvil  # the fixture


    def test_something(anvil):
        token = anvil.deploy(erc20.coin("USDC", 6, 10**15))
        anvil.send(token, data=erc20.transfer(address, 5_000_000))
        anvil.mine()
"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from pepay_core.testing.foundry import AnvilMissing, find_anvil

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

__all__ = ["Anvil", "AnvilError", "AnvilMissing", "find_anvil"]

_START_SECONDS: Final = 20
_RPC_SECONDS: Final = 30
_LISTENING: Final = re.compile(r"Listening on 127\.0\.0\.1:(\d+)")


class AnvilError(Exception):
    """The node answered with an error, or did not start."""


class Anvil:
    """One node on a port of its own, which ends with the ``with`` block. Its ten accounts are unlocked and rich.

    Without ``block_time`` (seconds) it mines only when it is told to, or at once with ``automine``. ``stop`` and ``start`` are an
    outage: the node comes back at the same URL with the chain that it had. Calls block for milliseconds. Without ``history`` it forgets
    the states of old blocks, and mines many blocks faster.
    """

    def __init__(
        self,
        *,
        chain_id: int = 31337,
        port: int = 0,
        block_time: float | None = None,
        automine: bool = False,
        history: bool = True,
        options: Sequence[str] = (),
    ) -> None:
        self.chain_id = chain_id
        self.port = port
        self.accounts: tuple[str, ...] = ()
        mining = ["--block-time", f"{block_time:g}"] if block_time else [] if automine else ["--no-mining"]
        self._options = ["--host", "127.0.0.1", "--chain-id", str(chain_id), "--order", "fifo", *mining, *options]
        self._history = history
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the node, and forget its chain."""
        self.stop()
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.cleanup()

    @property
    def url(self) -> str:
        """Where it answers JSON-RPC."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    # --- the process -------------------------------------------------------------

    def start(self) -> None:
        """Start the node and wait for its first answer; raises AnvilMissing or AnvilError."""
        program = find_anvil()
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="pepay-anvil-")
        # With the states of old blocks kept, a node that was started again can still be taken back to them.
        history = ["--preserve-historical-states"] if self._history else ["--prune-history", "256"]
        # What it moves from memory to disk goes into our folder too: in its own place a node that was killed leaves gigabytes.
        folder = Path(self._folder.name)
        state = [*history, "--state", str(folder / "state.json"), "--cache-path", str(folder / "states")]
        command = [str(program), "--port", str(self.port), *self._options, *state]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)  # noqa: S603 (a fixed command)
        self._process = process
        # A port of the system's choice is known when the node says it; a node that says nothing is ended, which ends the reading.
        alarm = threading.Timer(_START_SECONDS, process.kill)
        alarm.start()
        said: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            listening = _LISTENING.search(line)
            if listening:
                self.port = int(listening[1])
                break
        alarm.cancel()
        if not said or not _LISTENING.search(said[-1]):
            self.stop()
            raise AnvilError(f"anvil did not start: {' '.join(''.join(said).split())[:300]}")
        # Its further words are read and dropped, or it would block on a full pipe.
        self._reader = threading.Thread(target=_drain, args=(process.stdout,), daemon=True)
        self._reader.start()
        self.accounts = tuple(self.rpc("eth_accounts"))

    def stop(self) -> None:
        """End the node. It keeps its chain for the next start."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._reader is not None:
            self._reader.join()
        assert process.stdout is not None
        process.stdout.close()

    # --- JSON-RPC ----------------------------------------------------------------

    def rpc(self, method: str, *params: Any) -> Any:
        """Return a method's result, or raise AnvilError with the node's words."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_RPC_SECONDS)
        try:
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        except OSError as exc:
            raise AnvilError(f"{method}: anvil does not answer") from exc
        finally:
            connection.close()
        if "error" in answer:
            raise AnvilError(f"{method}: {answer['error'].get('message')}")
        return answer["result"]

    @property
    def height(self) -> int:
        """The number of the newest block."""
        return int(self.rpc("eth_blockNumber"), 16)

    def mine(self, blocks: int = 1) -> None:
        """Mine blocks; what was sent goes into the first one."""
        for _ in range(blocks):
            self.rpc("evm_mine")

    def reorg(self, depth: int, transactions: Sequence[tuple[str, int]] = ()) -> None:
        """Replace the newest blocks by as many others, which hold only the given raw transactions, each in the block at its offset."""
        self.rpc("anvil_reorg", depth, [list(each) for each in transactions])

    def snapshot(self) -> str:
        """Return a name for the chain as it is."""
        return self.rpc("evm_snapshot")

    def revert(self, snapshot: str) -> None:
        """Go back to a snapshot, which can be used once."""
        if not self.rpc("evm_revert", snapshot):
            raise AnvilError("there is no such snapshot")

    def set_balance(self, address: str, units: int) -> None:
        """Give an account this much of the native coin."""
        self.rpc("anvil_setBalance", address, hex(units))

    def balance(self, address: str) -> int:
        """Return an account's native coins, in base units."""
        return int(self.rpc("eth_getBalance", address, "latest"), 16)

    def send(self, to: str | None, value: int = 0, *, data: str = "0x", sender: str | None = None, gas: int | None = None) -> str:
        """Send a transaction from one of the accounts, the first if none is given, and return its hash; mining is up to you.

        With ``gas`` it is not simulated first, so a transaction that will fail is sent too.
        """
        fields = {"from": sender or self.accounts[0], "to": to, "value": hex(value), "data": data}
        if gas is not None:
            fields["gas"] = hex(gas)
        return self.rpc("eth_sendTransaction", {name: field for name, field in fields.items() if field is not None})

    def receipt(self, transaction: str, *, seconds: float = 10) -> dict[str, Any]:
        """Return the receipt, which is there a moment after the block; raises AnvilError when it does not come."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = self.rpc("eth_getTransactionReceipt", transaction)
            if answer is not None:
                return answer
            time.sleep(0.005)
        raise AnvilError("the transaction was not mined")

    def deploy(self, creation: str, *, sender: str | None = None) -> str:
        """Deploy a contract, mining a block for it where the node does not mine by itself, and return its address in lower case."""
        transaction = self.send(None, data=creation, sender=sender, gas=5_000_000)
        if self.rpc("eth_getTransactionReceipt", transaction) is None:
            self.mine()
        receipt = self.receipt(transaction)
        if int(receipt["status"], 16) != 1:
            raise AnvilError("the contract could not be deployed")
        return str(receipt["contractAddress"]).lower()

    def call(self, to: str, data: str) -> str:
        """Return what a contract answers to a call that changes nothing."""
        return self.rpc("eth_call", {"to": to, "data": data}, "latest")


def _drain(lines: Iterator[str]) -> None:
    for _ in lines:
        pass


try:
    import pytest
except ImportError:  # the sandbox runs nodes where nobody tests
    pass
else:

    @pytest.fixture
    def anvil() -> Iterator[Anvil]:
        """Return a fresh node that mines on command, or skip with the reason; with ``anvil`` in PEPAY_TEST_REQUIRE, fail."""
        with new_anvil() as node:
            yield node

    def new_anvil() -> Anvil:
        """Return a node to be started, for fixtures that live longer than one test; skips or fails as the fixture does."""
        try:
            find_anvil()
        except AnvilMissing as exc:
            if "anvil" in os.environ.get("PEPAY_TEST_REQUIRE", "").split(","):
                pytest.fail(str(exc))
            pytest.skip(str(exc))
        return Anvil()

    __all__ += ["anvil", "new_anvil"]
