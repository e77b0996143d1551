"""anvil as a child process: the local chain of choice where its binary is installed."""

from __future__ import annotations

import asyncio
import re
import tempfile
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from pepay_core.api import NotReady
from pepay_core.testing import foundry
from pepay_sandbox.children import beside, ended, mortal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_START_SECONDS: Final = 60
_STATES: Final = 500  # of old blocks, on disk, and as many in memory; half a megabyte each
_LISTENING: Final = re.compile(rb"Listening on (127\.0\.0\.1:\d+)")


def find_anvil() -> Path | None:
    """Return an anvil binary that is on this machine already, or None. Nothing is downloaded."""
    try:
        return foundry.find_anvil(obtain=False)
    except foundry.AnvilMissing:
        return None


@asynccontextmanager
async def anvil_server(binary: Path, *, chain_id: int, block_seconds: float, port: int = 0) -> AsyncIterator[str]:
    """Run anvil on loopback, without any funded account, and yield its URL; raises NotReady when it does not start."""
    command = [str(binary), "--host", "127.0.0.1", "--port", str(port), "--chain-id", str(chain_id), "--accounts", "0"]
    if block_seconds:
        command += ["--block-time", f"{block_seconds:g}"]
    # By itself it keeps the states of some thousand blocks, two gigabytes of them, for good and in the home folder.
    with tempfile.TemporaryDirectory(prefix="pepay-anvil-", ignore_cleanup_errors=True) as folder:
        command += ["--cache-path", folder, "--max-persisted-states", str(_STATES)]
        # Its own session: Ctrl-C in the terminal is for us, and we stop it in order.
        process = await asyncio.create_subprocess_exec(
            *mortal(command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        async with ended(process):
            assert process.stdout is not None
            address = await _listening(process.stdout, binary)
            async with beside(_drain(process.stdout)):
                yield f"http://{address}"


async def _listening(output: asyncio.StreamReader, binary: Path) -> str:
    last = b""
    try:
        async with asyncio.timeout(_START_SECONDS):
            async for line in output:
                if match := _LISTENING.search(line):
                    return match.group(1).decode()
                last = line.strip() or last
    except TimeoutError as exc:
        raise NotReady(f"{binary} did not start within {_START_SECONDS} s") from exc
    raise NotReady(f"{binary} stopped: {last.decode(errors='replace')[:200]}")


async def _drain(output: asyncio.StreamReader) -> None:
    """Read what it prints to nowhere, or the full pipe would stop it."""
    while await output.read(65536):
        pass
