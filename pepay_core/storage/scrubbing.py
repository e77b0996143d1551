"""Taking what was deleted out of a SQLite file: its free pages keep the bytes until they are used again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Final

from pepay_core.domain.errors import StorageUnavailable
from pepay_core.storage.opening import sqlite_path

_SECONDS: Final = 10


def forget_deleted(url: str) -> None:
    """Write the file anew without its free pages, and empty the log beside it; PostgreSQL does the like by itself, by and by.

    Raises StorageUnavailable while somebody else writes.
    """
    if not url.startswith("sqlite:"):
        return
    try:
        with closing(sqlite3.connect(sqlite_path(url), timeout=_SECONDS, isolation_level=None)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.OperationalError as exc:
        raise StorageUnavailable(
            f"the database is in use, and what was deleted is still in its file ({exc}): stop the server, and try again"
        ) from None
