"""How long a key is valid, to the microsecond, and that none outlives or outgrows its maker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pepay_core.domain.errors import Forbidden, InvalidInput, KeyExpired, KeyNotYetValid, KeyRevoked, NotFound, Unauthenticated
from pepay_core.domain.lifetimes import LONGEST, NEVER, PRESETS, USUAL, read_lifetime
from pepay_core.domain.merchants import KEY_SCOPES, SCOPES, Merchant
from pepay_core.secrets import Vault
from pepay_core.services.authenticating import Authenticating
from pepay_core.services.callers import Caller
from pepay_core.services.keeping_keys import MAX_OVERLAP, KeepingKeys, KeyRequest
from pepay_core.services.minting import Ids
from pepay_core.services.paging import Page
from pepay_core.storage.opening import open_store
from pepay_core.testing.clock import FakeClock

if TYPE_CHECKING:
    from pepay_core.services.ports import Store

TICK = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
DAY = 24 * 3600
ADDRESS = "203.0.113.7"


@dataclass
class Keys:
    """A merchant with keys, and whoever checks them."""

    store: Store
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        vault = Vault(bytes(range(32)))
        self.ids = Ids(self.clock)
        self.keeping = KeepingKeys(self.store, self.clock, self.ids, vault)
        self.checking = Authenticating(self.store, self.clock, vault)
        self.merchant = Merchant(self.ids.merchant(), "Shop", self.clock.now())
        self.user = Caller(self.merchant.id, False, "usr_1", frozenset(SCOPES))

    async def make(self, caller: Caller | None = None, **wanted: Any) -> dict[str, Any]:
        return await self.keeping.create(caller or self.user, KeyRequest(**{"name": "till", "scopes": ("invoices:read", "keys:write"), **wanted}))

    async def caller(self, made: dict[str, Any], address: str = ADDRESS) -> Caller:
        return await self.checking.authenticate(made["key"], address)

    async def maker(self, **wanted: Any) -> Caller:
        """A key that makes others."""
        return await self.caller(await self.make(**wanted))


@pytest.fixture
async def keys(store) -> Keys:
    made = Keys(store)
    await store.run(lambda tx: tx.merchants.add(made.merchant))
    return made


# --- from when until when ---------------------------------------------------------------


async def test_a_key_of_which_nothing_is_said_is_valid_for_ninety_days(keys):
    made = await keys.make()
    assert made["expires_at"] - made["created_at"] == USUAL == 90 * DAY


@pytest.mark.parametrize(("name", "seconds"), PRESETS.items())
async def test_the_usual_times_are_what_they_say(keys, name, seconds):
    assert read_lifetime(name) == seconds
    made = await keys.make(expires_in=read_lifetime(name))
    assert made["expires_at"] - made["created_at"] == seconds


async def test_only_who_asks_for_it_gets_a_key_that_never_expires(keys):
    made = await keys.make(expires_in=read_lifetime(NEVER))
    assert made["expires_at"] is None
    keys.clock.jump(timedelta(days=36_500))
    assert await keys.caller(made)


@pytest.mark.parametrize("text", ["", "2d", "90", "forever", "Never", "1h ", "\u0669\u0660d"])
def test_other_words_are_no_time(text):
    with pytest.raises(InvalidInput):
        read_lifetime(text)


@pytest.mark.parametrize("seconds", [60, 3600, USUAL, LONGEST])
async def test_a_key_expires_in_the_very_moment_in_which_its_time_is_over(keys, seconds):
    made = await keys.make(expires_in=seconds)
    keys.clock.jump(timedelta(seconds=seconds) - SECOND)
    assert await keys.caller(made)
    keys.clock.jump(SECOND - TICK)
    assert await keys.caller(made)
    keys.clock.jump(TICK)
    with pytest.raises(KeyExpired):
        await keys.caller(made)
    keys.clock.jump(SECOND)
    with pytest.raises(KeyExpired):
        await keys.caller(made)


async def test_a_key_begins_to_be_valid_in_the_very_moment_that_was_named(keys):
    begins = keys.clock.now() + timedelta(hours=1)
    made = await keys.make(not_before=begins, expires_in=3600)
    assert (made["not_before"], made["expires_at"]) == (int(begins.timestamp()), int(begins.timestamp()) + 3600)
    keys.clock.jump(timedelta(hours=1) - SECOND)
    with pytest.raises(KeyNotYetValid):
        await keys.caller(made)
    keys.clock.jump(SECOND - TICK)
    with pytest.raises(KeyNotYetValid):
        await keys.caller(made)
    keys.clock.jump(TICK)
    assert await keys.caller(made)
    keys.clock.jump(timedelta(hours=1) - TICK)
    assert await keys.caller(made)
    keys.clock.jump(TICK)
    with pytest.raises(KeyExpired):
        await keys.caller(made)


async def test_a_beginning_in_the_past_is_now(keys):
    made = await keys.make(not_before=keys.clock.now() - timedelta(days=1), expires_in=60)
    assert (made["not_before"], made["expires_at"]) == (None, made["created_at"] + 60)


@pytest.mark.parametrize("wanted", [{"expires_in": 59}, {"expires_in": 0}, {"expires_in": -1}, {"expires_in": LONGEST + 1}])
async def test_a_time_that_is_too_short_or_too_long_is_refused(keys, wanted):
    with pytest.raises(InvalidInput) as caught:
        await keys.make(**wanted)
    assert caught.value.field == "expires_in"


# --- no key makes one that is more than itself -----------------------------------------------


async def test_a_key_makes_none_that_outlives_it(keys):
    maker = await keys.maker(expires_in=3600)
    keys.clock.jump(timedelta(minutes=10))
    assert (await keys.make(maker, expires_in=50 * 60))["expires_at"] == int(maker.expires_at.timestamp())
    for wanted in ({"expires_in": 50 * 60 + 1}, {"expires_in": None}, {"expires_in": 60, "not_before": maker.expires_at - 59 * SECOND}):
        with pytest.raises(Forbidden) as caught:
            await keys.make(maker, **wanted)
        assert caught.value.field == "expires_in"


async def test_where_nothing_is_said_a_key_lasts_as_long_as_its_maker(keys):
    maker = await keys.maker(expires_in=3600)
    keys.clock.jump(timedelta(minutes=10))
    assert (await keys.make(maker))["expires_at"] == int(maker.expires_at.timestamp())
    lasting = await keys.maker(expires_in=None)
    made = await keys.make(lasting)
    assert made["expires_at"] - made["created_at"] == USUAL


async def test_a_chain_of_keys_lasts_no_longer_than_its_first(keys):
    maker = await keys.maker(expires_in=1000)
    end = maker.expires_at
    for _ in range(5):
        keys.clock.jump(timedelta(seconds=100))
        maker = await keys.caller(await keys.make(maker))
        maker = await keys.caller(await keys.keeping.rotate(maker, maker.name))
    assert maker.expires_at == end


async def test_a_key_makes_none_that_is_good_elsewhere(keys):
    maker = await keys.maker(allowed_ips=("203.0.113.0/24", "2001:db8::/32"))
    assert (await keys.make(maker))["allowed_ips"] == ["203.0.113.0/24", "2001:db8::/32"]
    assert (await keys.make(maker, allowed_ips=("203.0.113.128/25", "2001:db8:1::1")))["allowed_ips"] == ["203.0.113.128/25", "2001:db8:1::1/128"]
    for networks in (("203.0.112.0/23",), ("198.51.100.1",), ("0.0.0.0/0",), ("::/0",), ("203.0.113.1", "10.0.0.1"), ("::ffff:203.0.113.1",)):
        with pytest.raises(Forbidden) as caught:
            await keys.make(maker, allowed_ips=networks)
        assert caught.value.field == "allowed_ips"


async def test_a_key_makes_none_that_may_do_more_in_a_minute(keys):
    plain, slow = await keys.maker(), await keys.maker(writes_per_minute=5)
    assert (await keys.make(plain))["writes_per_minute"] is None
    assert (await keys.make(plain, writes_per_minute=100))["writes_per_minute"] == 100
    assert (await keys.make(slow))["writes_per_minute"] == 5
    for maker, writes in ((plain, 101), (slow, 6), (slow, 1_000_000)):
        with pytest.raises(Forbidden) as caught:
            await keys.make(maker, writes_per_minute=writes)
        assert caught.value.field == "writes_per_minute"
    assert (await keys.make(writes_per_minute=1000))["writes_per_minute"] == 1000  # a user, who is no key


async def test_a_key_makes_none_with_a_scope_that_it_lacks(keys):
    maker = await keys.maker(scopes=("keys:write", "invoices:write"))
    assert (await keys.make(maker, scopes=("invoices:read", "keys:read")))["scopes"] == ["invoices:read", "keys:read"]
    for scope in sorted(set(KEY_SCOPES) - {"keys:read", "keys:write", "invoices:read", "invoices:write"}):
        with pytest.raises(Forbidden):
            await keys.make(maker, scopes=("invoices:read", scope))


async def test_a_key_says_who_made_it(keys):
    maker = await keys.maker()
    assert (await keys.make(maker))["made_by"] == maker.name
    assert (await keys.make())["made_by"] == "usr_1"


# --- in place of another --------------------------------------------------------------------


async def test_both_keys_are_good_for_the_overlap_and_then_the_new_one_alone(keys):
    old = await keys.make(scopes=("invoices:write",), allowed_ips=("203.0.113.0/24",), writes_per_minute=7, expires_in=30 * DAY)
    keys.clock.jump(timedelta(days=20))
    new = await keys.keeping.rotate(keys.user, old["id"], 3600)
    assert (new["replaces"], new["replaced_expires_at"]) == (old["id"], int(keys.clock.now().timestamp()) + 3600)
    for name in ("name", "scopes", "allowed_ips", "writes_per_minute", "livemode"):
        assert new[name] == old[name]
    assert new["expires_at"] - new["created_at"] == 30 * DAY
    assert new["key"] != old["key"]
    keys.clock.jump(timedelta(seconds=3600) - TICK)
    assert await keys.caller(old)
    assert await keys.caller(new)
    keys.clock.jump(TICK)
    with pytest.raises(KeyExpired):
        await keys.caller(old)
    assert await keys.caller(new)


async def test_without_an_overlap_the_old_key_ends_at_once(keys):
    old = await keys.make()
    new = await keys.keeping.rotate(keys.user, old["id"], 0)
    with pytest.raises(KeyExpired):
        await keys.caller(old)
    assert await keys.caller(new)


async def test_an_overlap_prolongs_nothing(keys):
    old = await keys.make(expires_in=3600)
    new = await keys.keeping.rotate(keys.user, old["id"], DAY)
    assert new["replaced_expires_at"] == old["expires_at"]


async def test_a_key_that_never_expires_is_replaced_by_one_that_does_not_either(keys):
    old = await keys.make(expires_in=None)
    new = await keys.keeping.rotate(keys.user, old["id"])
    assert new["expires_at"] is None
    assert new["replaced_expires_at"] == old["created_at"] + DAY


async def test_a_key_that_is_over_is_not_replaced(keys):
    expired, revoked, other = await keys.make(expires_in=60), await keys.make(), await keys.make()
    await keys.keeping.revoke(keys.user, revoked["id"])
    keys.clock.jump(timedelta(seconds=60))
    for made in (expired, revoked):
        with pytest.raises(NotFound):
            await keys.keeping.rotate(keys.user, made["id"])
    live = Caller(keys.merchant.id, True, "usr_1", frozenset(SCOPES))
    with pytest.raises(NotFound):
        await keys.keeping.rotate(live, other["id"])


async def test_a_key_cannot_become_more_by_replacing_one_that_is(keys):
    wide = await keys.make(scopes=KEY_SCOPES)
    for wanted in ({}, {"scopes": KEY_SCOPES, "allowed_ips": (ADDRESS,)}, {"scopes": KEY_SCOPES, "writes_per_minute": 5}):
        maker = await keys.maker(**wanted)
        if "scopes" in wanted:
            new = await keys.keeping.rotate(maker, (await keys.make(scopes=KEY_SCOPES))["id"])
            assert (new["allowed_ips"], new["writes_per_minute"]) == ([f"{ADDRESS}/32"] if maker.allowed_ips else [], maker.writes_per_minute)
        else:
            with pytest.raises(Forbidden):
                await keys.keeping.rotate(maker, wide["id"])
    assert await keys.caller(wide)


@pytest.mark.parametrize("overlap", [-1, MAX_OVERLAP + 1])
async def test_an_overlap_is_no_longer_than_a_week(keys, overlap):
    made = await keys.make()
    with pytest.raises(InvalidInput):
        await keys.keeping.rotate(keys.user, made["id"], overlap)


async def test_a_rotation_cannot_bring_back_a_key_that_is_revoked_meanwhile(keys):
    for _ in range(10):
        made = await keys.make()
        results = await asyncio.gather(
            keys.keeping.rotate(keys.user, made["id"], 60), keys.keeping.revoke(keys.user, made["id"]), return_exceptions=True
        )
        assert not isinstance(results[1], Exception)
        with pytest.raises(KeyRevoked):
            await keys.caller(made)


# --- at once, everywhere -----------------------------------------------------------------------


async def test_a_key_that_one_process_revokes_is_refused_by_every_other(keys, database_url):
    made = await keys.make()
    async with open_store(database_url, keys.clock) as other:
        elsewhere = Authenticating(other, keys.clock, Vault(bytes(range(32))))
        caller = await elsewhere.authenticate(made["key"], ADDRESS)
        await elsewhere.touch(caller)
        await keys.keeping.revoke(keys.user, made["id"])
        with pytest.raises(KeyRevoked):
            await elsewhere.authenticate(made["key"], ADDRESS)


async def test_what_a_key_was_used_for_last_does_not_undo_its_end(keys):
    made = await keys.make()
    caller = await keys.caller(made)
    await keys.keeping.revoke(keys.user, made["id"])
    await keys.checking.touch(caller)
    with pytest.raises(KeyRevoked):
        await keys.caller(made)
    (listed,) = (await keys.keeping.page(keys.user, Page())).items
    assert listed["last_used_at"] is not None


async def test_what_is_wrong_with_a_key_is_told_to_its_holder_alone(keys):
    made = await keys.make(not_before=keys.clock.now() + timedelta(hours=1))
    wrong = made["key"][:-1] + ("a" if made["key"][-1] != "a" else "b")
    with pytest.raises(Unauthenticated) as caught:
        await keys.checking.authenticate(wrong, ADDRESS)
    assert type(caught.value) is Unauthenticated
