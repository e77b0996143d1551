"""A link for a new password reaches its owner, works once, and tells nobody else anything."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from databases import both

from pepay_core.domain.errors import Conflict, InvalidInput, NotFound, RateLimited, SignInFailed
from pepay_core.domain.people import Level
from pepay_core.services.people import totp

PASSWORD = "correct horse battery"
NEW = "a new horse battery"


async def asked(world, email="ada@example.com"):
    """Return the token of the newest letter after one was asked for."""
    before = len(await world.letters())
    await world.people.password_resets.ask(email)
    world.clock.jump(timedelta(seconds=1))
    return [token for *_, token in await world.letters()][before:]


@both
async def test_a_link_gives_a_new_password_once_and_ends_every_session(world):
    await world.user()
    _, session = await world.signed_in()
    (token,) = await asked(world)

    results = await asyncio.gather(*(world.people.password_resets.reset(token, NEW) for _ in range(4)), return_exceptions=True)

    assert sorted(type(each).__name__ for each in results) == ["NotFound"] * 3 + ["User"]
    assert await world.people.sessions.find(session) is None
    with pytest.raises(SignInFailed):
        await world.signed_in()
    assert (await world.signed_in(password=NEW))[0].is_full


async def test_an_unknown_address_is_answered_after_the_same_work_and_gets_nothing(world):
    await world.user()
    await world.people.accounts.suspend((await world.user("gone@example.com")).id, by=world.by)
    await world.people.password_resets.ask("warm@example.com")
    await world.people.password_resets.settle()
    work = []
    for email in ("ada@example.com", "nobody@example.com", "gone@example.com", "not an address"):
        before = (world.store.statistics.statements, world.store.statistics.commits)
        assert await world.people.password_resets.ask(email) is None
        work.append((world.store.statistics.statements - before[0], world.store.statistics.commits - before[1]))
        await world.people.password_resets.settle()

    assert work == [work[0]] * 4
    assert [to for to, *_ in await world.letters()] == ["ada@example.com"]


@both
async def test_a_link_lasts_half_an_hour_and_a_newer_one_takes_its_place(world):
    await world.user()
    (first,) = await asked(world)
    (second,) = await asked(world)
    with pytest.raises(NotFound):
        await world.people.password_resets.reset(first, NEW)
    world.clock.jump(timedelta(minutes=30))
    for token in (second, "", "x", "\0"):
        with pytest.raises(NotFound):
            await world.people.password_resets.reset(token, NEW)


async def test_a_bad_password_does_not_use_a_link_up(world):
    await world.user()
    (token,) = await asked(world)
    with pytest.raises(InvalidInput):
        await world.people.password_resets.reset(token, "short")
    assert await world.people.password_resets.reset(token, NEW)


async def test_a_link_ends_with_a_change_of_the_password_and_with_a_suspension(world):
    user = await world.user()
    (token,) = await asked(world)
    await world.people.signing_in.change_password((await world.signed_in())[0], PASSWORD, NEW)
    with pytest.raises(NotFound):
        await world.people.password_resets.reset(token, PASSWORD)
    (token,) = await asked(world)
    await world.people.accounts.suspend(user.id, by=world.by)
    with pytest.raises(NotFound):
        await world.people.password_resets.reset(token, PASSWORD)


async def test_a_new_password_still_owes_the_second_factor(world):
    await world.user()
    found, _ = await world.signed_in()
    begun = await world.people.one_time_codes.begin(found, PASSWORD)
    import base64

    code = totp.code_of(base64.b32decode(begun["secret"]), totp.step_at(world.clock.now()))
    await world.people.one_time_codes.confirm(found, code)
    (token,) = await asked(world)

    await world.people.password_resets.reset(token, NEW)

    assert (await world.signed_in(password=NEW))[0].session.level is Level.PENDING


async def test_nobodys_mailbox_is_flooded(world):
    await world.user()
    for _ in range(4):
        await asked(world)
    with pytest.raises(RateLimited):
        await world.people.password_resets.ask("ada@example.com")


async def test_only_a_digest_of_a_link_is_stored(world):
    await world.user()
    (token,) = await asked(world)
    async with world.store.read() as tx:
        from pepay_core.domain.people import Errand
        from pepay_core.services.people.sessions import digest_of

        assert await tx.letters.find(token, Errand.RESET) is None
        assert await tx.letters.find(digest_of(token), Errand.EMAIL) is None
        assert await tx.letters.find(digest_of(token), Errand.RESET)


@both
async def test_an_address_is_changed_by_a_link_that_went_to_the_new_one(world):
    user = await world.user()
    found, session = await world.signed_in()
    with pytest.raises(SignInFailed):
        await world.people.email_changes.ask(found, "wrong horse battery", "lovelace@example.com")
    await world.people.email_changes.ask(found, PASSWORD, "lovelace@example.com")
    ((to, _, token),) = await world.letters()
    assert to == "lovelace@example.com"
    assert await world.people.sessions.find(session)
    world.clock.jump(timedelta(seconds=1))

    await world.people.email_changes.confirm(token)

    assert [each[:2] for each in await world.letters()][1:] == [("ada@example.com", "Your address was changed")]
    assert await world.people.sessions.find(session) is None
    with pytest.raises(SignInFailed):
        await world.signed_in()
    assert (await world.signed_in("lovelace@example.com"))[0].user.id == user.id
    with pytest.raises(NotFound):
        await world.people.email_changes.confirm(token)


@both
async def test_nobody_takes_an_address_that_somebody_has(world):
    await world.user()
    await world.user("eve@example.com")
    found, _ = await world.signed_in()
    await world.people.email_changes.ask(found, PASSWORD, "EVE@example.com")
    ((_, _, token),) = await world.letters()
    with pytest.raises(Conflict):
        await world.people.email_changes.confirm(token)
    with pytest.raises(NotFound):
        await world.people.password_resets.reset(token, NEW)


async def test_a_letter_is_not_sent_for_what_no_longer_holds(world):
    """A second factor that was reset ends the links that were sent before, as every change of how somebody signs in does."""
    user = await world.user()
    (token,) = await asked(world)

    async def reset(tx):
        return await world.people.second_factors.reset(tx, await tx.users.get(user.id, lock=True), by=world.by)

    await world.store.run(reset)
    with pytest.raises(NotFound):
        await world.people.password_resets.reset(token, NEW)
