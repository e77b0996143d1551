"""Members do what their role allows, and nobody rises by their own hand."""

from __future__ import annotations

import asyncio

import pytest
from databases import both

from pepay_core.domain.errors import Conflict, Forbidden, InvalidInput, MerchantSuspended, NotFound
from pepay_core.domain.merchants import SCOPES
from pepay_core.domain.roles import ROLES, Role
from pepay_core.services.callers import Caller
from pepay_core.services.recording import operator


@pytest.fixture
async def shop(world):
    return await world.merchant()


@pytest.fixture
async def team(world, shop):
    """Return one user of each role."""
    found = {}
    for role in Role:
        found[role] = await world.user(f"{role}@example.com")
        await world.member(shop, found[role], role)
    return found


async def caller(world, shop, user):
    return await world.people.memberships.caller(user, shop.id, livemode=False)


async def test_a_member_calls_with_the_scopes_of_their_role(world, shop, team):
    for role, user in team.items():
        assert await caller(world, shop, user) == Caller(shop.id, False, user.id, ROLES[role])
        assert (await world.people.memberships.of_user(user))[0]["scopes"] == sorted(ROLES[role])


async def test_the_merchant_may_be_left_out_by_a_member_of_exactly_one(world, shop, team):
    other, viewer = await world.merchant("Other"), team[Role.VIEWER]
    assert (await world.people.memberships.caller(viewer, None, livemode=True)).merchant == shop.id

    await world.member(other, viewer, "owner")
    with pytest.raises(InvalidInput, match="which merchant"):
        await world.people.memberships.caller(viewer, None, livemode=True)
    assert (await world.people.memberships.caller(viewer, other.id, livemode=True)).scopes == frozenset(SCOPES)


async def test_a_user_is_nobody_to_a_merchant_of_others_whatever_they_are_elsewhere(world, shop, team):
    other = await world.merchant("Other")
    admin = await world.user("admin@platform.example", is_admin=True)
    for user in (team[Role.OWNER], admin):
        with pytest.raises(NotFound):
            await world.people.memberships.caller(user, other.id, livemode=False)
    with pytest.raises(Forbidden):
        await world.people.memberships.caller(admin, None, livemode=False)


async def test_a_suspended_merchant_has_no_callers_and_keeps_its_members(world, shop, team):
    await world.store.run(lambda tx: tx.merchants.suspend(shop.id, world.clock.now()))
    with pytest.raises(MerchantSuspended):
        await caller(world, shop, team[Role.OWNER])
    await world.store.run(lambda tx: tx.merchants.suspend(shop.id, None))
    assert await caller(world, shop, team[Role.OWNER])


@both
async def test_saving_a_merchants_preferences_does_not_end_its_suspension(world, shop):
    await world.store.run(lambda tx: tx.merchants.suspend(shop.id, world.clock.now()))
    await world.store.run(lambda tx: tx.merchants.save(shop))

    async with world.store.read() as tx:
        assert (await tx.merchants.get(shop.id)).suspended_at == world.clock.now()


@both
async def test_roles_are_changed_by_owners_and_admins_up_to_their_own(world, shop, team):
    member = await world.user("member@example.com")
    await world.member(shop, member, "viewer")
    steps = [("viewer", "viewer", 0), ("developer", "viewer", 0), ("admin", "owner", 0), ("admin", "admin", 1), ("owner", "owner", 1)]
    for giver, wanted, allowed in steps:
        before = (await caller(world, shop, member)).scopes
        change = world.people.memberships.set_role(await caller(world, shop, team[Role(giver)]), member.id, wanted)
        if allowed:
            assert (await change)["role"] == wanted
            assert (await caller(world, shop, member)).scopes == ROLES[Role(wanted)]
        else:
            with pytest.raises(Forbidden):
                await change
            assert (await caller(world, shop, member)).scopes == before
    with pytest.raises(Forbidden):
        await world.people.memberships.set_role(await caller(world, shop, team[Role.ADMIN]), member.id, "viewer")


