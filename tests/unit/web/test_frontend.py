"""What browsers get is what the sources in ``frontend/`` build."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pepay_core.web.templating import STATIC

SOURCES = Path(__file__).parents[3] / "frontend"


def npm(folder: Path, *arguments: str, **environment: str) -> None:
    done = subprocess.run(
        ["npm", *arguments], cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        raise RuntimeError(f"npm {arguments[0]}: {done.stdout[-500:]} {done.stderr[-500:]}")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the sources build, from packages as locked; ``frontend`` in PEPAY_TEST_REQUIRE makes a machine without npm a failure."""
    folder = tmp_path_factory.mktemp("frontend")
    sources, out = folder / "frontend", folder / "pepay_core" / "web" / "static"
    shutil.copytree(SOURCES, sources, ignore=shutil.ignore_patterns("node_modules"))
    # The classes that templates use are looked for where they stand.
    shutil.copytree(STATIC.parent / "templates", out.parent / "templates")
    try:
        npm(sources, "ci", "--no-audit", "--no-fund", "--prefer-offline")
    except (OSError, RuntimeError, subprocess.TimeoutExpired) as exc:
        (pytest.fail if "frontend" in os.environ.get("PEPAY_TEST_REQUIRE", "").split(",") else pytest.skip)(f"no npm packages: {exc}")
    npm(sources, "run", "check")
    npm(sources, "run", "build")
    return out


def test_the_committed_files_are_what_the_sources_build(built):
    names = sorted(each.name for each in built.iterdir())
    assert {"checkout.css", "checkout.js", "inter.woff2"} <= set(names)
    for name in names:
        assert (built / name).read_bytes() == (STATIC / name).read_bytes(), f"run `npm ci && npm run build` in frontend/: {name} is old"
