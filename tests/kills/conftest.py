"""A PostgreSQL for those who need one."""

from __future__ import annotations

import sys
from pathlib import Path

from pepay_core.testing.postgres import postgres

sys.path.insert(0, str(Path(__file__).parent))

__all__ = ["postgres"]
