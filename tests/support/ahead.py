"""``python ahead.py SECONDS serve``: ``pepay serve`` on a machine whose clock is that far ahead."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

from pepay_core.cli.main import main
from pepay_core.clock import SystemClock

if __name__ == "__main__":
    ahead = timedelta(seconds=float(sys.argv.pop(1)))
    SystemClock.now = lambda _: datetime.now(UTC) + ahead
    main()
