"""Migrations bring any database to the same schema, once, and refuse what they do not understand."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap

import pytest
from piccolo.apps.migrations.tables import Migration

from pepay_core.clock import SystemClock
from pepay_core.domain.errors import ConfigError
from pepay_core.secrets import Vault
from pepay_core.storage.allowing import TABLE as ALLOWANCES
from pepay_core.storage.migrating import is_empty, migrate, pending
from pepay_core.storage.opening import open_database, open_store
from pepay_core.storage.sessions import Statistics, unit_of_work
from pepay_core.storage.tables import INDEXES, TABLES

STEPS = (
    "2026-11-22T08:00:00:000000",
    "2026-11-22T08:00:01:000000",
    "2026-11-26T10:00:00:000000",
    "2026-11-26T10:00:01:000000",
    "2026-11-26T11:00:00:000000",
    "2026-11-26T11:00:01:000000",
    "2026-11-26T12:00:00:000000",
    "2026-11-26T20:00:00:000000",
    "2026-11-26T20:00:01:000000",
    "2026-11-26T21:00:00:000000",
    "2026-11-26T22:00:00:000000",
    "2026-11-26T22:00:01:000000",
    "2026-11-26T22:10:00:000000",
    "2026-11-26T22:20:00:000000",
    "2026-11-26T23:00:00:000000",
    "2026-11-26T23:00:01:000000",
    "2026-11-26T23:01:00:000000",
    "2026-11-26T23:02:00:000000",
    "2026-11-27T00:00:00:000000",
    "2026-11-27T01:00:00:000000",
    "2026-11-27T03:00:00:000000",
    "2026-11-27T03:00:01:000000",
    "2026-11-27T04:00:00:000000",
    "2026-11-27T05:00:00:000000",
    "2026-11-27T05:00:01:000000",
)


async def columns(url, *, prefix="pepay_"):
    """Every column of our tables: type, whether it may be missing, default, key."""
    async with open_database(url) as database, unit_of_work(database, Statistics(), readonly=True) as session:
        if session.postgres:
            rows = await session.execute(
                "SELECT table_name, column_name, data_type, numeric_precision, is_nullable, column_default, collation_name "
                "FROM information_schema.columns WHERE table_schema = 'public'"
            )
            found = {(row.pop("table_name"), row.pop("column_name")): tuple(row.values()) for row in rows}
            rows = await session.execute(
                "SELECT conrelid::regclass::text AS t, contype::text AS k, pg_get_constraintdef(oid) AS d FROM pg_constraint "
                "WHERE connamespace = 'public'::regnamespace AND contype <> 'n'"
            )
            constraints = {(row["t"], row["k"], row["d"]) for row in rows}
        else:
            tables = await session.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name LIKE 'pepay%' OR name LIKE 'test%'")
            found = {}
            for table in tables:
                for row in await session.execute(f"PRAGMA table_info({table['name']})"):
                    row.pop("cid")
                    found[table["name"], row.pop("name")] = tuple(row.values())
            constraints = set()
            for table in tables:
                for row in await session.execute(f"PRAGMA foreign_key_list({table['name']})"):
                    constraints.add((table["name"], row["from"], row["table"], row["to"], row["on_delete"]))
                constraints |= {(table["name"], "check", part.split(")")[0]) for part in table["sql"].split("CHECK (")[1:]}
    keep = {key: value for key, value in found.items() if key[0].startswith(prefix)}
    return keep, {each for each in constraints if each[0].startswith(prefix)}


async def indexes(url):
    async with open_database(url) as database, unit_of_work(database, Statistics(), readonly=True) as session:
        if session.postgres:
            rows = await session.execute("SELECT indexname AS name, indexdef AS sql FROM pg_indexes WHERE schemaname = 'public'")
        else:
            rows = await session.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'")
    return {row["name"]: row["sql"] for row in rows}


async def test_a_new_database_is_empty_until_it_is_migrated(new_database_url):
    assert await is_empty(new_database_url)
    assert await pending(new_database_url) == [f"pepay: {step}" for step in STEPS]
    report = await migrate(new_database_url)
    assert (report.applied, report.failed) == ({"pepay": STEPS}, {})
    assert not await is_empty(new_database_url)
    assert await pending(new_database_url) == []
    assert (await migrate(new_database_url)).applied == {"pepay": ()}


async def test_migrating_says_nothing(new_database_url, capfd):
    await migrate(new_database_url)
    assert capfd.readouterr() == ("", "")


async def test_the_migrations_make_the_tables_that_the_code_has(new_database_url, database_url):
    async with open_database(new_database_url) as database, unit_of_work(database, Statistics(), readonly=False) as session:
        for table in TABLES:
            await table.create_table()
        if session.postgres:
            for table in ("pepay_event", "pepay_destination"):
                await session.execute(f"ALTER TABLE {table} ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id()")
            await session.execute(ALLOWANCES)
    assert await columns(database_url) == await columns(new_database_url)


async def test_the_migrations_make_the_indexes_that_the_code_has(new_database_url, database_url):
    async with open_database(new_database_url) as database, unit_of_work(database, Statistics(), readonly=False) as session:
        for table in TABLES:
            await table.create_table()
        for index in INDEXES:
            await session.execute(index.ddl)
    expected, found = await indexes(new_database_url), await indexes(database_url)
    ours = {index.name for index in INDEXES}
    assert {name: found[name] for name in ours} == {name: expected[name] for name in ours}
    extra = {name for name in found if name.startswith("pepay_")} - set(expected)
    assert extra <= {"pepay_allowance_pkey", "pepay_event_order", "pepay_event_xid", "pepay_destination_xid"}


async def test_amounts_are_never_in_a_column_that_rounds(database_url):
    found, _ = await columns(database_url)
    kinds = " ".join(str(value[0]).upper() for value in found.values())
    for kind in ("REAL", "FLOAT", "DOUBLE", "MONEY"):
        assert kind not in kinds


async def test_processes_that_start_together_migrate_once(new_database_url):
    code = "import asyncio, sys; from pepay_core.storage.migrating import migrate; print(len(asyncio.run(migrate(sys.argv[1])).applied['pepay']))"

    def start():
        return subprocess.run([sys.executable, "-c", code, new_database_url], capture_output=True, text=True, check=False)

    done = await asyncio.gather(*(asyncio.to_thread(start) for _ in range(3)))
    assert [each.returncode for each in done] == [0, 0, 0], done
    assert sorted(each.stdout.strip() for each in done) == ["0", "0", str(len(STEPS))]
    assert await pending(new_database_url) == []


async def test_a_database_of_a_newer_version_is_refused(database_url):
    async with open_database(database_url) as database, unit_of_work(database, Statistics(), readonly=False):
        await Migration.insert(Migration(name="2099-01-01T00:00:00:000000", app_name="pepay"))
    for look in (migrate, pending):
        with pytest.raises(ConfigError, match="newer version") as caught:
            await look(database_url)
        assert "upgrade" in caught.value.hint


async def test_a_failing_step_leaves_nothing_of_it_behind(new_database_url, plugin):
    plugin("acme", steps={"acme_1": ("1", 'await run("CREATE TABLE acme_one (id int)"); raise ValueError("no")')})
    report = await migrate(new_database_url, {"acme": "acme.piccolo_app"})
    assert report.failed == {"acme": "ValueError: no"}
    assert report.applied == {"pepay": STEPS}
    assert not [key for key in (await columns(new_database_url, prefix="acme"))[0] if key[0].startswith("acme")]


async def test_plugins_are_migrated_each_on_its_own(new_database_url, plugin):
    plugin("acme", steps={"acme_1": ("1", 'await run("CREATE TABLE acme_one (id int)")')})
    plugin("bad_one", steps={"bad_one_1": ("1", 'await run("CREATE TABLE broken (")')})
    plugin("zeta", steps={"zeta_1": ("1", 'await run("CREATE TABLE zeta_one (id int)")')})
    apps = {"acme": "acme.piccolo_app", "bad-one": "bad_one.piccolo_app", "missing": "missing.piccolo_app", "zeta": "zeta.piccolo_app"}
    report = await migrate(new_database_url, apps)
    assert report.applied == {"pepay": STEPS, "acme": ("1",), "zeta": ("1",)}
    assert set(report.failed) == {"bad-one", "missing"}
    assert "missing" in report.failed["missing"]
    assert await pending(new_database_url, {"acme": "acme.piccolo_app"}) == []
    assert await pending(new_database_url, {"bad-one": "bad_one.piccolo_app"}) == ["bad_one: 1"]


@pytest.mark.parametrize(
    ("app", "steps", "reason"),
    [
        ("acme", {"step_1": ("1", "pass")}, "another app's name"),
        ("acme", {"acme_1": ("1", "pass"), "acme_2": ("1", "pass")}, "no ID of its own"),
        ("other", {"acme_1": ("1", "pass")}, "is called 'other'"),
        ("acme", {"acme_1": ("1", 'manager.add_table("Stolen", "pepay_stolen")')}, "may not have a table 'pepay_stolen'"),
    ],
)
async def test_a_plugin_whose_migrations_could_be_taken_for_anothers_is_refused(new_database_url, plugin, app, steps, reason):
    plugin("acme", app=app, steps=steps)
    report = await migrate(new_database_url, {"acme": "acme.piccolo_app"})
    assert reason in report.failed["acme"]


async def test_equal_file_names_of_two_plugins_are_two_migrations(new_database_url, plugin):
    plugin("acme", steps={"acme_x_1": ("1", 'await run("CREATE TABLE acme_one (id int)")')})
    plugin("acme_x", steps={"acme_x_1": ("1", 'await run("CREATE TABLE acme_x_one (id int)")')})
    report = await migrate(new_database_url, {"acme": "acme.piccolo_app", "acme-x": "acme_x.piccolo_app"})
    assert report.failed == {}
    async with open_database(new_database_url) as database, unit_of_work(database, Statistics(), readonly=True) as session:
        await session.execute("SELECT * FROM acme_one")
        await session.execute("SELECT * FROM acme_x_one")


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
async def test_events_of_a_restored_dump_come_before_what_this_server_writes(database_url, samples):
    """They carry the transaction numbers of another server, which may lie in this one's future."""
    merchant = samples.merchant()
    old, new = [samples.event(merchant) for _ in range(3)], samples.event(merchant)
    async with open_store(database_url, SystemClock()) as store:
        store.use(Vault(bytes(range(32))))
        async with store.begin() as tx:
            await tx.merchants.add(merchant)
            for event in old:
                await tx.events.add(event)
        async with unit_of_work(store.database, Statistics(), readonly=False) as session:
            await session.execute("UPDATE pepay_event SET xid = (pg_current_xact_id()::text::bigint + 1000000 - seq)::text::xid8")
    await migrate(database_url)
    async with open_store(database_url, SystemClock()) as store:
        store.use(Vault(bytes(range(32))))
        async with store.begin() as tx:
            await tx.events.add(new)
        async with store.read() as tx:
            from pepay_core.services.paging import Page

            found = await tx.events.page(merchant.id, livemode=False, page=Page())
    assert list(found.items) == [*old, new]


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Write a package with a Piccolo app; each step is an ID and what it does."""

    def write(package, *, steps, app=None):
        folder = tmp_path / package
        (folder / "migrations").mkdir(parents=True)
        (folder / "__init__.py").touch()
        (folder / "piccolo_app.py").write_text(
            "from pathlib import Path\nfrom piccolo.conf.apps import AppConfig\n"
            f"APP_CONFIG = AppConfig(app_name={app or package!r}, migrations_folder_path=Path(__file__).parent / 'migrations')\n"
        )
        for name, (identity, act) in steps.items():
            source = f"""
                from piccolo.apps.migrations.auto.migration_manager import MigrationManager
                from piccolo.engine import engine_finder

                ID = {identity!r}

                async def forwards():
                    manager = MigrationManager(migration_id=ID, app_name={app or package!r})
                    run = engine_finder().run_ddl
                    {act}
                    return manager
            """
            (folder / "migrations" / f"{name}.py").write_text(textwrap.dedent(source))

    monkeypatch.syspath_prepend(tmp_path)
    yield write
    for name in list(sys.modules):
        if name.split(".")[0] in {"acme", "acme_x", "bad_one", "zeta"}:
            del sys.modules[name]
