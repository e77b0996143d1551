"""Obtains a pinned Solidity compiler from the npm registry, and runs a project's build with it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from pepay_core.testing.foundry import cache_folder, locked, npm_command

_INSTALL_SECONDS: Final = 300
_BUILD_SECONDS: Final = 120


class CompilerMissing(Exception):
    """There is no compiler here, and none could be obtained; the message says why."""


def build(project: Path, output: Path) -> None:
    """Run ``node build.mjs OUTPUT`` of a folder that has ``package.json`` and ``package-lock.json``, with what they pin.

    The packages are obtained once and kept in the cache. Raises CompilerMissing, or CalledProcessError when the build itself fails.
    """
    npm = npm_command()
    if npm is None:
        raise CompilerMissing("there is no npm to obtain solc with: install npm, or the dependency group `node` (uv sync --group node)")
    node = npm[0] if len(npm) > 1 else shutil.which("node")
    if node is None:
        raise CompilerMissing("there is no node beside npm")
    modules = _obtain(npm, project)
    with tempfile.TemporaryDirectory() as folder:
        for source in project.iterdir():
            if source.is_file():
                shutil.copy(source, folder)
        Path(folder, "node_modules").symlink_to(modules, target_is_directory=True)
        command = [node, "build.mjs", str(output)]
        subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=True)  # noqa: S603 (a fixed command)


def _obtain(npm: list[str], project: Path) -> Path:
    pinned = {name: (project / name).read_bytes() for name in ("package.json", "package-lock.json")}
    cache = cache_folder() / f"solc-{hashlib.sha256(b''.join(pinned.values())).hexdigest()[:16]}"
    done = cache / "node_modules"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with locked(cache / "lock"):
            if not done.is_dir():
                with tempfile.TemporaryDirectory(dir=cache) as folder:
                    for name, content in pinned.items():
                        Path(folder, name).write_bytes(content)
                    command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
                    result = subprocess.run(command, cwd=folder, capture_output=True, timeout=_INSTALL_SECONDS, check=False)  # noqa: S603 (a fixed command)
                    if result.returncode:
                        raise CompilerMissing(f"npm could not install solc (exit code {result.returncode}): is the registry reachable?")
                    Path(folder, "node_modules").replace(done)
    except subprocess.TimeoutExpired:
        raise CompilerMissing(f"npm did not obtain solc within {_INSTALL_SECONDS} s") from None
    except OSError as exc:
        raise CompilerMissing(f"solc could not be kept in the cache folder ({exc.strerror})") from None
    return done
