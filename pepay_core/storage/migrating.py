"""Bringing the database to the state that the code needs: core first, then each plugin on its own."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.errors import ConfigError
from pepay_core.storage.opening import open_database, sqlite_path
from pepay_core.storage.sessions import Statistics, unit_of_work

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from piccolo.conf.apps import AppConfig

    from pepay_core.storage.sessions import Database, Session

_CORE: Final = "pepay_core.storage.piccolo_app"
_CORE_NAME: Final = "pepay"

# Any number that nobody else locks: processes that start together wait for each other here.
_LOCK: Final = 0x70657061


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What was done: the migrations applied per app, and per plugin why it could not be migrated."""

    applied: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)


async def migrate(url: str, plugin_apps: Mapping[str, str] | None = None) -> MigrationReport:
    """Bring the database to the state that the code needs; ``plugin_apps`` leads from a plugin's name to the module of its Piccolo app.

    All of core is migrated or nothing, and then each plugin in the same way. Several processes may do this at once.
    Raises ConfigError when core cannot be migrated, or was migrated by a newer version; a plugin's failure is reported.
    """
    applied: dict[str, tuple[str, ...]] = {}
    failed: dict[str, str] = {}
    async with open_database(url, connections=1) as database:
        applied[_CORE_NAME] = await _forwards(database, _App.load(_CORE_NAME, _CORE))
        await _mend_order_of_events(database)
        for plugin, module in (plugin_apps or {}).items():
            try:
                applied[plugin] = await _forwards(database, _App.load(_prefix(plugin), module))
            except Exception as exc:  # noqa: BLE001 - a plugin costs itself only, whatever its migration does
                failed[plugin] = f"{type(exc).__name__}: {exc}" if not isinstance(exc, ConfigError) else exc.message
    return MigrationReport(applied, failed)


async def pending(url: str, plugin_apps: Mapping[str, str] | None = None) -> list[str]:
    """Return what ``migrate`` would apply, as ``app: migration``; raises ConfigError as it does."""
    apps = [_App.load(_CORE_NAME, _CORE), *(_App.load(_prefix(plugin), module) for plugin, module in (plugin_apps or {}).items())]
    if _is_missing_file(url):
        return [f"{app.name}: {each}" for app in apps for each in app.migrations]
    async with open_database(url, connections=1) as database, unit_of_work(database, Statistics(), readonly=True) as session:
        return [f"{app.name}: {each}" for app in apps for each in await _missing(session, app)]


async def insist_migrated(url: str, name: str, plugin_apps: Mapping[str, str] | None = None) -> None:
    """Raise ConfigError for a database that is in use and behind the code; ``name`` is what it is called to people."""
    if await is_empty(url):
        return
    if behind := await pending(url, plugin_apps):
        shown = ", ".join(behind[:3]) + (f" and {len(behind) - 3} more" if len(behind) > 3 else "")
        raise ConfigError(f"the database {name} is behind the code: {shown}", hint="back it up, then run `pepay migrate`")


async def is_empty(url: str) -> bool:
    """Tell whether PePay has never been in this database."""
    if _is_missing_file(url):
        return True
    async with open_database(url, connections=1) as database, unit_of_work(database, Statistics(), readonly=True) as session:
        return not await _applied(session, _CORE_NAME)


