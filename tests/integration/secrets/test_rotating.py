"""A master key is replaced, and nothing that was sealed or derived is lost: not for those who run meanwhile, nor for those who come later."""

from __future__ import annotations

import asyncio

import pytest
from strongbox import fill, read, sealed_by

from pepay_core.clock import SystemClock
from pepay_core.domain.errors import ConfigError
from pepay_core.master_keys import EnvSecrets, FileSecrets, encode_key
from pepay_core.secrets import Vault
from pepay_core.services.attesting import Attesting
from pepay_core.services.rotating import plan, rotate, seal_anew
from pepay_core.services.unlocking import KEY_CHECK, close_to_clear, unlock
from pepay_core.storage.repositories.events import event_of

CLOCK = SystemClock()
ROWS = 5


@pytest.fixture
def driver(tmp_path):
    made = FileSecrets(tmp_path / "pepay.key", {})
    made.create()
    return made


@pytest.fixture
async def vault(store, driver):
    made = Vault.of(driver)
    await unlock(store, made)
    await fill(store, made, ROWS)
    return made


async def started(store, driver):
    """Return the vault of a process that starts now."""
    made = Vault.of(driver)
    await unlock(store, made)
    return made


class TestReplacing:
    async def test_everything_opens_with_the_new_key_and_is_sealed_with_no_other(self, store, driver, vault):
        before, derived, old = await read(store, vault), vault.derive("api-keys"), driver.master_key()
        done = await rotate(store, driver, CLOCK)
        assert driver.master_key() != old
        assert (driver.previous_path.stat().st_mode & 0o777, driver.next_path.exists()) == (0o600, False)
        now = await started(store, driver)
        after = await read(store, now)
        assert {place: text for place, text in after.items() if "audit" not in place[0]} == {
            place: text for place, text in before.items() if "audit" not in place[0]
        }
        assert await sealed_by(store) == {now.key_id}
        assert now.derive("api-keys") == derived
        assert sum(done.sealing.records.values()) == len(before)
        assert (await Attesting(store, now).verify()).flaws == ()

    async def test_the_replaced_key_starts_nothing_any_more(self, store, driver, vault):
        old = driver.master_key()
        await rotate(store, driver, CLOCK)
        with pytest.raises(ConfigError, match="not the one"):
            await unlock(store, Vault(old))

    async def test_it_can_be_done_again_and_again(self, store, driver, vault):
        derived = vault.derive("x")
        for _ in range(3):
            await rotate(store, driver, CLOCK)
        now = await started(store, driver)
        assert len(await read(store, now)) > ROWS
        assert now.derive("x") == derived
        async with store.read() as tx:
            assert len(await tx.keyring.all()) == 2

    async def test_it_is_recorded(self, store, driver, vault):
        await rotate(store, driver, CLOCK)
        newest = [each async for each in Attesting(store, await started(store, driver)).newest(1)]
        assert newest[0]["action"] == "secrets.rotated"

    async def test_a_rehearsal_counts_and_changes_nothing(self, store, driver, vault):
        before, key = await read(store, vault), driver.master_key()
        assert sum((await plan(store, driver)).values()) == len(before)
        assert (await read(store, vault), driver.master_key()) == (before, key)
        assert not driver.next_path.exists()

    async def test_what_opens_with_no_key_is_named_and_left(self, store, driver, vault):
        async with store.begin() as tx:
            (record, *_) = await tx.sealed.stale("pepay_endpoint.secret", bytes(9), None, 1)
            await tx.sealed.replace("pepay_endpoint.secret", record, record.sealed[:-1] + bytes([record.sealed[-1] ^ 1]))
        done = await rotate(store, driver, CLOCK)
        assert done.sealing.damaged == (f"pepay_endpoint.secret {record.key}",)

    async def test_two_at_once_make_one_replacement_or_two_and_lose_nothing(self, store, driver, vault):
        before = set(await read(store, vault))
        results = await asyncio.gather(rotate(store, driver, CLOCK), rotate(store, driver, CLOCK), return_exceptions=True)
        assert not [each for each in results if isinstance(each, Exception) and not isinstance(each, ConfigError)]
        now = await started(store, driver)
        assert set(await read(store, now)) >= before
        assert await sealed_by(store) == {now.key_id}

    async def test_what_is_written_meanwhile_is_sealed_anew_as_well(self, store, driver, vault):
        stop = asyncio.Event()

        async def write():
            while not stop.is_set():
                await fill(store, vault, 1)

        writing = asyncio.create_task(write())
        await rotate(store, driver, CLOCK)
        stop.set()
        await writing
        now = await started(store, driver)
        assert await sealed_by(store) == {now.key_id} == {vault.key_id}
        assert len(await read(store, now)) > ROWS


