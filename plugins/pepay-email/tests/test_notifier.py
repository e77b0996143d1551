"""The notifier against a real mail server on this machine."""

import asyncio
import json
import logging
import traceback
from datetime import UTC, datetime, timedelta

import pytest
from mail_server import Mailbox, certificate
from pydantic import SecretStr, ValidationError

from pepay_core.api import Delivery, GiveUp, InvalidInput, Letter, Unavailable, Verdict
from pepay_email.checks import ServerCheck
from pepay_email.notifier import MailNotifier
from pepay_email.server import Server
from pepay_email.settings import EmailSettings

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
PASSWORD = "canary-of-the-mail-server"
BODY = json.dumps(
    {"id": "evt_1", "object": "event", "type": "invoice.paid", "data": {"object": {"id": "inv_1", "status": "paid", "amount": "49.99"}}}
).encode()


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A certificate for this machine by its name."""
    return certificate(tmp_path_factory.mktemp("own"), "localhost")


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """A certificate for another host."""
    return certificate(tmp_path_factory.mktemp("others"), "mail.example")


@pytest.fixture(scope="module")
def expired(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("expired"), "localhost", days=-1)


def settings_for(mailbox, **more):
    given = {"host": "localhost", "port": mailbox.port, "security": "none", "sender": "PePay <pay@shop.example>", "timeout": 10} | more
    return EmailSettings(**given)


def notifier_for(mailbox, **more):
    settings = settings_for(mailbox, **more)
    return MailNotifier(Server(settings), settings)


def a_letter(to="ada@example.com", subject="Hello", text="Hello, Ada.\n", **more):
    given = {"id": "msg_1", "event_id": "msg_1", "event_type": "mail.test", "livemode": True, "url": f"mailto:{to}", "body": text.encode()}
    return Delivery(**{**given, "attempt": 1, "at": AT, "letter": Letter(subject, text), **more})


def an_event(to="ada@example.com", **more):
    given = {"id": "dlv_1", "event_id": "evt_1", "event_type": "invoice.paid", "livemode": False, "url": f"mailto:{to}", "body": BODY}
    return Delivery(**{**given, "attempt": 1, "at": AT, "secrets": ("whsec_c2VjcmV0",), **more})


# --- what is sent ----------------------------------------------------------------------


async def test_a_letter_arrives_as_it_was_written():
    async with Mailbox() as mailbox:
        receipt = await notifier_for(mailbox).deliver(a_letter(subject="Grüße ☃", text="Zeile 1\n\n.\nlast — ☃\n" + "x" * 2000 + "\n"))
    (got,) = mailbox.got
    assert (got.sender, got.recipients) == ("pay@shop.example", ["ada@example.com"])
    assert got.message["Subject"] == "Grüße ☃"
    assert got.message["From"] == "PePay <pay@shop.example>"
    assert got.message["To"] == "ada@example.com"
    assert got.text == "Zeile 1\n\n.\nlast — ☃\n" + "x" * 2000 + "\n"
    assert receipt.status == 250


async def test_every_attempt_of_a_letter_has_one_message_id_by_which_a_second_copy_is_known():
    async with Mailbox() as mailbox:
        notifier = notifier_for(mailbox)
        await notifier.deliver(a_letter())
        await notifier.deliver(a_letter(attempt=2, at=AT + timedelta(hours=1)))
    assert {each.message["Message-ID"] for each in mailbox.got} == {"<msg_1@shop.example>"}
    assert {each.message["Auto-Submitted"] for each in mailbox.got} == {"auto-generated"}


async def test_an_event_is_told_with_what_matters_first_and_no_secret():
    async with Mailbox() as mailbox:
        await notifier_for(mailbox).deliver(an_event())
    (got,) = mailbox.got
    assert got.message["Subject"] == "invoice.paid (test)"
    assert "status: paid\namount: 49.99" in got.text
    assert BODY.decode() in got.text
    assert b"whsec_" not in got.raw


async def test_mails_at_the_same_time_do_not_mix():
    async with Mailbox() as mailbox:
        notifier = notifier_for(mailbox)
        await asyncio.gather(*(notifier.deliver(a_letter(f"a{each}@example.com", text=f"{each}\n", id=f"msg_{each}")) for each in range(20)))
    assert sorted((each.recipients[0], each.text) for each in mailbox.got) == sorted((f"a{each}@example.com", f"{each}\n") for each in range(20))


# --- nothing but what is meant ------------------------------------------------------------


@pytest.mark.parametrize(
    "bad", ["\r\nBcc: eve@example.com", "\nBcc: eve@example.com\n\nhi", "\rX: 1", "\u2028Bcc: e@example.com", "\x00", "\x85Bcc: e@example.com"]
)
async def test_a_subject_cannot_add_a_header(bad):
    async with Mailbox() as mailbox:
        await notifier_for(mailbox).deliver(a_letter(subject=f"Invitation from{bad}"))
    (got,) = mailbox.got
    assert got.recipients == ["ada@example.com"]
    assert sorted(got.message.keys()) == sorted(
        ["From", "To", "Message-ID", "Date", "Auto-Submitted", "Subject", "Content-Type", "Content-Transfer-Encoding", "MIME-Version"]
    )
    assert got.message["Subject"].startswith("Invitation from")
    assert got.text == "Hello, Ada.\n"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mailto:",
        "ada@example.com",
        "https://example.com",
        "mailto:ada",
        "mailto:@example.com",
        "mailto:ada@example.com,eve@example.com",
        "mailto:ada@example.com?cc=eve@example.com",
        "mailto:ada@example.com?subject=x",
        "mailto:ada%0d%0aRCPT%20TO:<eve@example.com>@example.com",
        "mailto:ada@example.com\r\nRCPT TO:<eve@example.com>",
        "mailto:ada@example.com>\r\nRCPT TO:<eve@example.com",
        "mailto:Ada <ada@example.com>",
        'mailto:"ada x"@example.com',
        "mailto:ada@[127.0.0.1]",
        "mailto:ada@shop",
        "mailto:ada@localhost.",
        "mailto:ada@-example.com",
        "mailto:ada@example..com",
        "mailto:.ada@example.com",
        "mailto:ada@exa mple.com",
        "mailto:ad\u0430@example.com",
        "mailto:" + "a" * 65 + "@example.com",
        "mailto:a@" + "b" * 60 + ("." + "c" * 60) * 4 + ".com",
    ],
)
async def test_what_is_not_one_plain_address_is_refused_before_anything_is_said(url):
    async with Mailbox() as mailbox:
        notifier = notifier_for(mailbox)
        with pytest.raises(InvalidInput):
            await notifier.check(url)
        with pytest.raises(InvalidInput):
            await notifier.deliver(a_letter(url=url))
    assert mailbox.seen == []


@pytest.mark.parametrize("address", ["ada@example.com", "a.b+c_d@sub.example.co", "ADA@Example.COM", "ada@b\u00fccher.example", "admin@localhost"])
async def test_an_ordinary_address_is_taken(address):
    async with Mailbox() as mailbox:
        await notifier_for(mailbox).check(f"mailto:{address}")
        await notifier_for(mailbox).deliver(a_letter(address))
    local, _, domain = address.partition("@")
    assert mailbox.got[0].recipients == [f"{local}@{domain.lower().encode('idna').decode()}"]


# --- how the connection is protected --------------------------------------------------------


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_mail_and_password_go_over_a_connection_that_was_verified(own, security):
    async with Mailbox(own, implicit=security == "tls", passwords={"pepay": PASSWORD}) as mailbox:
        notifier = notifier_for(mailbox, security=security, ca_file=own[0], user="pepay", password=SecretStr(PASSWORD))
        await notifier.deliver(a_letter())
    (got,) = mailbox.got
    assert (got.encrypted, got.user) == (True, "pepay")


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("wrong", ["unknown authority", "another host", "expired"])
async def test_a_certificate_that_does_not_verify_ends_the_attempt_before_the_password(own, others, expired, wrong, security):
    files = {"unknown authority": own, "another host": others, "expired": expired}[wrong]
    authority = {} if wrong == "unknown authority" else {"ca_file": files[0]}
    async with Mailbox(files, implicit=security == "tls", passwords={"pepay": PASSWORD}) as mailbox:
        notifier = notifier_for(mailbox, security=security, user="pepay", password=SecretStr(PASSWORD), **authority)
        with pytest.raises(Unavailable, match="certificate"):
            await notifier.deliver(a_letter())
    assert mailbox.got == []
    assert "MAIL" not in mailbox.seen


async def test_a_server_that_offers_no_starttls_is_given_nothing(own):
    async with Mailbox() as mailbox:
        with pytest.raises(Unavailable, match="STARTTLS"):
            await notifier_for(mailbox, security="starttls", ca_file=own[0]).deliver(a_letter())
    assert mailbox.got == []


def test_encryption_is_what_one_gets_without_asking():
    assert EmailSettings(host="mail.example", sender="pay@shop.example").security == "starttls"
    assert EmailSettings(host="mail.example", sender="pay@shop.example").server_port == 587


@pytest.mark.parametrize(
    "wrong",
    [
        {"sender": None},
        {"sender": "pay"},
        {"sender": "PePay <pay@shop.example>\r\nBcc: eve@example.com"},
        {"sender": "a@b.example, c@d.example"},
        {"user": "pepay"},
        {"password": "x"},
        {"user": "pepay", "password": PASSWORD, "security": "none"},
        {"security": "ssl"},
        {"host": "mail.example/x"},
        {"hosts": "mail.example"},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValidationError) as caught:
        EmailSettings(**({"host": "mail.example", "sender": "pay@shop.example"} | wrong))
    assert PASSWORD not in str(caught.value)


# --- what the server answers ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "answer", "expected"),
    [
        ("RCPT", "550 5.1.1 no such user", GiveUp),
        ("RCPT", "451 4.7.1 greylisted, come back later", Unavailable),
        ("MAIL", "550 5.7.1 sender rejected", Unavailable),
        ("DATA", "554 5.7.1 spam", GiveUp),
        ("DATA", "452 4.3.1 no room", Unavailable),
    ],
)
async def test_a_refusal_is_repeated_unless_it_is_for_good(command, answer, expected):
    async with Mailbox(answers={command: answer}) as mailbox:
        with pytest.raises(expected) as caught:
            await notifier_for(mailbox).deliver(a_letter())
    assert type(caught.value).__mro__[1] is expected
    assert caught.value.receipt.status == int(answer[:3])
    assert mailbox.got == []


async def test_an_event_whose_text_is_refused_does_not_end_its_endpoint():
    async with Mailbox(answers={"DATA": "554 5.7.1 spam"}) as mailbox:
        with pytest.raises(Unavailable):
            await notifier_for(mailbox).deliver(an_event())


async def test_a_wrong_password_is_for_the_operator_to_put_right(own):
    async with Mailbox(own, passwords={"pepay": "another"}) as mailbox:
        notifier = notifier_for(mailbox, security="starttls", ca_file=own[0], user="pepay", password=SecretStr(PASSWORD))
        with pytest.raises(Unavailable, match="refuses the password: 535"):
            await notifier.deliver(a_letter())


async def test_a_server_that_is_silent_fails_within_the_deadline():
    async with Mailbox(silent=True) as mailbox:
        with pytest.raises(Unavailable, match=r"in time|within"):
            await notifier_for(mailbox, timeout=0.2).deliver(a_letter())


async def test_no_server_is_an_outage():
    async with Mailbox() as mailbox:
        pass
    with pytest.raises(Unavailable, match="mail server"):
        await notifier_for(mailbox).deliver(a_letter())


async def test_a_cancelled_delivery_stops():
    async with Mailbox(silent=True) as mailbox:
        task = asyncio.ensure_future(notifier_for(mailbox).deliver(a_letter()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_no_password_address_or_text_is_shown_or_logged(own, caplog):
    caplog.set_level(logging.DEBUG)
    shown, messages = [], []
    for answers, passwords in (({}, {}), ({"RCPT": "550 no <ada@example.com> here"}, {}), ({}, {"pepay": "another"})):
        async with Mailbox(own, answers=answers, passwords=passwords or {"pepay": PASSWORD}) as mailbox:
            settings = settings_for(mailbox, security="starttls", ca_file=own[0], user="pepay", password=SecretStr(PASSWORD))
            notifier, delivery = MailNotifier(Server(settings), settings), a_letter(text="the link is LINK\n")
            shown += [repr(settings), repr(notifier), repr(delivery.letter)]
            try:
                shown.append(repr(await notifier.deliver(delivery)))
            except (Unavailable, GiveUp) as exc:
                shown += [str(exc), repr(exc.receipt), *traceback.format_exception(exc)]
                messages.append(str(exc))
    assert len(messages) == 2
    assert not [text for text in messages if "ada@example.com" in text]
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("mail.log"))
    assert not [text for text in [*shown, ours] if PASSWORD in text or "LINK" in text]


# --- what doctor says ----------------------------------------------------------------------------


async def test_doctor_says_that_mail_works(own):
    async with Mailbox(own, passwords={"pepay": PASSWORD}) as mailbox:
        settings = settings_for(mailbox, security="starttls", ca_file=own[0], user="pepay", password=SecretStr(PASSWORD))
        (finding,) = await ServerCheck(Server(settings), settings).run()
    assert (finding.verdict, finding.message) == (Verdict.OK, f"localhost:{mailbox.port} takes mail from pay@shop.example")
    assert mailbox.got == []


async def test_doctor_says_what_is_wrong(own, others):
    async with Mailbox(others) as mailbox:
        settings = settings_for(mailbox, security="starttls", ca_file=others[0])
        (finding,) = await ServerCheck(Server(settings), settings).run()
    assert finding.verdict is Verdict.PROBLEM
    assert "certificate is not valid" in finding.message


async def test_doctor_says_that_nothing_is_configured():
    settings = EmailSettings()
    (finding,) = await ServerCheck(Server(settings), settings).run()
    assert finding.verdict is Verdict.WARNING
