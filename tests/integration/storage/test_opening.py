"""A database that cannot be used says why, and never the password."""

from __future__ import annotations

import sqlite3

import pytest

from pepay_core.clock import SystemClock
from pepay_core.domain.errors import ConfigError, StorageUnavailable
from pepay_core.storage import sqlite
from pepay_core.storage.checking import integrity
from pepay_core.storage.migrating import migrate
from pepay_core.storage.opening import open_store
from pepay_core.storage.sessions import Statistics, unit_of_work


async def opened(url):
    async with open_store(url, SystemClock()) as store:
        await store.health()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mysql://user:hunter2@host/db",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///no/such/folder/pepay.db",
        "sqlite:////",
        "sqlite:////proc/version",
        "postgres://user:hunter2@host:notaport/db",
        "postgresql://user:hunter2@/db?sslmode=nonsense",
    ],
)
async def test_a_url_that_leads_nowhere_is_explained(url):
    with pytest.raises(ConfigError) as caught:
        await opened(url)
    assert caught.value.hint
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None or "hunter2" not in str(caught.value.__cause__)


async def test_a_server_that_does_not_answer_is_unavailable():
    with pytest.raises(StorageUnavailable) as caught:
        await opened("postgres://user:hunter2@127.0.0.1:1/db")
    assert "127.0.0.1:1/db" in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_a_database_that_does_not_exist_on_the_server_is_explained(postgres):
    with pytest.raises(ConfigError, match="nowhere"):
        await opened(postgres.url("nowhere"))


async def test_a_file_that_is_no_database_is_explained(tmp_path):
    path = tmp_path / "text.db"
    path.write_text("this is a letter, and no database" * 100)
    with pytest.raises(ConfigError, match="cannot be opened"):
        await opened(f"sqlite:///{path}")


async def test_a_relative_path_starts_at_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    await migrate("sqlite:///here.db")
    assert (tmp_path / "here.db").exists()


async def test_every_connection_to_a_file_is_durable_and_checks_references(tmp_path):
    url = f"sqlite:///{tmp_path / 'pepay.db'}"
    async with open_store(url, SystemClock()) as store:
        for readonly in (False, True):
            async with unit_of_work(store.database, Statistics(), readonly=readonly) as session:
                found = {}
                for name in ("journal_mode", "synchronous", "foreign_keys", "query_only"):
                    found.update((await session.execute(f"PRAGMA {name}"))[0])
                assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "query_only": int(readonly)}


async def test_a_writer_that_another_process_keeps_waiting_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "_BUSY_MS", 50)
    path = tmp_path / "pepay.db"
    await migrate(f"sqlite:///{path}")
    other = sqlite3.connect(path, isolation_level=None)
    async with open_store(f"sqlite:///{path}", SystemClock()) as store:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable):
            async with store.begin():
                pass
        other.execute("ROLLBACK")
        other.close()
        async with store.begin() as tx:
            assert await tx.merchants.all() == []


async def test_a_ledger_that_does_not_add_up_is_found(store, samples, invoice):
    postings = [samples.posting(invoice) for _ in range(4)]
    async with store.begin() as tx:
        await tx.ledger.post(postings)
    assert await integrity(store) == []
    async with unit_of_work(store.database, Statistics(), readonly=False) as session:
        mark = "'{}'".format
        await session.execute(f"DELETE FROM pepay_entry WHERE side = 'in' AND posting = {mark(postings[0].id)}")
        await session.execute(f"UPDATE pepay_entry SET asset = 'other' WHERE side = 'in' AND posting = {mark(postings[1].id)}")
        one = "1" if session.postgres else f"'{1:078d}'"
        await session.execute(f"UPDATE pepay_entry SET units = {one} WHERE side = 'in' AND posting = {mark(postings[2].id)}")
    assert await integrity(store) == [f"the entries of the posting {posting.id} do not sum to zero" for posting in postings[:3]]


async def test_creating_and_showing_an_invoice_costs_few_statements(store, samples, merchant):
    wallet = samples.wallet(merchant)
    invoice = samples.invoice(merchant)
    async with store.begin() as tx:
        await tx.wallets.add(wallet)
    before = store.statistics.statements
    async with store.begin() as tx:
        await tx.invoices.add(invoice)
        await tx.events.add(samples.event(merchant))
        await tx.endpoints.active(merchant.id, livemode=False)
    assert store.statistics.statements - before <= 4
    before = store.statistics.statements
    async with store.read() as tx:
        await tx.invoices.get(merchant.id, invoice.id, livemode=False)
        await tx.destinations.of([invoice.id])
        await tx.quotes.of([invoice.id])
        await tx.payments.of([invoice.id])
    assert store.statistics.statements - before == 4
