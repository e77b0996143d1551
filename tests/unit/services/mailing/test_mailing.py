"""Letters from the transaction that queues them to a real mail server, on a real store."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from mail_server import Mailbox

from pepay_core.domain.endpoints import Endpoint
from pepay_core.domain.errors import Conflict, InvalidInput, NotFound
from pepay_core.domain.mails import MailState
from pepay_core.domain.merchants import Merchant
from pepay_core.domain.people import Member, User
from pepay_core.domain.roles import Role
from pepay_core.http import AiohttpClient
from pepay_core.secrets import Vault
from pepay_core.services import carrying
from pepay_core.services.callers import Caller
from pepay_core.services.carrying import KEPT, PAUSES, Carrier
from pepay_core.services.endpoints import Endpoints
from pepay_core.services.mailing import WINDOW, Mailing
from pepay_core.services.minting import Ids
from pepay_core.services.noticing import Noticing
from pepay_core.services.notifying import Dispatcher
from pepay_core.services.paging import Page
from pepay_core.services.people.addressing import Emails
from pepay_core.services.publishing import Outbox
from pepay_core.services.recording import Recorder
from pepay_core.testing.clock import FakeClock
from pepay_core.testing.receiver import Receiver
from pepay_email.notifier import MailNotifier
from pepay_email.server import Server
from pepay_email.settings import EmailSettings
from pepay_webhook_hmac.notifier import WebhookNotifier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pepay_core.contracts.notifier import Notifier
    from pepay_core.services.ports import Store

RESET = {"link": "https://pay.example/reset/CANARY-LINK"}


@dataclass
class Mails:
    """Everything between a letter and its reader."""

    store: Store
    mailbox: Mailbox
    clock: FakeClock = field(default_factory=FakeClock)
    vault: Vault = field(default_factory=lambda: Vault(bytes(range(32))))

    def __post_init__(self) -> None:
        settings = EmailSettings(host="127.0.0.1", port=self.mailbox.port, security="none", sender="pay@shop.example", timeout=10)
        self.notifiers: dict[str, Notifier] = {"mailto": MailNotifier(Server(settings), settings)}
        self.carrier = Carrier(self.store, self.notifiers, self.clock, rng=lambda: 0.0)
        self.mailing = Mailing(self.store, self.notifiers, self.vault, Ids(self.clock), self.clock, self.carrier.wake)

    async def queue(self, to: str = "ada@example.com", kind: str = "password_reset", values: Any = None, **more: Any) -> str:
        return await self.store.run(lambda tx: self.mailing.queue(tx, to, kind, RESET if values is None else values, **more))

    async def send(self, carrier: Carrier | None = None) -> int:
        return await (carrier or self.carrier).send_due(self.mailing)

    async def shown(self) -> list[dict[str, Any]]:
        return list((await self.mailing.page(Page(limit=100))).items)

    async def states(self) -> list[str]:
        return [each["state"] for each in await self.shown()]


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture
def mails(store, mailbox) -> Mails:
    return Mails(store, mailbox)


async def test_a_letter_that_was_committed_arrives_once(mails, mailbox):
    await mails.queue()
    assert await mails.send() == 1
    assert await mails.send() == 0
    (got,) = mailbox.got
    assert got.recipients == ["ada@example.com"]
    assert got.message["Subject"] == "Choose a new password"
    assert RESET["link"] in got.text
    assert await mails.states() == ["sent"]


async def test_a_letter_of_a_transaction_that_failed_is_never_sent(mails, mailbox):
    async def work(tx):
        await mails.mailing.queue(tx, "ada@example.com", "password_reset", RESET)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await mails.store.run(work)
    assert await mails.send() == 0
    assert mailbox.got == []


async def test_the_database_shows_neither_whom_a_letter_is_for_nor_what_it_says(mails, store):
    mail = await mails.queue("ada-canary@example.com")
    async with store.read() as tx:
        stored = await tx.mails.find(mail)
    for canary in (b"ada-canary", b"CANARY-LINK", b"reset/"):
        assert canary not in stored.to + stored.values
    assert "CANARY" not in repr(stored) + repr(await mails.shown())
    assert mails.mailing.opened(stored)[0] == "ada-canary@example.com"


async def test_what_was_sent_is_forgotten_but_for_the_fact(mails, store):
    mail = await mails.queue()
    await mails.send()
    async with store.read() as tx:
        stored = await tx.mails.find(mail)
    assert (stored.to, stored.values) == (b"", b"")
    mails.clock.jump(KEPT + timedelta(hours=2))
    await mails.send()
    assert await mails.shown() == []


async def test_a_server_that_is_busy_is_asked_again_at_the_times_of_the_schedule(mails, mailbox):
    mailbox.answers["RCPT"] = "451 later"
    await mails.queue(good_for=timedelta(days=1))
    for number, pause in enumerate(PAUSES, start=1):
        assert await mails.send() == 1
        (shown,) = await mails.shown()
        assert (shown["state"], shown["attempts"], shown["next_at"]) == ("pending", number, int((mails.clock.now() + pause).timestamp()))
        assert shown["error"] == "the mail server refuses the recipient: 451 later"
        mails.clock.jump(pause - timedelta(microseconds=1))
        assert await mails.send() == 0
        mails.clock.jump(timedelta(microseconds=1))
    mailbox.answers.clear()
    assert await mails.send() == 1
    assert len(mailbox.got) == 1
    assert await mails.states() == ["sent"]


async def test_a_letter_that_is_no_longer_worth_sending_is_given_up_and_says_why(mails, mailbox, caplog):
    mailbox.answers["MAIL"] = "450 later"
    await mails.queue(good_for=timedelta(minutes=30))
    for _ in range(30):
        await mails.send()
        mails.clock.jump(timedelta(minutes=2))
    (shown,) = await mails.shown()
    assert (shown["state"], shown["error"]) == ("failed", "the mail server refuses the sender: 450 later")
    assert shown["attempts"] == 5  # after 0, 15 s, 75 s, 6 min, 21 min: the next one would come too late
    assert f"mail {shown['id']} (password_reset) was given up" in caplog.text
    assert "ada@example.com" not in caplog.text
    assert "CANARY" not in caplog.text


async def test_a_recipient_that_does_not_exist_is_asked_for_once(mails, mailbox):
    mailbox.answers["RCPT"] = "550 no <ADA@Example.com>: eve@example.com is here, Ada is not"
    await mails.queue()
    assert await mails.send() == 1
    mails.clock.jump(timedelta(days=1))
    assert await mails.send() == 0
    (shown,) = await mails.shown()
    assert (shown["state"], shown["error"]) == (
        "failed",
        "the mail server refuses the recipient: 550 no <[address]>: [address] is here, [address] is not",
    )


async def test_a_dead_letter_can_be_sent_again(mails, mailbox):
    mailbox.answers["RCPT"] = "550 no"
    first = await mails.queue()
    await mails.send()
    mailbox.answers.clear()
    again = await mails.mailing.retry(first)
    assert again["state"] == "pending"
    await mails.send()
    assert [each.recipients for each in mailbox.got] == [["ada@example.com"]]
    assert RESET["link"] in mailbox.got[0].text
    with pytest.raises(Conflict, match="this mail is sent"):
        await mails.mailing.retry(again["id"])
    with pytest.raises(NotFound):
        await mails.mailing.retry("msg_00000000000000000000000000")


async def test_one_bad_letter_holds_up_no_other(mails, mailbox):
    bad = await mails.queue("bad@example.com")
    await mails.store.run(lambda tx: _break(tx, bad))
    for each in range(6):
        await mails.queue(f"a{each}@example.com")
    assert await mails.send() == 7
    assert sorted(each.recipients[0] for each in mailbox.got) == [f"a{each}@example.com" for each in range(6)]
    assert sorted(await mails.states()) == ["failed", *["sent"] * 6]


async def _break(tx, mail):
    from dataclasses import replace

    stored = await tx.mails.find(mail)
    assert await tx.mails.record(replace(stored, values=stored.to))


async def test_two_carriers_send_every_letter_once(mails, mailbox):
    for each in range(12):
        await mails.queue(f"a{each}@example.com")
    other = Carrier(mails.store, mails.notifiers, mails.clock)
    made = await asyncio.gather(mails.send(), mails.send(other))
    assert sum(made) == 12
    assert len({each.recipients[0] for each in mailbox.got}) == len(mailbox.got) == 12


async def test_what_a_process_was_sending_when_it_died_is_sent_by_another(mails, mailbox):
    await mails.queue()
    now = mails.clock.now()
    (taken,) = await mails.store.run(lambda tx: tx.mails.claim(now, limit=4, lease_until=now + timedelta(minutes=2)))
    assert await mails.send() == 0
    mails.clock.jump(timedelta(minutes=2))
    assert await mails.send() == 1
    assert len(mailbox.got) == 1
    # The first one was not dead after all: what it says comes too late to count.
    assert not await mails.store.run(lambda tx: tx.mails.record(taken))
    assert await mails.states() == ["sent"]


async def test_without_a_plugin_that_sends_mail_letters_wait_and_then_say_so(mails):
    notifier = mails.notifiers.pop("mailto")
    assert not mails.mailing.can_send
    await mails.queue()
    assert await mails.send() == 0
    assert await mails.states() == ["pending"]
    mails.clock.jump(WINDOW)
    await mails.send()
    (shown,) = await mails.shown()
    assert (shown["state"], shown["error"]) == ("failed", "no running plugin sends mail")
    mails.notifiers["mailto"] = notifier
    assert mails.mailing.can_send


@pytest.mark.parametrize(
    "address", ["", "ada", "ada@example.com\r\nBcc: eve@example.com", "ada@example.com, eve@example.com", "a" * 300 + "@example.com"]
)
async def test_what_is_no_address_is_refused_when_it_is_queued(mails, address):
    with pytest.raises(InvalidInput):
        await mails.queue(address)


async def test_a_letter_that_lacks_a_value_is_a_mistake_that_shows_at_once(mails):
    with pytest.raises(LookupError):
        await mails.queue(values={})
    with pytest.raises(LookupError):
        await mails.queue(kind="no_such_letter")


async def test_values_can_neither_add_lines_nor_headers_nor_other_values(mails, mailbox):
    evil = "Shop\r\nBcc: eve@example.com\n\nClick http://evil.example $link ${link}"
    values = {"inviter": evil, "merchant": "Shop", "role": "viewer", "link": "https://pay.example/i/1"}
    await mails.queue(kind="invitation", values=values)
    await mails.send()
    (got,) = mailbox.got
    flat = "Shop Bcc: eve@example.com Click http://evil.example $link ${link}"
    assert got.recipients == ["ada@example.com"]
    assert got.message["Bcc"] is None
    assert " ".join(got.message["Subject"].split()) == f"{flat} invites you to Shop"
    assert f"\n{flat} invites you to Shop on PePay, as viewer." in f"\n{got.text}"


async def test_the_carrier_sends_what_is_queued_while_it_runs(mails, mailbox):
    task = asyncio.create_task(mails.carrier.run(mails.mailing))
    try:
        await mails.queue()
        await mailbox.wait_for(1)
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_the_carrier_survives_a_database_that_goes_away(mails, mailbox, monkeypatch):
    real, failures = mails.store.run, iter([OSError("gone"), OSError("gone")])

    async def flaky(work):
        for failure in failures:
            raise failure
        return await real(work)

    await mails.queue()
    monkeypatch.setattr(mails.store, "run", flaky)
    task = asyncio.create_task(mails.carrier.run(mails.mailing))
    try:
        async with asyncio.timeout(30):
            while not mailbox.got:
                await mails.clock.advance(1)
                await asyncio.sleep(0.005)
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert carrying.SCHEME in mails.notifiers


async def test_states_are_counted(mails, mailbox, store):
    mailbox.answers["RCPT"] = "550 no"
    await mails.queue()
    await mails.send()
    await mails.queue()
    async with store.read() as tx:
        assert await tx.mails.numbers() == {MailState.PENDING: 1, MailState.SENT: 0, MailState.FAILED: 1}
    assert [each["state"] for each in (await mails.mailing.page(Page(), state=MailState.FAILED)).items] == ["failed"]


# --- what owners are told ------------------------------------------------------------------


async def owners_of(mails, *addresses, suspended=()):
    """Make a merchant with owners and a viewer, and return it."""
    emails = Emails(mails.vault)
    ids = Ids(mails.clock)
    merchant = Merchant(ids.merchant(), "Ada's shop", mails.clock.now())

    async def work(tx):
        await tx.merchants.add(merchant)
        for role, each in [*((Role.OWNER, each) for each in addresses), (Role.VIEWER, "viewer@example.com")]:
            new = ids.user()
            ended = mails.clock.now() if each in suspended else None
            user = User(new, "Somebody", emails.seal(new, each), emails.digest(each), b"sealed", mails.clock.now(), suspended_at=ended)
            await tx.users.add(user)
            await tx.members.add(Member(merchant.id, new, role, mails.clock.now()))

    await mails.store.run(work)
    return merchant


async def an_endpoint(mails, merchant, url):
    ids = Ids(mails.clock)
    endpoint = Endpoint(ids.endpoint(), merchant.id, False, "webhook", url, ("*",), b"sealed", mails.clock.now(), disabled_reason="gone")
    await mails.store.run(lambda tx: tx.endpoints.add(endpoint))
    return endpoint


async def test_the_owners_are_told_of_an_endpoint_that_was_disabled_without_what_its_url_hides(mails, mailbox):
    merchant = await owners_of(
        mails, "ada@example.com", "bob@example.com", "gone@example.com", "jos\u00e9@example.com", suspended=("gone@example.com",)
    )
    endpoint = await an_endpoint(mails, merchant, "https://shop.example/hook/SECRET-PATH?token=SECRET-TOKEN")
    await mails.store.run(lambda tx: Noticing(mails.mailing, mails.vault).endpoint_disabled(tx, endpoint))
    await mails.send()
    assert sorted(each.recipients[0] for each in mailbox.got) == ["ada@example.com", "bob@example.com"]
    text = mailbox.got[0].text
    assert "https://shop.example\n" in text
    assert "it answered that it wants no more deliveries (410)" in text
    assert f"PATCH /api/v1/webhooks/{endpoint.id}" in text
    assert "SECRET" not in text


async def test_an_endpoint_that_answers_410_is_disabled_and_its_owner_told_in_one_go(mails, mailbox):
    merchant = await owners_of(mails, "ada@example.com")
    caller = Caller(merchant.id, False, "key_1")
    ids = Ids(mails.clock)
    outbox = Outbox(mails.clock, ids, lambda _event: None)
    async with Receiver() as receiver, AiohttpClient(allow_private=True) as http:
        receiver.answer(410)
        notifiers = {**mails.notifiers, "webhook": WebhookNotifier(http, mails.clock)}
        endpoints = Endpoints(mails.store, notifiers, mails.vault, outbox, ids, mails.clock)
        made = await endpoints.create(caller, receiver.url, ("*",))
        dispatcher = Dispatcher(
            mails.store,
            notifiers,
            mails.vault,
            outbox,
            mails.clock,
            noticing=Noticing(mails.mailing, mails.vault),
            recorder=Recorder(mails.clock, mails.vault),
        )
        await mails.store.run(lambda tx: outbox.publish(tx, "invoice.paid", merchant=merchant.id, livemode=False, subject="inv_1", obj={}))
        await dispatcher.drain_once()
    await mails.send()
    (got,) = mailbox.got
    assert got.message["Subject"] == "A webhook endpoint of Ada's shop was disabled"
    assert made["id"] in got.text
    async with mails.store.read() as tx:
        noted = await tx.audit.newest()
    assert noted is not None
    assert (noted.actor.kind, noted.actor.merchant, noted.action, noted.subject) == ("system", merchant.id, "webhook.disabled", made["id"])


async def test_events_go_by_mail_to_members_alone(mails, mailbox):
    merchant = await owners_of(mails, "ada@example.com")
    caller = Caller(merchant.id, False, "key_1")
    ids = Ids(mails.clock)
    outbox = Outbox(mails.clock, ids, lambda _event: None)
    endpoints = Endpoints(mails.store, mails.notifiers, mails.vault, outbox, ids, mails.clock)
    made = await endpoints.create(caller, "mailto:ada@example.com", ("invoice.*",), scheme="mailto")
    for url in ("mailto:stranger@example.com", "mailto:ada@example.com,eve@example.com", "mailto:ada@example.com?cc=eve@example.com"):
        with pytest.raises(InvalidInput):
            await endpoints.create(caller, url, ("*",), scheme="mailto")
        with pytest.raises(InvalidInput):
            await endpoints.update(caller, made["id"], url=url)
    await mails.store.run(
        lambda tx: outbox.publish(tx, "invoice.paid", merchant=merchant.id, livemode=False, subject="inv_1", obj={"id": "inv_1", "status": "paid"})
    )
    await Dispatcher(mails.store, mails.notifiers, mails.vault, outbox, mails.clock).drain_once()
    (got,) = mailbox.got
    assert got.recipients == ["ada@example.com"]
    assert "status: paid" in got.text
