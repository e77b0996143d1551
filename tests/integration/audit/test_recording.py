"""The audit log says everything that was done, and whoever changes what it says is found out."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from pepay_core.clock import SystemClock
from pepay_core.domain.audit import Actor, ActorKind
from pepay_core.domain.errors import InvalidInput
from pepay_core.domain.ids import MerchantId
from pepay_core.secrets import Vault
from pepay_core.services.attesting import Attesting, read_anchor
from pepay_core.services.callers import Caller
from pepay_core.services.paging import Page
from pepay_core.services.recording import Recorder, operator, system

SHOP = MerchantId("mer_01000000000000000000000000")
OTHER = MerchantId("mer_02000000000000000000000000")
KEY = "key_01000000000000000000000000"
CALLER = Caller(SHOP, livemode=False, name=KEY)


@pytest.fixture
def vault():
    return Vault(bytes(range(32)))


@pytest.fixture
def recorder(vault):
    return Recorder(SystemClock(), vault)


@pytest.fixture
def attesting(store, vault):
    return Attesting(store, vault)


async def note(store, recorder, *, actor=CALLER, action="key.created", subject=KEY, details=None):
    await store.run(lambda tx: recorder.note(tx, actor, action, subject, details))


async def messages(attesting, anchors=None):
    return [each.message for each in (await attesting.verify(anchors)).flaws]


class TestWriting:
    async def test_an_entry_says_who_did_what_when_and_to_what(self, store, recorder, attesting):
        await note(store, recorder, details={"name": "Bücher 🛒", "scopes": ["invoices:read"]})
        (entry,) = (await attesting.page(CALLER, Page(), {})).items
        assert entry.pop("id").startswith("aud_")
        assert entry.pop("created_at") > 1_700_000_000
        assert entry == {
            "object": "audit_entry",
            "livemode": False,
            "merchant": SHOP,
            "actor": {"kind": "key", "name": KEY},
            "action": "key.created",
            "subject": KEY,
            "details": {"name": "Bücher 🛒", "scopes": ["invoices:read"]},
        }

    async def test_what_is_rolled_back_was_not_done(self, store, recorder, attesting):
        async def fail(tx):
            await recorder.note(tx, CALLER, "key.created", KEY)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await store.run(fail)
        found = await attesting.verify()
        assert (found.entries, found.flaws) == (0, ())

    async def test_writers_at_once_make_one_chain(self, store, recorder, attesting):
        await asyncio.gather(*(note(store, recorder, subject=f"{number}") for number in range(40)))
        found = await attesting.verify()
        assert (found.entries, found.flaws) == (40, ())

    async def test_a_caller_is_a_key_a_user_or_the_operator(self, store, recorder, attesting):
        for name in (KEY, "usr_01000000000000000000000000", "command line"):
            await note(store, recorder, actor=Caller(SHOP, livemode=False, name=name))
        found = (await attesting.page(CALLER, Page(), {})).items
        assert [each["actor"]["kind"] for each in found] == ["operator", "user", "key"]

    async def test_details_are_not_readable_in_the_database(self, store, recorder):
        await note(store, recorder, details={"email": "anna@example.com"})
        async with store.read() as tx:
            entry = await tx.audit.newest()
        assert b"anna" not in entry.details


class TestReading:
    async def test_a_merchant_sees_its_own_environment_and_what_belongs_to_none(self, store, recorder, attesting):
        await note(store, recorder, subject="test")
        await note(store, recorder, actor=replace(CALLER, livemode=True), subject="live")
        await note(store, recorder, actor=Actor(ActorKind.USER, "usr", SHOP), subject="both")
        await note(store, recorder, actor=replace(CALLER, merchant=OTHER), subject="other")
        await note(store, recorder, actor=operator(), subject="installation")
        await note(store, recorder, actor=system("dispatcher", SHOP, livemode=False), subject="itself")
        shown = [each["subject"] for each in (await attesting.page(CALLER, Page(), {})).items]
        assert shown == ["itself", "both", "test"]
        everything = [each["subject"] async for each in attesting.every()]
        assert everything == ["test", "live", "both", "other", "installation", "itself"]

    async def test_the_list_is_filtered_and_paged(self, store, recorder, attesting):
        for number in range(5):
            await note(store, recorder, action="a" if number % 2 else "b", subject=str(number))
        first = await attesting.page(CALLER, Page(limit=2), {"action": "b"})
        assert [each["subject"] for each in first.items] == ["4", "2"]
        assert first.has_more
        rest = await attesting.page(CALLER, Page(limit=2, starting_after=first.items[-1]["id"]), {"action": "b"})
        assert [each["subject"] for each in rest.items] == ["0"]
        back = await attesting.page(CALLER, Page(limit=9, ending_before=rest.items[0]["id"]), {})
        assert [each["subject"] for each in back.items] == ["4", "3", "2", "1"]
        with pytest.raises(InvalidInput):
            await attesting.page(replace(CALLER, merchant=OTHER), Page(starting_after=rest.items[0]["id"]), {})


class TestAnchors:
    async def test_an_anchor_holds_while_the_log_grows(self, store, recorder, attesting):
        anchors = [await attesting.anchor()]
        for number in range(3):
            await note(store, recorder, subject=str(number))
            anchors.append(await attesting.anchor())
        assert await messages(attesting, dict(map(read_anchor, anchors))) == []

    async def test_a_log_that_was_put_back_to_an_earlier_day_contradicts_its_anchor(self, store, recorder, attesting):
        await note(store, recorder)
        async with store.read() as tx:
            earlier = await tx.audit.head()
        await note(store, recorder)
        anchor = read_anchor(await attesting.anchor())
        async with store.begin() as tx:
            await tx.audit._raw("DELETE FROM pepay_audit WHERE seq = 2")
            await tx.audit._raw("UPDATE pepay_audit_head SET sealed = {}", earlier)
        assert await messages(attesting) == []
        assert await messages(attesting, dict([anchor])) == ["the entry that the anchor names is gone"]
        await note(store, recorder)
        assert await messages(attesting, dict([anchor])) == ["it is not the entry that the anchor names"]

    @pytest.mark.parametrize("text", ["", "1", "1:", "x:" + "0" * 64, "1:" + "0" * 63, "1:" + "G" * 64, "-1:" + "0" * 64])
    def test_what_is_no_anchor_is_refused(self, text):
        with pytest.raises(InvalidInput, match="pepay audit anchor"):
            read_anchor(text)


class TestAfterTampering:
    async def test_recording_goes_on_and_the_break_is_found_for_ever(self, store, recorder, attesting):
        for number in range(3):
            await note(store, recorder, subject=str(number))
        async with store.begin() as tx:
            await tx.audit._raw("DELETE FROM pepay_audit")
            await tx.audit._raw("DELETE FROM pepay_audit_head")
        assert await messages(attesting) == ["the head is gone: nobody knows how many entries there were"]
        await note(store, recorder)
        await note(store, recorder)
        found = await attesting.verify()
        assert (found.entries, len(found.flaws)) == (2, 1)
