"""``pepay secrets rotate`` is killed at hundreds of its instructions: nothing is lost, a server starts, and the next run finishes it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from strongbox import fill, read, sealed_by

from pepay_core.cli.main import run
from pepay_core.clock import SystemClock
from pepay_core.domain.errors import ConfigError
from pepay_core.master_keys import FileSecrets
from pepay_core.secrets import Vault
from pepay_core.services.attesting import Attesting
from pepay_core.services.unlocking import unlock
from pepay_core.storage.opening import open_store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

ROWS = 12
KILLS = 60


class Steps:
    """Counts the calls of the running command, in all its threads, and ends the process at one of them."""

    def __init__(self, last: int) -> None:
        self.count = 0
        self._last = last

    def __call__(self, _frame: object, event: str, _arg: object) -> None:
        if event in {"call", "c_call"}:
            self.count += 1
            if self.count == self._last:
                os.kill(os.getpid(), signal.SIGKILL)


def rotated(config: Path, last: int, told: Path) -> int:
    """Run the command in a process of its own, killed at its ``last`` call; return how it ended."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            with told.open("w") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            steps = Steps(last)
            threading.setprofile(steps)
            sys.setprofile(steps)
            code = run(["--config", str(config), "secrets", "rotate", "--json"])
            sys.setprofile(None)
            threading.setprofile(None)
            told.with_suffix(".steps").write_text(str(steps.count))
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def test_a_replacement_that_is_killed_anywhere_loses_nothing(database_url, tmp_path):
    config = tmp_path / "pepay.toml"
    config.write_text(f'[database]\nurl = "{database_url}"\n[secrets]\npath = "{tmp_path / "pepay.key"}"\n')
    driver = FileSecrets(tmp_path / "pepay.key", {})
    driver.create()

    async def with_store(work: Callable[..., Awaitable[object]]) -> object:
        async with open_store(database_url, SystemClock()) as store:
            vault = Vault.of(driver)
            await unlock(store, vault)
            return await work(store, vault)

    async def look(store, vault):
        found = {place: text for place, text in (await read(store, vault)).items() if not place[0].startswith("pepay_audit_head")}
        assert (await Attesting(store, vault).verify()).flaws == ()
        return found, vault.derive("api-keys"), await sealed_by(store), vault.key_id

    asyncio.run(with_store(lambda store, vault: fill(store, vault, ROWS)))
    records, derived, *_ = asyncio.run(with_store(look))

    def check() -> tuple[set[str], str]:
        """A server that starts now finds everything, whatever became of the command."""
        found, now, by, key_id = asyncio.run(with_store(look))
        assert now == derived
        assert {place: found.get(place) for place in records} == records
        return by, key_id

    assert rotated(config, 0, tmp_path / "told") == 0, (tmp_path / "told").read_text()
    total = int((tmp_path / "told.steps").read_text())
    check()
    dice = random.Random(total)
    died = unfinished = 0
    for number in range(KILLS):
        # Densely where keys and keyring change hands, at the beginning and at the end, and evenly between.
        last = dice.randrange(total * number // KILLS, total * (number + 1) // KILLS) + 1
        ended = rotated(config, last, tmp_path / "told")
        died += os.WIFSIGNALED(ended)
        by, _ = check()
        unfinished += len(by) > 1
        if number % 3 == 0:
            assert rotated(config, 0, tmp_path / "told") == 0, (tmp_path / "told").read_text()
            by, key_id = check()
            assert by == {key_id}
    assert rotated(config, 0, tmp_path / "told") == 0, (tmp_path / "told").read_text()
    by, key_id = check()
    assert by == {key_id} == {Vault(driver.master_key()).key_id}
    assert died > KILLS * 3 // 4
    assert unfinished > 1
    old = Vault(FileSecrets(driver.previous_path, {}).master_key())

    async def refused() -> None:
        async with open_store(database_url, SystemClock()) as store:
            with pytest.raises(ConfigError, match="not the one"):
                await unlock(store, old)

    asyncio.run(refused())
