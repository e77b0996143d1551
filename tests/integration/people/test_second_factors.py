"""A password alone is not enough where a second factor is set up, by whatever door somebody comes."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta

import pytest
from authenticator import PRESENT, VERIFIED, Authenticator, encode
from cryptography.hazmat.primitives.asymmetric import ec
from databases import both

from pepay_core.domain.errors import Conflict, Forbidden, InvalidInput, RateLimited, SignInFailed
from pepay_core.domain.people import Level
from pepay_core.services.people import totp

PASSWORD = "correct horse battery"


class App:
    """An authenticator app: knows a secret, and the time."""

    def __init__(self, world, secret):
        self.world = world
        self.secret = base64.b32decode(secret)

    def code(self, steps=0):
        return totp.code_of(self.secret, totp.step_at(self.world.clock.now()) + steps)


async def with_codes(world, email="ada@example.com"):
    """Return a user's app and recovery codes, a step of time after the first code was used."""
    found, _ = await world.signed_in(email)
    begun = await world.people.one_time_codes.begin(found, PASSWORD)
    app = App(world, begun["secret"])
    _, codes = await world.people.one_time_codes.confirm(found, app.code())
    world.clock.jump(timedelta(seconds=60))
    return app, codes


async def with_passkey(world, email="ada@example.com"):
    found, _ = await world.signed_in(email)
    device = Authenticator()
    options = await world.people.passkeys.begin(found, PASSWORD)
    _, codes = await world.people.passkeys.finish(found, device.create(options), "Laptop")
    return device, codes


