"""A session ends when it should, and stays ended."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta

import pytest
from databases import both

from pepay_core.domain.errors import NotFound, SignInFailed, Unauthenticated
from pepay_core.domain.people import Level
from pepay_core.services.people import totp
from pepay_core.services.people.sessions import digest_of
from pepay_core.storage.sessions import Statistics, is_storable, unit_of_work
from pepay_core.storage.tables import TABLES

PASSWORD = "correct horse battery"


@both
async def test_a_right_password_opens_a_session_that_its_token_finds(world):
    user = await world.user()

    found, token = await world.signed_in(address="203.0.113.9", agent="Firefox\n1")

    assert (found.user.id, found.session.level, found.is_full) == (user.id, Level.FULL, True)
    assert (found.session.address, found.session.agent) == ("203.0.113.9", "Firefox?1")
    assert token not in repr(found)
    assert found.is_fresh(world.clock.now())
    world.clock.jump(timedelta(minutes=5, seconds=1))
    assert not found.is_fresh(world.clock.now())


async def test_a_token_that_was_never_given_out_finds_nothing(world):
    for token in ["", "x", "ä" * 43, "\0" * 43, "a" * 42, "a" * 43, "a" * 44, "a" * 100_000]:
        assert await world.people.sessions.find(token) is None
        assert await world.people.sessions.close(token) is False


async def test_a_session_ends_after_half_an_hour_without_a_request(world):
    await world.user()
    _, token = await world.signed_in()
    for _ in range(3):
        world.clock.jump(timedelta(minutes=29, seconds=59))
        assert await world.people.sessions.find(token)
    world.clock.jump(timedelta(minutes=30))

    assert await world.people.sessions.find(token) is None


async def test_a_session_ends_after_twelve_hours_however_busy_it_is(world):
    await world.user()
    _, token = await world.signed_in()
    for _ in range(24 * 2 - 1):
        world.clock.jump(timedelta(minutes=15))
        assert await world.people.sessions.find(token)
    world.clock.jump(timedelta(minutes=15))

    assert await world.people.sessions.find(token) is None


@both
async def test_a_request_within_the_same_minute_writes_nothing(world):
    await world.user()
    _, token = await world.signed_in()
    before = world.store.statistics.commits

    for _ in range(5):
        await world.people.sessions.find(token)
    assert world.store.statistics.commits == before
    world.clock.jump(timedelta(minutes=1))
    await world.people.sessions.find(token)
    assert world.store.statistics.commits == before + 1


@both
async def test_a_session_that_was_closed_stays_closed_whatever_is_in_flight(world):
    """The request has read the session when it is deleted, and writes only afterwards."""
    await world.user()
    found, token = await world.signed_in()
    world.clock.jump(timedelta(minutes=2))

    assert await world.people.sessions.close(token)
    async with world.store.begin() as tx:
        assert not await tx.sessions.touch(found.session.digest, world.clock.now())
    with pytest.raises(Unauthenticated):
        async with world.store.begin() as tx:
            await world.people.sessions.rotate(tx, found.session, found.user, level=Level.FULL)
    assert await world.people.sessions.find(token) is None


@both
async def test_no_interleaving_of_requests_and_a_sign_out_leaves_a_session(world):
    await world.user()
    for _ in range(20):
        _, token = await world.signed_in()
        world.clock.jump(timedelta(minutes=2))

        await asyncio.gather(*(world.people.sessions.find(token) for _ in range(3)), world.people.sessions.close(token))

        assert await world.people.sessions.find(token) is None


@both
async def test_of_a_rotation_and_a_sign_out_at_once_no_session_is_left_or_the_sign_out_came_too_late(world):
    await world.user()
    for _ in range(10):
        found, token = await world.signed_in()

        async def rotate(found=found):
            return await world.store.run(lambda tx: world.people.sessions.rotate(tx, found.session, found.user, level=Level.FULL))

        rotated, closed = await asyncio.gather(rotate(), world.people.sessions.close(token), return_exceptions=True)

        assert isinstance(rotated, Unauthenticated) is closed
        assert await world.people.sessions.find(token) is None


async def test_a_sign_in_never_takes_a_token_that_the_browser_brought(world):
    """Fixation: an attacker plants a token of their own, and waits for the victim to sign in with it."""
    await world.user("attacker@example.com")
    await world.user("victim@example.com")
    _, planted = await world.signed_in("attacker@example.com")

    found, token = await world.signed_in("victim@example.com", instead_of=planted)

    assert token != planted
    assert found.session.digest != digest_of(planted)
    assert await world.people.sessions.find(planted) is None


async def test_showing_the_password_again_changes_the_token_and_makes_the_session_fresh(world):
    await world.user()
    found, token = await world.signed_in()
    world.clock.jump(timedelta(minutes=20))

    again = await world.people.signing_in.step_up(found, PASSWORD)

    assert await world.people.sessions.find(token) is None
    renewed = await world.people.sessions.find(again.token)
    assert renewed.is_fresh(world.clock.now())
    assert renewed.session.expires_at == found.session.expires_at


async def test_a_wrong_password_does_not_make_a_session_fresh(world):
    await world.user()
    found, token = await world.signed_in()

    with pytest.raises(SignInFailed):
        await world.people.signing_in.step_up(found, "another horse battery")
    assert (await world.people.sessions.find(token)).session == found.session


@both
async def test_a_new_password_ends_every_session_but_the_one_that_it_begins(world):
    await world.user()
    found, token = await world.signed_in()
    _, elsewhere = await world.signed_in()

    opened = await world.people.signing_in.change_password(found, PASSWORD, "a new horse battery")

    assert await world.people.sessions.find(token) is None
    assert await world.people.sessions.find(elsewhere) is None
    assert await world.people.sessions.find(opened.token)
    with pytest.raises(SignInFailed):
        await world.signed_in()
    assert await world.signed_in(password="a new horse battery")


@both
async def test_a_suspension_holds_from_the_next_request_on(world):
    user = await world.user()
    _, token = await world.signed_in()

    await world.people.accounts.suspend(user.id, by=world.by)

    assert await world.people.sessions.find(token) is None
    with pytest.raises(SignInFailed):
        await world.signed_in()
    await world.people.accounts.resume(user.id, by=world.by)
    assert await world.people.sessions.find(token) is None
    assert await world.signed_in()


async def test_a_password_that_was_checked_before_it_was_changed_opens_nothing(world):
    """The check takes its time outside of a transaction; what was true before may not be any more."""
    user = await world.user()
    find = world.people.accounts.by_email

    async def changed_meanwhile(email):
        found = await find(email)
        prepared = await world.people.accounts.prepare("a new horse battery")
        await world.store.run(lambda tx: world.people.accounts.set_password(tx, user.id, prepared))
        return found

    object.__setattr__(world.people.accounts, "by_email", changed_meanwhile)
    with pytest.raises(SignInFailed):
        await world.signed_in()


@both
async def test_sessions_are_listed_and_ended_by_their_user_alone(world):
    await world.user()
    await world.user("eve@example.com")
    found, _ = await world.signed_in(address="203.0.113.9")
    other, token = await world.signed_in()
    stranger, _ = await world.signed_in("eve@example.com")

    listed = await world.people.sessions.list(found)
    assert {each["id"]: each["is_present"] for each in listed} == {found.session.id: True, other.session.id: False}
    assert found.session.digest not in repr(listed)
    with pytest.raises(NotFound):
        await world.people.sessions.revoke(stranger, other.session.id)
    await world.people.sessions.revoke(found, other.session.id)
    assert await world.people.sessions.find(token) is None
    with pytest.raises(NotFound):
        await world.people.sessions.revoke(found, other.session.id)


async def test_all_other_sessions_can_be_ended_at_once(world):
    await world.user()
    found, token = await world.signed_in()
    others = [(await world.signed_in())[1] for _ in range(2)]

    assert await world.people.sessions.revoke_others(found) == 2

    assert await world.people.sessions.find(token)
    assert [await world.people.sessions.find(each) for each in others] == [None, None]


@both
async def test_what_has_expired_is_swept(world):
    await world.user()
    found, _ = await world.signed_in()
    world.clock.jump(timedelta(hours=13))
    await world.signed_in()

    async with world.store.read() as tx:
        assert await tx.sessions.find(found.session.digest) is None


@both
async def test_a_dump_of_the_database_signs_nobody_in(world):
    """Everything that is stored, tried as a token of every kind and as a password; and nothing that anybody types is in it."""
    await world.user(name="Ada", is_admin=True)
    found, _ = await world.signed_in(address="203.0.113.9")
    secret = await world.people.one_time_codes.begin(found, PASSWORD)
    code = totp.code_of(base64.b32decode(secret["secret"]), totp.step_at(world.clock.now()))
    opened, recovery = await world.people.one_time_codes.confirm(found, code)
    invited = await world.people.invitations.register(world.by, "eve@example.com", is_admin=True)
    await world.people.password_resets.ask("ada@example.com")
    links = [token for *_, token in await world.letters()]
    assert (len(recovery), len(links), invited["link"]) == (10, 2, None)

    dump = []
    async with unit_of_work(world.store.database, Statistics(), readonly=True) as session:
        for table in TABLES:
            rows = await session.execute(f"SELECT * FROM {table._meta.tablename}")
            dump += [value for row in rows for value in row.values()]
    texts = [each if isinstance(each, str) else bytes(each).decode("latin-1") for each in dump if isinstance(each, str | bytes | memoryview)]
    typed = [opened.token, PASSWORD, "ada@example.com", "eve@example.com", "$argon2", secret["secret"], *recovery, *links]
    raw = base64.b32decode(secret["secret"]).decode("latin-1")
    for each in (*typed, raw, *(code.replace("-", "") for code in recovery)):
        assert not any(each in text for text in texts), each
    for each in {text for text in texts if is_storable(text)}:
        assert await world.people.sessions.find(each) is None
        for use in (world.people.invitations.look(each), world.people.password_resets.reset(each, PASSWORD)):
            with pytest.raises(NotFound):
                await use
