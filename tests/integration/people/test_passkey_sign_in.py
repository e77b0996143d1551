"""A passkey alone signs in: once per challenge, whoever shows it, and nobody whose passkey it is not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from authenticator import PRESENT, Authenticator, encode
from databases import both

from pepay_core.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, PasskeyUnknown, RateLimited, SignInFailed
from pepay_core.domain.people import Level
from pepay_core.services.people.composing import compose_people

PASSWORD = "correct horse battery"


async def with_passkey(world, email="ada@example.com"):
    found, _ = await world.signed_in(email)
    device = Authenticator()
    await world.people.passkeys.finish(found, device.create(await world.people.passkeys.begin(found, PASSWORD)), "Laptop")
    return device


@both
async def test_it_opens_a_full_and_fresh_session_and_is_asked_for_no_address(world):
    user = await world.user()
    device = await with_passkey(world)
    _, before = await world.signed_in()
    options = world.people.signing_in.begin_with_passkey()
    assert (options["rpId"], options["userVerification"], options.get("allowCredentials", [])) == ("pay.example.com", "required", [])

    opened = await world.people.signing_in.with_passkey(device.get(options), address="203.0.113.9", agent="Firefox", instead_of=before)

    found = await world.people.sessions.find(opened.token)
    assert (found.user.id, found.session.level, found.is_fresh(world.clock.now())) == (user.id, Level.FULL, True)
    assert (found.session.address, found.session.agent) == ("203.0.113.9", "Firefox")
    assert await world.people.sessions.find(before) is None
    (passkey,) = (await world.people.second_factors.state(found))["passkeys"]
    assert passkey["last_used_at"] == int(world.clock.now().timestamp())


@both
async def test_a_challenge_is_answered_once_however_many_show_the_answer_at_once(world):
    await world.user()
    device = await with_passkey(world)
    answer = device.get(world.people.signing_in.begin_with_passkey(), step=0)

    results = await asyncio.gather(*(world.people.signing_in.with_passkey(answer) for _ in range(4)), return_exceptions=True)

    assert sorted(type(each).__name__ for each in results) == ["Opened"] + ["SignInFailed"] * 3
    with pytest.raises(SignInFailed):
        await world.people.signing_in.with_passkey(answer)


async def test_a_challenge_holds_in_every_process_for_five_minutes(world):
    await world.user()
    device = await with_passkey(world)
    other = compose_people(world.store, world.clock, world.ids, world.vault, "https://pay.example.com", world.people.accounts.recorder)
    try:
        options = other.signing_in.begin_with_passkey()
        world.clock.jump(timedelta(minutes=5) - timedelta(seconds=1))
        assert await world.people.signing_in.with_passkey(device.get(options))
        late = other.signing_in.begin_with_passkey()
        world.clock.jump(timedelta(minutes=5))
        with pytest.raises(SignInFailed, match="too long ago"):
            await world.people.signing_in.with_passkey(device.get(late))
    finally:
        other.passwords.close()


async def test_a_challenge_that_is_not_ours_or_was_made_for_a_session_is_refused(world):
    await world.user()
    device = await with_passkey(world)
    found, _ = await world.signed_in()
    ours = world.people.signing_in.begin_with_passkey()
    for challenge in ("", "eA", encode(bytes(72)), ours["challenge"][:-2] + "AA", (await world.people.passkeys.challenge(found))["challenge"]):
        with pytest.raises(SignInFailed):
            await world.people.signing_in.with_passkey(device.get({**ours, "challenge": challenge}))
    assert await world.people.signing_in.with_passkey(device.get(ours))


async def test_an_answer_that_differs_in_anything_signs_nobody_in(world):
    await world.user()
    device = await with_passkey(world)
    for lie in (
        {"origin": "https://evil.example"},
        {"rp_id": "evil.example"},
        {"flags": PRESENT},
        {"type": "webauthn.create"},
        {"cross_origin": True},
    ):
        with pytest.raises(SignInFailed):
            await world.people.signing_in.with_passkey(device.get(world.people.signing_in.begin_with_passkey(), **lie))
    for answer in ({}, {"rawId": 1}, {"response": {}}, {"response": {"clientDataJSON": "!"}}, {"response": []}):
        with pytest.raises(SignInFailed):
            await world.people.signing_in.with_passkey(answer)


async def test_one_that_nobody_has_any_more_is_told_so(world):
    await world.user()
    device, stranger = await with_passkey(world), Authenticator()
    with pytest.raises(PasskeyUnknown):
        await world.people.signing_in.with_passkey(stranger.get(world.people.signing_in.begin_with_passkey()))
    user = await world.people.accounts.by_email("ada@example.com")
    await world.store.run(lambda tx: tx.passkeys.remove_all(user.id))
    with pytest.raises(PasskeyUnknown):
        await world.people.signing_in.with_passkey(device.get(world.people.signing_in.begin_with_passkey()))


async def test_one_of_a_suspended_user_signs_nobody_in(world):
    user = await world.user()
    device = await with_passkey(world)
    await world.people.accounts.suspend(user.id, by=world.by)
    with pytest.raises(SignInFailed):
        await world.people.signing_in.with_passkey(device.get(world.people.signing_in.begin_with_passkey()))


async def test_an_address_that_tries_in_vain_is_slowed_down_and_others_are_not(world):
    await world.user()
    device = await with_passkey(world)
    for _ in range(21):
        with pytest.raises(PasskeyUnknown):
            await world.people.signing_in.with_passkey(Authenticator().get(world.people.signing_in.begin_with_passkey()), address="203.0.113.9")
    for address, opens in (("203.0.113.9", False), ("203.0.113.10", True)):
        tried = world.people.signing_in.with_passkey(device.get(world.people.signing_in.begin_with_passkey()), address=address)
        if opens:
            assert await tried
        else:
            with pytest.raises(RateLimited):
                await tried


async def test_a_server_without_a_name_has_none(world):
    people = compose_people(world.store, world.clock, world.ids, world.vault, "https://192.0.2.7", world.people.accounts.recorder)
    try:
        assert people.passkeys.origin is None
        with pytest.raises(Conflict):
            people.signing_in.begin_with_passkey()
    finally:
        people.passwords.close()


async def test_showing_again_who_one_is_takes_a_passkey_alone(world):
    await world.user()
    device = await with_passkey(world)
    opened = await world.people.signing_in.with_passkey(device.get(world.people.signing_in.begin_with_passkey()))
    found = await world.people.sessions.find(opened.token)
    world.clock.jump(timedelta(minutes=6))
    assert not found.is_fresh(world.clock.now())
    with pytest.raises(SignInFailed):
        await world.people.signing_in.step_up(found, passkey=Authenticator().get(await world.people.passkeys.challenge(found)))
    with pytest.raises(SignInFailed):
        await world.people.signing_in.step_up(found)

    again = await world.people.signing_in.step_up(found, passkey=device.get(await world.people.passkeys.challenge(found)))

    assert (await world.people.sessions.find(again.token)).is_fresh(world.clock.now())


@both
async def test_one_is_called_what_its_user_calls_it(world):
    await world.user()
    await world.user("eve@example.com")
    device = await with_passkey(world)
    opened = await world.people.signing_in.with_passkey(device.get(world.people.signing_in.begin_with_passkey()))
    found = await world.people.sessions.find(opened.token)
    (passkey,) = (await world.people.second_factors.state(found))["passkeys"]
    assert (await world.people.passkeys.rename(found, passkey["id"], "  My   phone "))["name"] == "My phone"
    for name in ("", " ", "x" * 61, "a\0b"):
        with pytest.raises(InvalidInput):
            await world.people.passkeys.rename(found, passkey["id"], name)
    eve, _ = await world.signed_in("eve@example.com")
    with pytest.raises(NotFound):
        await world.people.passkeys.rename(eve, passkey["id"], "Mine")
    with pytest.raises(Forbidden):
        await world.people.passkeys.rename(replace(found, session=replace(found.session, level=Level.PENDING)), passkey["id"], "Mine")
    assert [each["name"] for each in (await world.people.second_factors.state(found))["passkeys"]] == ["My phone"]
