"""Nobody registers without an invitation, and nobody gets more from one than its sender may give."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from databases import both

from pepay_core.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from pepay_core.domain.roles import ROLES, Role
from pepay_core.services.people.accounts import as_user
from pepay_core.services.people.composing import compose_people
from pepay_core.services.recording import Recorder

PASSWORD = "correct horse battery"


@pytest.fixture
async def shop(world):
    return await world.merchant()


@pytest.fixture
async def owner(world, shop):
    made = await world.user("owner@example.com", name="Olga")
    await world.member(shop, made, "owner")
    return made


async def caller(world, shop, user):
    return await world.people.memberships.caller(user, shop.id, livemode=False)


@both
async def test_whoever_is_invited_registers_with_the_role_that_they_were_given(world, shop, owner):
    invited = await world.people.invitations.invite(await caller(world, shop, owner), "Eve@Example.com", "developer")
    assert (invited["email"], invited["role"], invited["link"]) == ("Eve@example.com", "developer", None)
    ((to, subject, token),) = await world.letters()
    assert (to, subject) == ("Eve@example.com", "Olga invites you to Shop")
    looked = await world.people.invitations.look(token)
    assert (looked["merchant_name"], looked["role"], looked["is_known"]) == ("Shop", "developer", False)

    opened = await world.people.invitations.accept(token, "a new horse battery", name=" Eve  Adams ", address="203.0.113.9")

    found = await world.people.sessions.find(opened.token)
    assert (found.is_full, found.user.name, found.user.is_admin) == (True, "Eve Adams", False)
    assert (await caller(world, shop, found.user)).scopes == ROLES[Role.DEVELOPER]
    assert await world.signed_in("eve@example.com", "a new horse battery")
    assert await world.actions() == ["user.created", "member.added", "invitation.created", "user.created", "member.added"]


@both
async def test_an_invitation_works_once_however_many_use_it_at_once(world, shop, owner):
    await world.people.invitations.invite(await caller(world, shop, owner), "eve@example.com", "viewer")
    ((_, _, token),) = await world.letters()

    results = await asyncio.gather(*(world.people.invitations.accept(token, PASSWORD) for _ in range(4)), return_exceptions=True)

    assert sorted(type(each).__name__ for each in results) == ["NotFound"] * 3 + ["Opened"]
    with pytest.raises(NotFound):
        await world.people.invitations.look(token)


@both
async def test_an_invitation_ends_after_a_week_when_it_is_withdrawn_and_when_another_is_sent(world, shop, owner):
    olga = await caller(world, shop, owner)
    first = await world.people.invitations.invite(olga, "eve@example.com", "viewer")
    world.clock.jump(timedelta(seconds=1))
    second = await world.people.invitations.invite(olga, "EVE@example.com", "viewer")
    tokens = [token for *_, token in await world.letters()]
    assert [each["id"] for each in await world.people.invitations.list(olga)] == [second["id"]]
    with pytest.raises(NotFound):
        await world.people.invitations.withdraw(olga, first["id"])
    await world.people.invitations.withdraw(olga, second["id"])
    world.clock.jump(timedelta(seconds=1))
    await world.people.invitations.invite(olga, "eve@example.com", "viewer")
    tokens.append((await world.letters())[-1][2])
    assert await world.people.invitations.look(tokens[2])
    world.clock.jump(timedelta(days=7))

    for token in (*tokens, "", "x", "\0"):
        with pytest.raises(NotFound):
            await world.people.invitations.accept(token, PASSWORD)


async def test_a_bad_password_does_not_use_an_invitation_up(world, shop, owner):
    await world.people.invitations.invite(await caller(world, shop, owner), "eve@example.com", "viewer")
    ((_, _, token),) = await world.letters()
    with pytest.raises(InvalidInput):
        await world.people.invitations.accept(token, "short")
    assert await world.people.invitations.accept(token, PASSWORD)


async def test_nobody_invites_above_their_own_role_or_what_they_may_not_see(world, shop, owner):
    admin, viewer = await world.user("admin@example.com"), await world.user("viewer@example.com")
    await world.member(shop, admin, "admin")
    await world.member(shop, viewer, "viewer")
    with pytest.raises(Forbidden):
        await world.people.invitations.invite(await caller(world, shop, admin), "eve@example.com", "owner")
    for act in (
        world.people.invitations.invite(await caller(world, shop, viewer), "eve@example.com", "viewer"),
        world.people.invitations.list(await caller(world, shop, viewer)),
        world.people.invitations.withdraw(await caller(world, shop, viewer), "ivt_1"),
    ):
        with pytest.raises(Forbidden):
            await act
    with pytest.raises(InvalidInput):
        await world.people.invitations.invite(await caller(world, shop, owner), "eve@example.com", "emperor")
    other = await world.merchant("Other")
    with pytest.raises(NotFound):
        await caller(world, other, owner)


async def test_an_invitation_ends_with_the_power_of_whoever_sent_it(world, shop, owner):
    admin = await world.user("admin@example.com")
    await world.member(shop, admin, "admin")
    await world.people.invitations.invite(await caller(world, shop, admin), "eve@example.com", "admin")
    ((_, _, token),) = await world.letters()
    await world.people.memberships.set_role(await caller(world, shop, owner), admin.id, "viewer")
    with pytest.raises(NotFound):
        await world.people.invitations.accept(token, PASSWORD)
    await world.people.memberships.set_role(await caller(world, shop, owner), admin.id, "admin")
    await world.people.accounts.suspend(admin.id, by=world.by)
    with pytest.raises(NotFound):
        await world.people.invitations.accept(token, PASSWORD)


@both
async def test_somebody_with_an_account_accepts_by_signing_in_with_that_address(world, shop, owner):
    await world.user("eve@example.com")
    await world.user("mallory@example.com")
    await world.people.invitations.invite(await caller(world, shop, owner), "eve@example.com", "viewer")
    ((_, _, token),) = await world.letters()
    assert (await world.people.invitations.look(token))["is_known"]
    with pytest.raises(Conflict):
        await world.people.invitations.accept(token, PASSWORD)
    with pytest.raises(Forbidden):
        await world.people.invitations.accept_as((await world.signed_in("mallory@example.com"))[0], token)
    found, _ = await world.signed_in("eve@example.com")

    await world.people.invitations.accept_as(found, token)

    assert (await caller(world, shop, found.user)).scopes == ROLES[Role.VIEWER]
    with pytest.raises(NotFound):
        await world.people.invitations.accept_as(found, token)


async def test_an_admin_of_the_server_invites_users_and_founds_merchants_and_is_no_member_of_them(world):
    admin = await world.user("admin@example.com", is_admin=True, name="Root")
    await world.people.invitations.register(as_user(admin), "helper@example.com", is_admin=True)
    world.clock.jump(timedelta(seconds=1))
    made = await world.people.platform.found(as_user(admin), "New shop", "olga@example.com")
    letters = await world.letters()
    assert [(to, subject) for to, subject, _ in letters] == [
        ("helper@example.com", "You are invited to PePay"),
        ("olga@example.com", "Root invites you to New shop"),
    ]
    with pytest.raises(NotFound):
        await world.people.memberships.caller(admin, made["id"], livemode=False)

    helper = await world.people.invitations.accept(letters[0][2], PASSWORD)
    olga = await world.people.invitations.accept(letters[1][2], PASSWORD)

    assert helper.user.is_admin
    assert (await world.people.memberships.of_user(helper.user)) == []
    assert (await world.people.memberships.caller(olga.user, None, livemode=False)).scopes == ROLES[Role.OWNER]


async def test_the_founders_invitation_is_worth_nothing_once_the_merchant_has_members(world):
    """Or whoever runs the server could come in afterwards by a letter that they kept."""
    admin = await world.user("admin@example.com", is_admin=True)
    made = await world.people.platform.found(as_user(admin), "New shop", "olga@example.com")
    ((_, _, token),) = await world.letters()
    shop = await world.store.run(lambda tx: tx.merchants.get(made["id"]))
    await world.member(shop, await world.user("first@example.com"), "owner")

    with pytest.raises(NotFound):
        await world.people.invitations.accept(token, PASSWORD)


async def test_without_mail_the_link_goes_to_whoever_asked(world, shop, owner):
    quiet = compose_people(world.store, world.clock, world.ids, world.vault, "https://pay.example.com/", Recorder(world.clock, world.vault))
    invited = await quiet.invitations.invite(await caller(world, shop, owner), "eve@example.com", "viewer")

    assert invited["link"].startswith("https://pay.example.com/invitation?token=")
    assert (await quiet.invitations.accept(invited["link"].partition("=")[2], PASSWORD)).user
    await quiet.close()


async def test_people_choose_their_name_and_none_is_stored_for_who_chose_none(world, shop, owner):
    """The beginning of an address is personal, and stands nowhere in clear: it is shown to those who may see the address."""
    for email in ("eve@example.com", "fay@example.com"):
        await world.people.invitations.invite(await caller(world, shop, owner), email, "admin")
        world.clock.jump(timedelta(seconds=1))
    (*_, eve), (*_, fay) = await world.letters()
    named = (await world.people.invitations.accept(eve, PASSWORD, name="Eve Adams")).user
    unnamed = (await world.people.invitations.accept(fay, PASSWORD)).user

    assert (named.name, unnamed.name) == ("Eve Adams", "")
    assert {each["name"] for each in await world.people.memberships.list(await caller(world, shop, owner))} == {"Olga", "Eve Adams", "fay"}