async def test_nobody_changes_their_own_role(world, shop, team):
    await world.member(shop, await world.user("second@example.com"), "owner")
    for user in team.values():
        found = await caller(world, shop, user)
        for change in (
            world.people.memberships.set_role(found, user.id, "owner"),
            world.people.memberships.set_role(found, user.id, "viewer"),
            world.people.memberships.remove(found, user.id),
        ):
            with pytest.raises(Forbidden):
                await change


async def test_a_change_by_somebody_who_was_removed_meanwhile_is_refused(world, shop, team):
    stale = await caller(world, shop, team[Role.ADMIN])
    await world.people.memberships.remove(await caller(world, shop, team[Role.OWNER]), team[Role.ADMIN].id)

    with pytest.raises(Forbidden):
        await world.people.memberships.set_role(stale, team[Role.VIEWER].id, "developer")


@both
async def test_the_last_owner_cannot_leave_or_be_demoted(world, shop, team):
    line = Caller(shop.id, False, "command line", frozenset(SCOPES))
    owner = team[Role.OWNER]
    for change in (
        world.people.memberships.set_role(line, owner.id, "admin"),
        world.people.memberships.remove(line, owner.id),
        world.people.memberships.leave(owner, shop.id),
    ):
        with pytest.raises(Conflict):
            await change
    await world.people.memberships.set_role(line, team[Role.VIEWER].id, "owner")
    await world.people.memberships.leave(owner, shop.id)
    with pytest.raises(NotFound):
        await caller(world, shop, owner)


@both
async def test_of_two_owners_who_demote_each_other_at_once_one_stays(world, shop, team):
    for number in range(5):
        first, second = team[Role.OWNER], await world.user(f"second{number}@example.com")
        await world.member(shop, second, "owner")
        callers = [await caller(world, shop, each) for each in (first, second)]

        await asyncio.gather(
            world.people.memberships.set_role(callers[0], second.id, "viewer"),
            world.people.memberships.set_role(callers[1], first.id, "viewer"),
            return_exceptions=True,
        )

        owners = [each for each in await world.people.memberships.list(callers[0]) if each["role"] == "owner"]
        assert len(owners) == 1
        team[Role.OWNER] = next(each for each in (first, second) if each.id == owners[0]["user"])


async def test_members_are_listed_with_their_addresses_for_those_who_may_see_them(world, shop, team):
    listed = await world.people.memberships.list(await caller(world, shop, team[Role.ADMIN]))

    assert [(each["email"], each["role"]) for each in listed] == [(f"{role}@example.com", role) for role in Role]
    with pytest.raises(Forbidden):
        await world.people.memberships.list(await caller(world, shop, team[Role.VIEWER]))


@both
async def test_the_last_admin_of_the_platform_cannot_be_suspended(world):
    first = await world.user(is_admin=True)
    for change in (world.people.accounts.suspend(first.id, by=world.by), world.people.accounts.set_admin(first.id, is_admin=False, by=world.by)):
        with pytest.raises(Conflict):
            await change
    second = await world.user("second@example.com")
    await world.people.accounts.set_admin(second.id, is_admin=True, by=world.by)
    await world.people.accounts.suspend(first.id, by=world.by)
    with pytest.raises(Conflict):
        await world.people.accounts.suspend(second.id, by=world.by)


@both
async def test_a_merchant_is_suspended_and_goes_on_and_the_log_says_by_whom(world, shop):
    by = operator()
    suspended = await world.people.platform.suspend(by, shop.id)
    assert suspended["suspended_at"] == int(world.clock.now().timestamp())
    assert await world.people.platform.suspend(by, shop.id) == suspended
    assert [each["suspended_at"] for each in await world.people.platform.merchants()] == [suspended["suspended_at"]]
    assert (await world.people.platform.resume(by, shop.id))["suspended_at"] is None

    assert await world.actions() == ["merchant.suspended", "merchant.resumed"]