class TestThoseWhoRunMeanwhile:
    async def test_a_running_process_opens_what_the_new_key_sealed_and_seals_with_it(self, store, driver, vault):
        await rotate(store, driver, CLOCK)
        assert len(await read(store, vault)) > ROWS
        assert vault.key_id == (await started(store, driver)).key_id

    async def test_what_a_process_that_knows_nothing_of_it_sealed_still_opens(self, store, driver, vault):
        old = Vault(driver.master_key(), root=vault.root)
        await rotate(store, driver, CLOCK)
        sealed = old.seal("p", "r", b"late")
        driver.previous_path.unlink()
        assert (await started(store, driver)).open("p", "r", sealed) == b"late"

    async def test_a_key_file_that_somebody_exchanged_is_not_taken_up(self, store, driver, vault):
        before = vault.key_id
        driver.path.unlink()
        driver.create()
        assert vault.key_id == before
        assert Vault(driver.master_key()).key_id != before
        assert vault.open("p", "r", vault.seal("p", "r", b"x")) == b"x"
        assert vault.key_id == before
        with pytest.raises(ConfigError, match="not the one"):
            await started(store, driver)


class TestOlderDatabases:
    async def test_what_was_derived_from_the_master_key_stays_as_it_was(self, store, driver):
        first = Vault(driver.master_key())
        async with store.begin() as tx:
            await tx.facts.put(KEY_CHECK, first.key_check())
        assert (await started(store, driver)).derive("client-token") == first.derive("client-token")
        await rotate(store, driver, CLOCK)
        assert (await started(store, driver)).derive("client-token") == first.derive("client-token")

    async def test_a_new_database_derives_nothing_from_the_master_key(self, store, driver, vault):
        assert vault.derive("client-token") != Vault(driver.master_key()).derive("client-token")

    async def test_another_key_is_refused(self, store, driver):
        async with store.begin() as tx:
            await tx.facts.put(KEY_CHECK, Vault(bytes(32)).key_check())
        with pytest.raises(ConfigError, match="not the one"):
            await started(store, driver)

    async def test_a_backup_from_before_the_replacement_opens_with_the_key_that_was_kept(self, store, driver, vault):
        async with store.read() as tx:
            keyring = await tx.keyring.all()
            check = await tx.facts.get(KEY_CHECK)
        before = await read(store, vault)
        driver.prepare()
        driver.switch()  # only the key was replaced: the database is the one of before
        now = await started(store, driver)
        assert await read(store, now) == before
        assert (await rotate(store, driver, CLOCK)).resumed
        async with store.read() as tx:
            assert await tx.keyring.all() != keyring
            assert await tx.facts.get(KEY_CHECK) != check

    async def test_what_stood_in_clear_is_sealed(self, store, driver, vault):
        async with store.begin() as tx:
            invoice = (await tx.facts._raw("SELECT id FROM pepay_invoice LIMIT 1"))[0]["id"]
            event = (await tx.facts._raw("SELECT id FROM pepay_event LIMIT 1"))[0]["id"]
            await tx.facts._raw("UPDATE pepay_invoice SET customer = NULL, customer_email = 'anna@example.com' WHERE id = {}", invoice)
            await tx.facts._raw("UPDATE pepay_event SET body = {} WHERE id = {}", b'{"a":1}', event)
        vault.unlock(vault.root, refuses_clear=False)  # as in a database that an older version has written
        done = await seal_anew(store, vault)
        assert (done.clear, done.damaged) == (2, ())
        found = await read(store, vault)
        assert found["pepay_invoice.customer", invoice] == b"anna@example.com"
        assert b'{"a":1}' in found.values()
        async with store.read() as tx:
            assert await tx.facts._raw("SELECT id FROM pepay_invoice WHERE customer_email IS NOT NULL") == []
        assert (await seal_anew(store, vault)).clear == 0

    async def test_once_all_is_sealed_a_value_in_clear_is_refused_and_never_sealed(self, store, driver, vault):
        vault.unlock(vault.root, refuses_clear=False)
        await store.run(lambda tx: close_to_clear(tx, vault))
        async with store.begin() as tx:
            invoice = (await tx.facts._raw("SELECT id FROM pepay_invoice LIMIT 1"))[0]["id"]
            event = (await tx.facts._raw("SELECT id FROM pepay_event LIMIT 1"))[0]["id"]
            await tx.facts._raw("UPDATE pepay_invoice SET customer = NULL, customer_email = 'eve@example.com' WHERE id = {}", invoice)
            await tx.facts._raw("UPDATE pepay_event SET body = {} WHERE id = {}", b'{"a":1}', event)
            await tx.facts._raw("DELETE FROM pepay_fact")
        for done in (await seal_anew(store, vault), (await rotate(store, driver, CLOCK)).sealing):
            assert (done.clear, len(done.damaged)) == (0, 2)
        restarted = await started(store, driver)
        assert restarted.refuses_clear
        async with store.read() as tx:
            with pytest.raises(ConfigError, match="customer stands in clear"):
                await tx.invoices.find(invoice)
            with pytest.raises(ConfigError, match="event-body stands in clear"):
                event_of((await tx.facts._raw("SELECT * FROM pepay_event WHERE id = {}", event))[0], restarted)

    async def test_a_wallet_that_was_planted_in_clear_is_refused_until_the_end_of_time(self, store, driver, vault):
        async with store.begin() as tx:
            row = (await tx.facts._raw("SELECT id, merchant FROM pepay_wallet LIMIT 1"))[0]
            await tx.facts._raw("UPDATE pepay_wallet SET material = NULL, value = '0xbad' WHERE id = {}", row["id"])
        await rotate(store, driver, CLOCK)
        await started(store, driver)
        async with store.read() as tx:
            with pytest.raises(ConfigError, match="wallet stands in clear"):
                await tx.wallets.get(row["merchant"], row["id"])

    async def test_where_webhooks_go_cannot_be_planted_in_clear(self, store, driver, vault):
        async with store.begin() as tx:
            row = (await tx.facts._raw("SELECT id FROM pepay_endpoint LIMIT 1"))[0]["id"]
            sql = "UPDATE pepay_endpoint SET target = NULL, url = 'https://evil.example/', events = {} WHERE id = {}"
            await tx.facts._raw(sql, '["*"]', row)
        async with store.read() as tx:
            assert (await tx.endpoints.find(row)).url == ""


