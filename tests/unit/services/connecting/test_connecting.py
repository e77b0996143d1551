"""A shop's way to a key of its own, and the ways in which nobody else gets it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pepay_core.domain.connecting import GRAVE, WORDS, read_request
from pepay_core.domain.errors import Forbidden, InvalidGrant, InvalidInput
from pepay_core.domain.merchants import KEY_SCOPES, Merchant
from pepay_core.domain.people import Member, User
from pepay_core.domain.roles import ROLES, Role
from pepay_core.secrets import Vault
from pepay_core.services.authenticating import Authenticating
from pepay_core.services.callers import Caller
from pepay_core.services.connecting import GOOD_FOR, Connecting
from pepay_core.services.keeping_keys import KeepingKeys
from pepay_core.services.minting import Ids
from pepay_core.testing.clock import FakeClock

if TYPE_CHECKING:
    from pepay_core.services.ports import Store

TICK = timedelta(microseconds=1)
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # the example of RFC 7636
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {
    "application_name": "My shop",
    "scopes": "invoices:write webhooks:read",
    "redirect": "https://shop.example/pepay/connected",
    "state": "s-1_~",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@dataclass
class World:
    """A merchant with a member, and a shop that asks."""

    store: Store
    clock: FakeClock = field(default_factory=FakeClock)

    async def begin(self, role: Role = Role.OWNER) -> World:
        vault, self.ids = Vault(bytes(range(32))), Ids(self.clock)
        self.keys = KeepingKeys(self.store, self.clock, self.ids, vault)
        self.checking = Authenticating(self.store, self.clock, vault)
        self.connecting = Connecting(self.store, self.clock, self.keys)
        self.merchant = Merchant(self.ids.merchant(), "Shop", self.clock.now())
        self.user = User(self.ids.user(), "Ada", b"sealed", "digest", b"sealed", self.clock.now())

        async def work(tx):
            await tx.merchants.add(self.merchant)
            await tx.users.add(self.user)
            await tx.members.add(Member(self.merchant.id, self.user.id, role, self.clock.now()))

        await self.store.run(work)
        return self

    def caller(self, role: Role = Role.OWNER, *, livemode: bool = False) -> Caller:
        return Caller(self.merchant.id, livemode, self.user.id, ROLES[role])

    async def consent(self, caller: Caller | None = None, **changes: str) -> str:
        """Say yes, and return the code that the shop gets."""
        back = await self.connecting.consent(caller or self.caller(), read_request({**ASKED, **changes}))
        return parse_qs(urlsplit(back).query)["code"][0]

    async def exchange(self, code: str, verifier: str = VERIFIER) -> dict[str, Any]:
        return await self.connecting.exchange(code, verifier)


@pytest.fixture
async def world(store) -> World:
    return await World(store).begin()


# --- the good case -----------------------------------------------------------------------


async def test_a_shop_gets_a_key_that_can_do_what_was_agreed_and_no_more(world):
    made = await world.exchange(await world.consent())
    assert (made["name"], made["scopes"], made["livemode"], made["merchant"]) == (
        "My shop",
        ["invoices:write", "webhooks:read"],
        False,
        world.merchant.id,
    )
    assert (made["expires_at"] - made["created_at"], made["made_by"]) == (90 * 86_400, world.user.id)
    caller = await world.checking.authenticate(made["key"], None)
    assert caller.scopes == {"invoices:write", "webhooks:read"}


async def test_the_environment_is_the_members_choice(world):
    made = await world.exchange(await world.consent(world.caller(livemode=True), environment="test"))
    assert made["livemode"] is True
    assert made["key"].startswith("pepay_live_")


async def test_the_browser_goes_back_exactly_there_with_code_and_state(world):
    back = await world.connecting.consent(
        world.caller(), read_request({**ASKED, "redirect": "https://shop.example/x?shop=1&a=%2F", "state": "a&b=c"})
    )
    assert back.startswith("https://shop.example/x?shop=1&a=%2F&code=")
    assert parse_qs(urlsplit(back).query)["state"] == ["a&b=c"]
    assert read_request(ASKED).back(error="access_denied") == "https://shop.example/pepay/connected?error=access_denied&state=s-1_%7E".replace(
        "%7E", "~"
    )


async def test_neither_the_code_nor_the_key_is_in_the_database_or_the_redirect(world, store):
    back = await world.connecting.consent(world.caller(), read_request(ASKED))
    assert "pepay_test_" not in back
    code = parse_qs(urlsplit(back).query)["code"][0]
    grant = await store.run(lambda tx: tx.grants.take(hashlib.sha256(code.encode()).hexdigest()))
    assert code not in repr(grant)
    assert grant.digest != code


# --- whoever is not the shop ----------------------------------------------------------------


async def test_a_code_works_once(world):
    code = await world.consent()
    await world.exchange(code)
    with pytest.raises(InvalidGrant):
        await world.exchange(code)


async def test_of_many_who_try_a_code_at_once_one_gets_the_key(world):
    code = await world.consent()
    results = await asyncio.gather(*(world.exchange(code) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(each, dict) for each in results) == 1
    assert all(isinstance(each, dict | InvalidGrant) for each in results)


@pytest.mark.parametrize("verifier", ["", "x" * 43, VERIFIER[:-1], VERIFIER + "a", CHALLENGE, VERIFIER.swapcase(), "é" * 43])
async def test_whoever_lacks_the_secret_gets_nothing_and_uses_the_code_up(world, verifier):
    code = await world.consent()
    with pytest.raises(InvalidGrant):
        await world.exchange(code, verifier)
    with pytest.raises(InvalidGrant):
        await world.exchange(code)


@pytest.mark.parametrize("code", ["", "x", "x" * 43, "a'b" * 20, "é" * 43])
async def test_a_code_that_was_never_given_is_worth_nothing(world, code):
    with pytest.raises(InvalidGrant):
        await world.exchange(code)


async def test_a_code_is_good_for_two_minutes_to_the_moment(world):
    first = await world.consent()
    world.clock.jump(GOOD_FOR - TICK)
    assert await world.exchange(first)
    second = await world.consent()
    world.clock.jump(GOOD_FOR)
    with pytest.raises(InvalidGrant):
        await world.exchange(second)


async def test_codes_of_two_shops_do_not_fit_each_others_secrets(world):
    other = secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(other.encode()).digest()).rstrip(b"=").decode()
    mine, theirs = await world.consent(), await world.consent(code_challenge=challenge)
    with pytest.raises(InvalidGrant):
        await world.exchange(mine, other)
    assert await world.exchange(theirs, other)


# --- whoever may not say yes --------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.ACCOUNTANT, Role.VIEWER])
async def test_a_role_that_makes_no_keys_gives_none_away(world, role):
    with pytest.raises(Forbidden):
        await world.consent(world.caller(role))


async def test_a_role_gives_away_nothing_that_it_lacks(world):
    assert await world.consent(world.caller(Role.DEVELOPER))
    with pytest.raises(Forbidden, match="wallets:write"):
        await world.consent(world.caller(Role.DEVELOPER), scopes="invoices:write wallets:write")


@pytest.mark.parametrize("change", ["removed", "demoted", "suspended"])
async def test_a_member_who_may_not_any_more_when_the_shop_comes_has_agreed_to_nothing(world, change):
    from dataclasses import replace

    code = await world.consent()

    async def work(tx):
        if change == "removed":
            await tx.members.remove(world.merchant.id, world.user.id)
        elif change == "demoted":
            await tx.members.set_role(world.merchant.id, world.user.id, Role.VIEWER)
        else:
            user = await tx.users.get(world.user.id, lock=True)
            await tx.users.save(replace(user, suspended_at=world.clock.now()))

    await world.store.run(work)
    with pytest.raises(InvalidGrant):
        await world.exchange(code)


# --- what may be asked -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "redirect",
    [
        "https://shop.example",
        "https://shop.example/",
        "https://shop.example/a/b?c=d&e=",
        "https://shop.example:8443/x",
        "https://xn--bcher-kva.example/x",
        "http://localhost:3000/cb",
        "http://127.0.0.1/cb",
    ],
)
def test_a_shop_is_sent_back_over_https_or_to_this_machine(redirect):
    assert read_request({**ASKED, "redirect": redirect}).redirect == redirect


@pytest.mark.parametrize(
    "redirect",
    [
        "",
        "shop.example",
        "/cb",
        "//shop.example/cb",
        "http://shop.example/cb",
        "http://127.0.0.1.shop.example/cb",
        "http://localhost.shop.example/cb",
        "http://0.0.0.0/cb",
        "http://10.0.0.1/cb",
        "ftp://shop.example/",
        "javascript:alert(1)",
        "javascript://shop.example/%0aalert(1)",
        "data:text/html,x",
        "https:shop.example",
        "https:///shop.example",
        "https://shop.example\\@evil.example/",
        "https://shop.example@evil.example/",
        "https://user:pass@shop.example/",
        "https://shop.example#x",
        "https://shop.example/#x",
        "https://shop.example/a b",
        "https://shop.example/\r\nSet-Cookie: x=1",
        "https://shop.example/\tx",
        "https://SHOP.example/cb",
        "https://shop.example:443/cb",
        "https://shop.example:99999/cb",
        "https://shop.example:/cb",
        "https://shop.example./cb",
        "https://b\u00fccher.example/cb",
        "https://shop.example/\u202ecb",
        "https://[::1]/cb",
        "https://shop_x.example/cb",
        "https://*.example/cb",
        "https://shop.example/?code=x",
        "https://shop.example/?a=b&state=",
        "https://shop.example/?error=1",
        "https://shop.example/" + "a" * 1000,
        " https://shop.example/",
        "https://shop.example/<script>",
        'https://shop.example/"x',
    ],
)
def test_a_redirect_that_could_lead_elsewhere_is_refused(redirect):
    with pytest.raises(InvalidInput) as caught:
        read_request({**ASKED, "redirect": redirect})
    assert caught.value.field == "redirect"


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("application_name", ["", " ", "a" * 61, "a\x00", "a\u202eb"]),
        ("scopes", ["", " ", "everything", "members:write", "members:read invoices:read", "invoices:read;webhooks:read"]),
        ("state", ["a b", "\u00e9", "a\n", "x" * 513]),
        ("code_challenge", ["", "x" * 42, "x" * 44, CHALLENGE + "=", CHALLENGE[:-1] + "+"]),
        ("code_challenge_method", ["", "plain", "s256"]),
        ("expires_in", ["never", "3600", "2d", ""]),
        ("environment", ["mainnet", "", "Live"]),
    ],
)
def test_what_is_not_as_it_must_be_is_refused_by_its_name(field, values):
    for value in values:
        with pytest.raises(InvalidInput) as caught:
            read_request({**ASKED, field: value})
        assert caught.value.field == field


@pytest.mark.parametrize("field", ["application_name", "scopes", "redirect", "code_challenge", "code_challenge_method"])
def test_what_is_needed_must_be_given(field):
    with pytest.raises(InvalidInput) as caught:
        read_request({name: value for name, value in ASKED.items() if name != field})
    assert caught.value.field == field


def test_there_are_words_for_every_scope():
    assert set(WORDS) == set(KEY_SCOPES)
    assert set(KEY_SCOPES) >= GRAVE
