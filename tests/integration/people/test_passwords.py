"""A password is checked at the same cost whoever asks, and guessing gets slower."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import pytest
from databases import both

from pepay_core import passwords
from pepay_core.domain.errors import Conflict, InvalidInput, RateLimited, SignInFailed, Unavailable
from pepay_core.passwords import Passwords

PASSWORD = "correct horse battery"


@pytest.fixture
def hasher():
    made = Passwords()
    yield made
    made.close()


async def test_a_password_is_hashed_with_argon2id_as_is_recommended(hasher):
    encoded = await hasher.hash(PASSWORD)

    assert encoded.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await hasher.check(encoded, PASSWORD)).right
    assert not (await hasher.check(encoded, PASSWORD + ".")).right
    assert await hasher.hash(PASSWORD) != encoded


async def test_a_letter_is_the_same_however_a_keyboard_composes_it(hasher):
    assert (await hasher.check(await hasher.hash("gr\u00fc\u00dfe aus berlin"), "gru\u0308\u00dfe aus berlin")).right


async def test_a_password_of_another_length_is_refused(world):
    for password in ["", "a" * 11, "a" * 1025]:
        with pytest.raises(InvalidInput):
            await world.people.accounts.prepare(password)


async def test_a_password_of_any_characters_is_taken(world):
    for number, password in enumerate(["a" * 12, "a" * 1024, "\ud800" * 12, "\0" * 12]):
        prepared = await world.people.accounts.prepare(password)
        await world.store.run(lambda tx, number=number, made=prepared: world.people.accounts.create(tx, f"{number}@example.com", made))

        assert await world.signed_in(f"{number}@example.com", password)


@both
async def test_a_hash_with_weaker_parameters_is_renewed_by_the_next_sign_in(world):
    from argon2 import PasswordHasher

    from pepay_core.services.people.accounts import NewPassword

    weak = NewPassword(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD))
    await world.store.run(lambda tx: world.people.accounts.create(tx, "ada@example.com", weak))

    found, token = await world.signed_in()

    renewed = await world.people.accounts.by_email("ada@example.com")
    assert renewed.password != found.user.password or renewed == found.user
    encoded = world.people.accounts._vault.open("user-password", renewed.id, renewed.password).decode()
    assert "m=19456,t=2,p=1" in encoded
    assert await world.people.sessions.find(token)
    assert await world.signed_in()


@both
async def test_every_refusal_is_the_same_error_after_the_same_work(world):
    """Work is counted and not time: hashes, statements and commits."""
    await world.user()
    await world.people.accounts.suspend((await world.user("gone@example.com")).id, by=world.by)
    with pytest.raises(SignInFailed):
        await world.signed_in("warm@example.com", "the decoy is made once")
    seen = []
    for email, password in [("ada@example.com", "wrong horse battery"), ("nobody@example.com", PASSWORD), ("gone@example.com", PASSWORD)]:
        before = (world.people.passwords.checks, world.store.statistics.statements, world.store.statistics.commits)
        with pytest.raises(SignInFailed) as caught:
            await world.signed_in(email, password)
        after = (world.people.passwords.checks, world.store.statistics.statements, world.store.statistics.commits)
        seen.append((str(caught.value), caught.value.code, *(now - then for now, then in zip(after, before, strict=True))))

    assert seen == [seen[0]] * 3
    assert seen[0][2] == 1


@both
async def test_an_address_is_one_account_however_its_letters_are_written(world):
    await world.user("Ada@Example.COM")

    assert (await world.signed_in(" ada@example.com "))[0]
    assert world.people.accounts.email_of(await world.people.accounts.by_email("ADA@EXAMPLE.COM")) == "Ada@example.com"
    with pytest.raises(Conflict):
        await world.user("aDA@example.com")


@both
async def test_of_many_who_register_an_address_at_once_one_does(world):
    await world.user("first@example.com")
    made = await asyncio.gather(*(world.user() for _ in range(10)), return_exceptions=True)

    assert sum(isinstance(each, Conflict) for each in made) == 9


async def test_what_is_no_address_is_refused(world):
    for email in ["", "ada", "@example.com", "ada@", "a b@example.com", "a@b@c", "ada@example..com", "ada\n@example.com", "a" * 250 + "@b.cc"]:
        with pytest.raises(InvalidInput):
            await world.user(email)


class TestGuessing:
    async def guess(self, world, email="ada@example.com", address=None):
        with pytest.raises((SignInFailed, RateLimited)) as caught:
            await world.signed_in(email, "wrong horse battery", address=address)
        return getattr(caught.value, "retry_after", 0)

    @pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"])
    async def test_an_account_that_is_guessed_at_answers_ever_more_slowly_whether_it_exists_or_not(self, world, email):
        await world.user()
        waits = []
        for _ in range(5 + 8):
            assert await self.guess(world, email) == 0
            waits.append(await self.guess(world, email) if len(waits) >= 5 else 0)
            world.clock.jump(timedelta(seconds=waits[-1]))

        assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]

    async def test_its_owner_is_never_locked_out_for_longer_than_a_minute(self, world):
        await world.user()
        for _ in range(20):
            world.clock.jump(timedelta(seconds=60))
            await self.guess(world)
        world.clock.jump(timedelta(seconds=60))

        assert (await world.signed_in())[0]
        assert await self.guess(world) == 0
        assert await self.guess(world) == 0

    @both
    async def test_of_guesses_that_come_at_once_no_more_are_looked_at_than_one_after_the_other(self, world):
        await world.user()
        before = world.people.passwords.checks

        results = await asyncio.gather(*(self.guess(world) for _ in range(30)))

        assert world.people.passwords.checks - before == 6
        assert sorted(results) == [0] * 6 + [1] * 24

    async def test_an_address_that_guesses_at_many_accounts_is_slowed_down(self, world):
        await world.user()
        for number in range(21):
            assert await self.guess(world, f"user{number}@example.com", "2001:db8:1:2::1") == 0

        with pytest.raises(RateLimited):
            await world.signed_in(address="2001:db8:1:2::ffff")
        assert await world.signed_in(address="2001:db8:1:3::1")

    async def test_an_account_of_ones_own_does_not_wash_an_address_clean(self, world):
        await world.user("mine@example.com")
        looked_at = 0
        for number in range(25):
            with contextlib.suppress(RateLimited):
                await world.signed_in("mine@example.com", address="203.0.113.9")
            looked_at += await self.guess(world, f"user{number}@example.com", "203.0.113.9") == 0

        assert looked_at == 21

    @both
    async def test_tries_are_kept_under_digests_and_forgotten_after_a_day(self, world):
        await world.user()
        await self.guess(world, address="203.0.113.9")
        world.clock.jump(timedelta(days=2))
        await self.guess(world, "eve@example.com")

        from pepay_core.storage.sessions import Statistics, unit_of_work

        async with unit_of_work(world.store.database, Statistics(), readonly=True) as session:
            rows = await session.execute("SELECT name FROM pepay_try")
        assert len(rows) == 1
        assert all(len(row["name"]) == 64 for row in rows)


async def test_a_flood_of_sign_ins_is_turned_away_and_leaves_the_loop_to_others(hasher):
    """While as many passwords as may wait for the threads do, whatever else the loop has to do gets done."""
    encoded = await hasher.hash(PASSWORD)
    flood = [asyncio.ensure_future(hasher.check(encoded, PASSWORD)) for _ in range(passwords._MOST_WAITING + 6)]

    for _ in range(200):
        await asyncio.sleep(0)

    refused = [each for each in flood if each.done() and isinstance(each.exception(), Unavailable)]
    waiting = [each for each in flood if not each.done()]
    assert len(refused) == 6
    assert waiting
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (await hasher.check(encoded, PASSWORD)).right
