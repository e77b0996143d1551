"""Whatever somebody with the whole database does to the audit log, and without the key: it is found, every time."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pepay_core.clock import SystemClock
from pepay_core.domain.ids import MerchantId
from pepay_core.secrets import Vault
from pepay_core.services.attesting import Attesting
from pepay_core.services.recording import Recorder, operator, system
from pepay_core.storage.opening import open_store

COLUMNS = ("seq", "id", "at", "actor_kind", "actor", "merchant", "environment", "action", "subject", "details", "mac")
ENTRIES = 12
KEY = bytes(range(32))


@pytest.fixture(scope="module")
def log(tmp_path_factory, sqlite_template):
    """A log of twelve entries, as the rows of its tables, and a database to put others in."""
    path = tmp_path_factory.mktemp("log") / "pepay.db"
    path.write_bytes(sqlite_template.read_bytes())
    vault = Vault(KEY)

    async def write() -> None:
        async with open_store(f"sqlite:///{path}", SystemClock()) as store:
            recorder = Recorder(SystemClock(), vault)
            for number in range(ENTRIES):
                actor = system("test", MerchantId("mer_1"), livemode=bool(number % 2)) if number % 3 else operator()
                async with store.begin() as tx:
                    await recorder.note(tx, actor, f"thing.{number % 4}", f"thing_{number}", {"number": number})

    asyncio.run(write())
    with contextlib.closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM pepay_audit ORDER BY seq").fetchall()
        head = connection.execute("SELECT sealed FROM pepay_audit_head").fetchone()[0]
    return path, [dict(zip(COLUMNS, row, strict=True)) for row in rows], head


def put(path, rows, head):
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM pepay_audit")
        connection.execute("DELETE FROM pepay_audit_head")
        places = ", ".join("?" for _ in COLUMNS)
        connection.executemany(f"INSERT INTO pepay_audit VALUES ({places})", [[row[name] for name in COLUMNS] for row in rows])
        if head is not None:
            connection.execute("INSERT INTO pepay_audit_head VALUES ('head', ?)", [head])


def verified(path):
    async def work():
        async with open_store(f"sqlite:///{path}", SystemClock()) as store:
            return await Attesting(store, Vault(KEY)).verify()

    return asyncio.run(work())


def altered(value, dice):
    """Return another value of the kind that the column holds, or of any other kind."""
    if isinstance(value, int):
        return dice.choice([value + 1, value - 1, value ^ (1 << dice.randrange(40)), -value or 1, str(value) + "x", 0.5])
    if value is None:
        return dice.choice(["", "live", "mer_2"])
    if isinstance(value, bytes):
        place = dice.randrange(len(value))
        return dice.choice([value[:place] + bytes([value[place] ^ (1 << dice.randrange(8))]) + value[place + 1 :], value[:-1], value + b"\0", b""])
    return dice.choice([value + " ", value[:-1], value.swapcase(), "live" if value == "test" else "key", ""])


def edit(rows, head, dice):
    row = dice.choice(rows)
    name = dice.choice(COLUMNS)
    row[name] = altered(row[name], dice)


def delete(rows, head, dice):
    del rows[dice.randrange(len(rows))]


def truncate(rows, head, dice):
    del rows[dice.randrange(len(rows)) :]


def cut_and_renumber(rows, head, dice):
    del rows[dice.randrange(len(rows))]
    for number, row in enumerate(rows, 1):
        row["seq"] = number


def swap(rows, head, dice):
    one, other = dice.sample(rows, 2)
    one["seq"], other["seq"] = other["seq"], one["seq"]


def swap_parts(rows, head, dice):
    one, other = dice.sample(rows, 2)
    name = dice.choice(["id", "details", "mac", "subject"])
    one[name], other[name] = other[name], one[name]


def insert(rows, head, dice):
    """A copy at the end, before the beginning, or between two that were moved apart."""
    copy = {**dice.choice(rows), "id": f"aud_{dice.getrandbits(60)}"}
    place = dice.randrange(len(rows) + 1)
    for row in rows[place:]:
        row["seq"] += 1
    rows.insert(place, {**copy, "seq": place + 1})


def insert_apart(rows, head, dice):
    rows.append({**dice.choice(rows), "id": "aud_forged", "seq": dice.choice([-1, 0, len(rows) + 5, 2**40])})


def reverse(rows, head, dice):
    for row in rows:
        row["seq"] = len(rows) + 1 - row["seq"]


def break_head(rows, head, dice):
    place = dice.randrange(len(head))
    head[place] ^= 1 << dice.randrange(8)


def empty_all(rows, head, dice):
    rows.clear()
    head.clear()


MUTATIONS = (edit, edit, edit, delete, truncate, cut_and_renumber, swap, swap_parts, insert, insert_apart, reverse, break_head, empty_all)


def test_the_log_is_well_before_anybody_touches_it(log):
    path, rows, head = log
    put(path, rows, head)
    found = verified(path)
    assert (found.entries, found.flaws) == (ENTRIES, ())


@given(mutations=st.lists(st.sampled_from(MUTATIONS), min_size=1, max_size=2), seed=st.integers(0, 2**32))
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_mutation_is_found(log, mutations, seed):
    path, original, sealed = log
    dice = random.Random(seed)
    rows, head = [dict(row) for row in original], bytearray(sealed)
    for mutate in mutations:
        if len(rows) > 1 and head:
            with contextlib.suppress(ValueError):
                mutate(rows, head, dice)
    if rows == original and bytes(head) == sealed:
        return
    try:
        put(path, rows, bytes(head) or None)
    except sqlite3.IntegrityError:
        return  # two of one number or id: the database itself refuses
    if as_stored(path) == [tuple(row[name] for name in COLUMNS) for row in original] and bytes(head) == sealed:
        return
    assert verified(path).flaws != ()


def as_stored(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT {', '.join(COLUMNS)} FROM pepay_audit ORDER BY seq").fetchall()
