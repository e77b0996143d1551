"""On which databases a test runs, where a folder does not run all of its tests on each."""

from __future__ import annotations

import pytest

both = pytest.mark.parametrize("engine", ["sqlite", "postgres"], indirect=True)
"""For what two statements at once may get wrong on one engine and not on the other."""
