"""Whether several servers share one SQLite file, which is made for one of them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from pepay_core.contracts.check import Check, Finding, Verdict

_LOCKS: Final = Path("/proc/locks")
_HOLDER, _PLACE = 4, 5


class ProcessesCheck(Check):
    """Which servers have a SQLite database open, where the system tells."""

    name = "processes"

    def __init__(self, database: Path) -> None:
        self._database = database

    async def run(self) -> list[Finding]:
        """Count them."""
        servers = [f"{process} ({command})" for process in sorted(_holders(self._database)) if (command := _command(process))]
        if len(servers) < 2:
            return []
        return [
            Finding(
                Verdict.PROBLEM,
                "database",
                f"{len(servers)} servers share the SQLite file, and take each other for themselves: the processes {', '.join(servers)}",
                "stop all but one, and start that one without --role; for several, set [database] url to a PostgreSQL",
            )
        ]


def _holders(database: Path) -> set[int]:
    """Return the processes that hold locks on a database: each does so for as long as it has it open."""
    files: set[str] = set()
    for path in (database, database.with_name(f"{database.name}-shm")):
        with suppress(OSError):
            files.add(str(path.stat().st_ino))
    with suppress(OSError):
        lines = [line.split() for line in _LOCKS.read_text().splitlines() if "->" not in line]
        return {int(each[_HOLDER]) for each in lines if each[_PLACE].rpartition(":")[2] in files}
    return set()


def _command(process: int) -> str:
    """Return how a server was called, from its own word on; nothing of a process that is none, as a command that looks something up."""
    with suppress(OSError):
        words = Path(f"/proc/{process}/cmdline").read_text(errors="replace").split("\0")
        if "serve" in words:
            return " ".join(words[words.index("serve") :]).strip()
    return ""
