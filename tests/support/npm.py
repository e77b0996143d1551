"""Packages from npm that tests are run with, as a lock file says."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from requiring import lacking

from pepay_core.testing.foundry import cache_folder, locked, npm_command

_SECONDS = 300


def modules(folder: Path, need: str = "chromium") -> Path:
    """Return the ``node_modules`` that a folder's ``package-lock.json`` describes; what was obtained once is kept in the cache folder.

    ``need`` is what a machine lacks that cannot obtain them.
    """
    files = [folder / "package.json", folder / "package-lock.json"]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    cache = cache_folder() / f"npm-{digest}"
    kept = cache / "node_modules"
    cache.mkdir(parents=True, exist_ok=True)
    with locked(cache / "lock"):
        if not kept.is_dir():
            _obtain(files, kept, need)
    return kept


def _obtain(files: list[Path], kept: Path, need: str) -> None:
    npm = npm_command()
    if npm is None:
        lacking(need, "there is no npm to obtain the packages of these tests with")
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        for file in files:
            shutil.copy(file, folder)
        done = subprocess.run(
            [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode:
            lacking(need, f"npm could not obtain the packages of these tests: {done.stderr[-300:]}")
        Path(folder, "node_modules").replace(kept)