@dataclass(frozen=True, slots=True)
class _App:
    """A Piccolo app whose migrations are known to be its own."""

    name: str
    migrations: Mapping[str, Path]

    @classmethod
    def load(cls, name: str, module: str) -> _App:
        """Import an app and check it: two files of one name, or another app's tables, would run the wrong migration."""
        config: AppConfig = importlib.import_module(module).APP_CONFIG
        if config.app_name != name:
            raise ConfigError(f"the Piccolo app {module} is called {config.app_name!r}", hint=f"call it {name!r}, as the plugin is called")
        for table in config.table_classes:
            _insist_on_prefix(name, table._meta.tablename)  # noqa: SLF001 - how Piccolo names it
        migrations: dict[str, Path] = {}
        for path in sorted(Path(config.resolved_migrations_folder_path).glob("*.py")):
            if path.name == "__init__.py":
                continue
            if not path.name.startswith(f"{name}_"):
                raise ConfigError(f"the migration {path.name} of {name} has another app's name", hint=f"rename it to {name}_{path.name}")
            migration = _import(path)
            identity = getattr(migration, "ID", None)
            if not isinstance(identity, str) or identity in migrations:
                raise ConfigError(f"the migration {path.name} of {name} has no ID of its own", hint="make migrations with `piccolo migrations new`")
            migrations[identity] = path
        return cls(name, dict(sorted(migrations.items())))


def _import(path: Path) -> ModuleType:
    # By its place, not by its bare name, under which another app's file may be known already.
    name = f"_pepay_migrations.{path.stem}_{abs(hash(str(path)))}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]


async def _forwards(database: Database, app: _App) -> tuple[str, ...]:
    async with unit_of_work(database, Statistics(), readonly=True) as session:
        if not await _missing(session, app):
            return ()
    async with unit_of_work(database, Statistics(), readonly=False) as session:
        if session.postgres:
            await session.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        missing = await _missing(session, app)
        for identity in missing:
            await _run(app, identity)
        return tuple(missing)


async def _run(app: _App, identity: str) -> None:
    from piccolo.apps.migrations.auto.migration_manager import MigrationManager
    from piccolo.apps.migrations.tables import Migration

    with contextlib.redirect_stdout(io.StringIO()):
        if not await Migration.table_exists():
            await Migration.create_table()
        manager: Any = await _import(app.migrations[identity]).forwards()
        if isinstance(manager, MigrationManager):
            for table in manager.add_tables:
                _insist_on_prefix(app.name, table.tablename)
            await manager.run()
        await Migration.insert(Migration(name=identity, app_name=app.name))


async def _missing(session: Session, app: _App) -> list[str]:
    """Return what is still to be applied; raises ConfigError when something was applied that the code does not know."""
    applied = await _applied(session, app.name)
    unknown = sorted(applied - set(app.migrations))
    if unknown:
        raise ConfigError(
            f"the database was migrated by a newer version of {app.name}: {unknown[0]}",
            hint="upgrade PePay and its plugins, or restore the backup that was made before the upgrade",
        )
    return [each for each in app.migrations if each not in applied]


async def _applied(session: Session, app: str) -> set[str]:
    exists = "SELECT to_regclass('migration') AS name" if session.postgres else "SELECT MAX(name) AS name FROM sqlite_master WHERE name = 'migration'"
    if (await session.execute(exists))[0]["name"] is None:
        return set()
    place = "$1" if session.postgres else "?"
    return {row["name"] for row in await session.execute(f"SELECT name FROM migration WHERE app_name = {place}", [app])}  # noqa: S608


async def _mend_order_of_events(database: Database) -> None:
    """Put events that came with a restored dump before all that this server will write.

    They carry the transaction numbers of the server that wrote them, which here may lie in the future: readers would wait for them.
    """
    if database.dialect != "postgres":
        return
    async with unit_of_work(database, Statistics(), readonly=False) as session:
        foreign = "SELECT 1 AS found FROM pepay_event WHERE xid > pg_current_xact_id() LIMIT 1"
        if await session.execute(foreign):
            await session.execute("UPDATE pepay_event SET xid = '0'")


def _prefix(plugin: str) -> str:
    return plugin.replace("-", "_")


def _insist_on_prefix(app: str, table: str) -> None:
    if not table.startswith(f"{app}_"):
        raise ConfigError(f"{app} may not have a table {table!r}", hint=f"begin its name with {app}_")


def _is_missing_file(url: str) -> bool:
    return url.startswith("sqlite:") and not sqlite_path(url).exists()
