"""PePay itself, as anybody would run it: `pepay init` and `pepay serve` in a folder of its own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pepay_core.api import ConfigError, NotReady
from pepay_sandbox.children import ended, mortal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import aiohttp

_INIT_SECONDS: Final = 60
_START_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.05
_LOG_LINES: Final = 20
# Nobody else's settings reach the demo, whatever the environment or the folder holds.
_FOREIGN: Final = "PEPAY_"


@dataclass(frozen=True, slots=True)
class Home:
    """A folder with a configuration, a database, a master key and a merchant, made by `pepay init`."""

    folder: Path
    merchant: str
    key: str = field(repr=False)

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "pepay.toml"

    @property
    def log(self) -> Path:
        """What the server wrote to standard error."""
        return self.folder / "server.log"


async def init(folder: Path, merchant: str) -> Home:
    """Make a new PePay in an empty folder; raises ConfigError with the command's own words when it declines."""
    process = await asyncio.create_subprocess_exec(
        *_pepay(folder, "init", "--yes", "--json", "--merchant", merchant),
        cwd=folder,
        env=_environment({}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    async with ended(process):
        async with asyncio.timeout(_INIT_SECONDS):
            output, errors = await process.communicate()
        if process.returncode:
            raise ConfigError(f"`pepay init` failed: {errors.decode(errors='replace').strip()[-500:]}")
    made = json.loads(output)
    return Home(folder, made["merchant"], made["keys"]["test"])


@asynccontextmanager
async def serving(session: aiohttp.ClientSession, home: Home, settings: Mapping[str, Any], url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `pepay serve` with settings on top of its configuration and yield once it is ready; raises NotReady with the end of its log."""
    with home.log.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *_pepay(home.folder, "serve"),
            cwd=home.folder,
            env=_environment(settings),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    async with ended(process):
        await _ready(session, process, home, url)
        yield process


async def _ready(session: aiohttp.ClientSession, process: asyncio.subprocess.Process, home: Home, url: str) -> None:
    import aiohttp

    try:
        async with asyncio.timeout(_START_SECONDS):
            while process.returncode is None:
                try:
                    async with session.get(f"{url}/health/ready") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError as exc:
        raise NotReady(f"the server was not ready within {_START_SECONDS} s:\n{last_words(home)}") from exc
    raise NotReady(f"the server stopped:\n{last_words(home)}")


def last_words(home: Home) -> str:
    """Return the end of the server's log."""
    return "\n".join(home.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:])


def _pepay(folder: Path, *arguments: str) -> list[str]:
    beside = shutil.which("pepay", path=str(Path(sys.executable).parent))
    found = beside or shutil.which("pepay")
    if found is None:
        raise ConfigError("the command `pepay` is not in PATH", hint="run the demo from the environment that PePay is installed in")
    return mortal([found, "--config", str(folder / "pepay.toml"), *arguments])


def _environment(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return our environment without anybody's PePay settings, and with the given ones: ``{"server.port": 8000}``."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    for path, value in settings.items():
        name = _FOREIGN + path.replace(".", "__").upper()
        environment[name] = value if isinstance(value, str) else json.dumps(value)
    return environment