class TestOneTimeCodes:
    @both
    async def test_they_count_once_a_first_code_was_shown(self, world):
        await world.user()
        found, token = await world.signed_in()
        _, elsewhere = await world.signed_in()
        begun = await world.people.one_time_codes.begin(found, PASSWORD)
        assert begun["link"] == f"otpauth://totp/PePay:ada%40example.com?secret={begun['secret']}&issuer=PePay"
        assert (await world.signed_in())[0].is_full

        with pytest.raises(SignInFailed):
            await world.people.one_time_codes.confirm(found, "000000")
        opened, codes = await world.people.one_time_codes.confirm(found, App(world, begun["secret"]).code())

        assert len(set(codes)) == 10
        assert (await world.people.sessions.find(opened.token)).is_full
        assert [await world.people.sessions.find(each) for each in (token, elsewhere)] == [None, None]
        assert (await world.signed_in())[0].session.level is Level.PENDING

    async def test_a_code_makes_a_pending_session_a_full_one_under_another_token(self, world):
        await world.user()
        app, _ = await with_codes(world)
        found, token = await world.signed_in()

        opened = await world.people.signing_in.with_second_factor(found, code=f" {app.code()[:3]} {app.code()[3:]} ")

        assert await world.people.sessions.find(token) is None
        assert (await world.people.sessions.find(opened.token)).is_full

    @pytest.mark.parametrize(("steps", "right"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
    async def test_a_code_of_the_step_before_or_after_is_taken(self, world, steps, right):
        await world.user()
        app, _ = await with_codes(world)
        world.clock.jump(timedelta(seconds=60))
        found, _ = await world.signed_in()
        sign_in = world.people.signing_in.with_second_factor(found, code=app.code(steps))
        if right:
            assert await sign_in
        else:
            with pytest.raises(SignInFailed):
                await sign_in

    @both
    async def test_a_code_works_once_however_many_show_it_at_once(self, world):
        await world.user()
        app, _ = await with_codes(world)
        sessions = [(await world.signed_in())[0] for _ in range(5)]
        code = app.code()

        results = await asyncio.gather(*(world.people.signing_in.with_second_factor(each, code=code) for each in sessions), return_exceptions=True)

        assert sorted(type(each).__name__ for each in results) == ["Opened"] + ["SignInFailed"] * 4
        with pytest.raises(SignInFailed):
            await world.people.signing_in.with_second_factor((await world.signed_in())[0], code=app.code(-1))

    async def test_a_code_whose_session_has_ended_was_not_used(self, world):
        from pepay_core.domain.errors import Unauthenticated

        await world.user()
        app, _ = await with_codes(world)
        found, token = await world.signed_in()
        await world.people.sessions.close(token)
        with pytest.raises(Unauthenticated):
            await world.people.signing_in.with_second_factor(found, code=app.code())

        assert await world.people.signing_in.with_second_factor((await world.signed_in())[0], code=app.code())

    async def test_guessing_gets_slower(self, world):
        await world.user()
        app, _ = await with_codes(world)
        found, _ = await world.signed_in()
        for _ in range(6):
            with pytest.raises(SignInFailed):
                await world.people.signing_in.with_second_factor(found, code="000000")
        with pytest.raises(RateLimited):
            await world.people.signing_in.with_second_factor(found, code=app.code())
        world.clock.jump(timedelta(seconds=1))
        assert await world.people.signing_in.with_second_factor(found, code=app.code())

    async def test_taking_them_away_needs_the_password_and_a_code(self, world):
        await world.user()
        app, _ = await with_codes(world)
        found, _ = await world.signed_in()
        opened = await world.people.signing_in.with_second_factor(found, code=app.code())
        found = await world.people.sessions.find(opened.token)
        world.clock.jump(timedelta(seconds=60))
        for password, code in [("wrong horse battery", app.code()), (PASSWORD, "000000"), (PASSWORD, None)]:
            with pytest.raises(SignInFailed):
                await world.people.one_time_codes.remove(found, password, code=code)

        await world.people.one_time_codes.remove(found, PASSWORD, code=app.code())

        assert (await world.signed_in())[0].is_full
        async with world.store.read() as tx:
            assert await tx.recovery_codes.left(found.user.id) == 0

    async def test_the_secret_is_sealed(self, world):
        await world.user()
        app, _ = await with_codes(world)

        sealed = (await world.people.accounts.by_email("ada@example.com")).totp
        assert app.secret not in bytes(sealed)
        assert world.people.accounts._vault.open("user-totp", (await world.people.accounts.by_email("ada@example.com")).id, sealed) == app.secret


class TestRecoveryCodes:
    @both
    async def test_each_works_once_however_many_show_it_at_once(self, world):
        await world.user()
        _, codes = await with_codes(world)
        for code in codes[:2]:
            sessions = [(await world.signed_in())[0] for _ in range(3)]
            results = await asyncio.gather(
                *(world.people.signing_in.with_second_factor(each, code=code.upper()) for each in sessions), return_exceptions=True
            )
            assert sorted(type(each).__name__ for each in results) == ["Opened"] + ["SignInFailed"] * 2

        full = await world.people.sessions.find(next(each.token for each in results if not isinstance(each, Exception)))
        assert (await world.people.second_factors.state(full))["recovery_codes_left"] == 8

    async def test_those_of_somebody_else_are_worth_nothing(self, world):
        await world.user()
        await world.user("eve@example.com")
        _, codes = await with_codes(world)
        await with_codes(world, "eve@example.com")

        with pytest.raises(SignInFailed):
            await world.people.signing_in.with_second_factor((await world.signed_in("eve@example.com"))[0], code=codes[0])

    @both
    async def test_new_ones_take_the_place_of_the_old_ones(self, world):
        await world.user()
        app, old = await with_codes(world)
        opened = await world.people.signing_in.with_second_factor((await world.signed_in())[0], code=app.code())

        new = await world.people.second_factors.new_recovery_codes(await world.people.sessions.find(opened.token), PASSWORD)

        with pytest.raises(SignInFailed):
            await world.people.signing_in.with_second_factor((await world.signed_in())[0], code=old[0])
        assert await world.people.signing_in.with_second_factor((await world.signed_in())[0], code=new[0])

    async def test_there_are_none_without_a_second_factor(self, world):
        await world.user()
        with pytest.raises(Conflict):
            await world.people.second_factors.new_recovery_codes((await world.signed_in())[0], PASSWORD)


class TestPasskeys:
    @both
    async def test_one_that_was_added_signs_in_beside_the_password(self, world):
        await world.user()
        device, codes = await with_passkey(world)
        assert len(codes) == 10
        found, _ = await world.signed_in()
        assert found.session.level is Level.PENDING
        for _ in range(2):
            options = await world.people.passkeys.challenge(found)
            assert options["rpId"] == "pay.example.com"
            assert options["userVerification"] == "required"
            opened = await world.people.signing_in.with_second_factor(found, passkey=device.get(options))
            assert (await world.people.sessions.find(opened.token)).is_full
            found, _ = await world.signed_in()

        full = await world.people.sessions.find(opened.token)
        assert [(each["name"], each["last_used_at"]) for each in (await world.people.second_factors.state(full))["passkeys"]] == [
            ("Laptop", int(world.clock.now().timestamp()))
        ]

    @both
    async def test_a_challenge_works_once_even_where_the_answer_failed(self, world):
        await world.user()
        device, _ = await with_passkey(world)
        found, _ = await world.signed_in()
        options = await world.people.passkeys.challenge(found)
        good = device.get(options)
        with pytest.raises(SignInFailed):
            await world.people.signing_in.with_second_factor(found, passkey=Authenticator().get(options))
        with pytest.raises(SignInFailed):
            await world.people.signing_in.with_second_factor(found, passkey=good)

    async def test_a_challenge_lasts_five_minutes(self, world):
        await world.user()
        device, _ = await with_passkey(world)
        found, _ = await world.signed_in()
        options = await world.people.passkeys.challenge(found)
        world.clock.jump(timedelta(minutes=5))
        with pytest.raises(SignInFailed):
            await world.people.signing_in.with_second_factor(found, passkey=device.get(options))

    async def test_an_answer_that_differs_in_anything_is_refused(self, world):
        await world.user()
        await world.user("eve@example.com")
        device, _ = await with_passkey(world)
        eves, _ = await with_passkey(world, "eve@example.com")
        lies = [
            {"origin": "https://pay.example.com.evil.example"},
            {"origin": "http://pay.example.com"},
            {"origin": "https://pay.example.com:8443"},
            {"origin": "https://sub.pay.example.com"},
            {"rp_id": "example.com"},
            {"type": "webauthn.create"},
            {"challenge": encode(b"another")},
            {"flags": PRESENT},
            {"flags": VERIFIED},
            {"flags": 0},
            {"cross_origin": True},
            {"key": ec.generate_private_key(ec.SECP256R1())},
            {"step": 0},
            {"step": -1},
        ]
        found, _ = await world.signed_in()
        await world.people.signing_in.with_second_factor(found, passkey=device.get(await world.people.passkeys.challenge(found)))
        found, _ = await world.signed_in()
        for lie in lies:
            options, device.signatures = await world.people.passkeys.challenge(found), 1
            with pytest.raises(SignInFailed):
                await world.people.signing_in.with_second_factor(found, passkey=device.get(options, **lie))
            await world.store.run(lambda tx, user=found.user: world.people.second_factors._slowing.forget(tx, second(user)))
        for answer in ({}, {"rawId": "!"}, {"rawId": 1}, {"id": "x", "rawId": encode(device.credential), "response": {}}):
            await world.people.passkeys.challenge(found)
            with pytest.raises(SignInFailed):
                await world.people.signing_in.with_second_factor(found, passkey=answer)
            await world.store.run(lambda tx, user=found.user: world.people.second_factors._slowing.forget(tx, second(user)))
        options = await world.people.passkeys.challenge(found)
        with pytest.raises(SignInFailed):
            await world.people.signing_in.with_second_factor(found, passkey=eves.get(options))
        options, device.signatures = await world.people.passkeys.challenge(found), 1
        assert await world.people.signing_in.with_second_factor(found, passkey=device.get(options))

    async def test_a_new_one_whose_answer_differs_in_anything_is_refused(self, world):
        await world.user()
        found, _ = await world.signed_in()
        for lie in [{"origin": "https://evil.example"}, {"rp_id": "evil.example"}, {"flags": PRESENT}, {"challenge": "eA"}, {"cross_origin": True}]:
            options = await world.people.passkeys.begin(found, PASSWORD)
            with pytest.raises(InvalidInput):
                await world.people.passkeys.finish(found, Authenticator().create(options, **lie))
        with pytest.raises(Conflict):
            await world.people.passkeys.finish(found, Authenticator().create(options))
        assert (await world.signed_in())[0].is_full

    @both
    async def test_one_is_registered_once(self, world):
        await world.user()
        await world.user("eve@example.com")
        device, _ = await with_passkey(world)
        found, _ = await world.signed_in("eve@example.com")
        options = await world.people.passkeys.begin(found, PASSWORD)
        with pytest.raises(Conflict):
            await world.people.passkeys.finish(found, device.create(options))

    async def test_the_last_one_that_is_taken_away_leaves_the_password_alone_enough(self, world):
        await world.user()
        device, codes = await with_passkey(world)
        found, _ = await world.signed_in()
        opened = await world.people.signing_in.with_second_factor(found, passkey=device.get(await world.people.passkeys.challenge(found)))
        full = await world.people.sessions.find(opened.token)
        (passkey,) = (await world.people.second_factors.state(full))["passkeys"]
        with pytest.raises(SignInFailed):
            await world.people.passkeys.remove(full, passkey["id"], PASSWORD)

        await world.people.passkeys.remove(full, passkey["id"], PASSWORD, code=codes[0])

        assert (await world.signed_in())[0].is_full


class TestOtherDoors:
    async def test_a_pending_session_can_do_nothing_but_the_second_factor(self, world):
        user = await world.user()
        app, codes = await with_codes(world)
        found, _ = await world.signed_in()
        people, signing_in = world.people, world.people.signing_in
        for act in (
            people.one_time_codes.begin(found, PASSWORD),
            people.one_time_codes.confirm(found, app.code()),
            people.one_time_codes.remove(found, PASSWORD, code=codes[0]),
            people.passkeys.begin(found, PASSWORD),
            people.passkeys.finish(found, {}),
            people.passkeys.remove(found, "psk_1", PASSWORD, code=codes[0]),
            people.second_factors.new_recovery_codes(found, PASSWORD),
            signing_in.step_up(found, PASSWORD, code=codes[0]),
            signing_in.change_password(found, PASSWORD, "a new horse battery"),
        ):
            with pytest.raises(Forbidden):
                await act
        assert not found.is_fresh(world.clock.now())
        assert (await world.people.accounts.by_email("ada@example.com")).epoch == user.epoch + 1

    async def test_a_pending_session_ends_after_ten_minutes(self, world):
        await world.user()
        await with_codes(world)
        _, token = await world.signed_in()
        world.clock.jump(timedelta(minutes=10))
        assert await world.people.sessions.find(token) is None

    async def test_showing_again_who_one_is_asks_for_all_that_signing_in_does(self, world):
        await world.user()
        app, _ = await with_codes(world)
        opened = await world.people.signing_in.with_second_factor((await world.signed_in())[0], code=app.code())
        found = await world.people.sessions.find(opened.token)
        world.clock.jump(timedelta(minutes=6))
        for password, code in [(PASSWORD, None), (PASSWORD, "000000"), ("wrong horse battery", app.code())]:
            with pytest.raises(SignInFailed):
                await world.people.signing_in.step_up(found, password, code=code)
        again = await world.people.signing_in.step_up(found, PASSWORD, code=app.code())

        assert (await world.people.sessions.find(again.token)).is_fresh(world.clock.now())

    async def test_a_new_password_does_not_take_the_second_factor_away(self, world):
        user = await world.user()
        await with_codes(world)
        prepared = await world.people.accounts.prepare("a new horse battery")
        await world.store.run(lambda tx: world.people.accounts.set_password(tx, user.id, prepared))

        assert (await world.signed_in(password="a new horse battery"))[0].session.level is Level.PENDING


def second(user):
    from pepay_core.services.people.slowing import SECOND, Subject

    return Subject(SECOND, user.id)