class TestTheEnvironment:
    KEY, NEW = bytes(range(32)), bytes(reversed(range(32)))

    def driver(self, tmp_path, **keys):
        return EnvSecrets(tmp_path, {name: encode_key(key) for name, key in keys.items()})

    async def test_it_says_what_to_set(self, store, tmp_path):
        driver = self.driver(tmp_path, PEPAY_MASTER_KEY=self.KEY)
        await fill(store, await started(store, driver), 1)
        with pytest.raises(ConfigError, match="already") as caught:
            await rotate(store, driver, CLOCK)
        assert "PEPAY_MASTER_KEY_PREVIOUS" in (caught.value.hint or "")

    async def test_a_server_with_both_keys_starts_and_the_replacement_ends_it(self, store, tmp_path):
        old = await started(store, self.driver(tmp_path, PEPAY_MASTER_KEY=self.KEY))
        await fill(store, old, ROWS)
        both = self.driver(tmp_path, PEPAY_MASTER_KEY=self.NEW, PEPAY_MASTER_KEY_PREVIOUS=self.KEY)
        server = await started(store, both)
        assert server.derive("x") == old.derive("x")
        await rotate(store, both, CLOCK)
        alone = await started(store, self.driver(tmp_path, PEPAY_MASTER_KEY=self.NEW))
        assert len(await read(store, alone)) > ROWS
        assert await sealed_by(store) == {alone.key_id}
        with pytest.raises(ConfigError, match="not the one"):
            await started(store, self.driver(tmp_path, PEPAY_MASTER_KEY=self.KEY))


async def test_a_record_opens_in_no_other_row_and_no_other_column(store, vault):
    """Through the real tables: each record is put in the place of another, in its own column and in every other."""
    records = []
    async with store.read() as tx:
        for place in tx.sealed.places:
            records += [(place, each) for each in await tx.sealed.stale(place, bytes(9), None, 2)]
    assert len({place for place, _ in records}) == len(set(tx.sealed.places))
    accepted = []
    for place, there in records:
        for other, moved in records:
            if (place, there.key) == (other, moved.key):
                continue
            try:
                vault.open(there.purpose, there.row, moved.sealed)
            except ConfigError:
                continue
            accepted.append((other, moved.key, place, there.key))
    assert accepted == []
