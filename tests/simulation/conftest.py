from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulation.report import template

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated, empty database to be copied."""
    return template(tmp_path_factory.mktemp("simulation"))
