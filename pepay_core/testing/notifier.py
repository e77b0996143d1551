"""What every notifier must keep that POSTs events to the URL of an endpoint."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pepay_core.api import Delivery, GiveUp, Refused, Unavailable
from pepay_core.testing.receiver import HUGE, Answer, Receiver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pepay_core.api import Http, Notifier
    from pepay_core.testing.receiver import Received

# Bytes that only an unchanged body keeps: spaces, an order of keys, a number and characters that re-encoding would alter.
BODY = '{ "z":1.50, "a":"Grüße \\u2603 / <b>" ,"id":"evt_01"}\n'.encode()
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER_SECRET = "whsec_" + base64.b64encode(bytes(range(32, 64))).decode()
FIRST_ATTEMPT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
_SLACK_SECONDS = 2.0


class NotifierSuite:
    """Provide the fixture ``notifier``; where yours gives up sooner than after ten seconds, say so in ``deadline``.

    The fixture ``http`` is PePay's client, allowed to reach the receiver on this machine::

        class TestAcme(NotifierSuite):
            deadline = 1

            @pytest.fixture
            def notifier(self, http):
                return AcmeNotifier(http, deadline=1)
    """

    deadline: float = 10
    """Seconds after which a delivery without an answer has failed."""
    signed: bool = True
    """Whether the notifier signs with the delivery's secrets."""

    @pytest.fixture
    async def http(self) -> AsyncIterator[Http]:
        """Return the HTTP client that a plugin finds in its context."""
        from pepay_core.http import AiohttpClient

        async with AiohttpClient(allow_private=True) as http:
            yield http

    @pytest.fixture
    async def receiver(self) -> AsyncIterator[Receiver]:
        """Return a server on this machine to deliver to."""
        async with Receiver() as receiver:
            yield receiver

    # --- what is sent ---------------------------------------------------------------

    async def test_the_stored_bytes_arrive_unchanged(self, notifier: Notifier, receiver: Receiver) -> None:
        """A signature over other bytes is worth nothing."""
        await notifier.deliver(a_delivery(receiver))
        (request,) = await receiver.wait_for(1)
        assert (request.method, request.path, request.body) == ("POST", "/hook", BODY)

    async def test_path_and_query_of_the_endpoint_are_kept(self, notifier: Notifier, receiver: Receiver) -> None:
        """Receivers put tokens there."""
        await notifier.deliver(replace(a_delivery(receiver), url=receiver.url_of("/a%2Fb/c?token=x%2By&d=1")))
        (request,) = await receiver.wait_for(1)
        assert request.path == "/a%2Fb/c?token=x%2By&d=1"

    async def test_a_repeated_delivery_has_the_same_body_and_id(self, notifier: Notifier, receiver: Receiver) -> None:
        """By its id the receiver knows that it has seen the event."""
        receiver.answer(500, 200)
        delivery = a_delivery(receiver)
        with pytest.raises(Unavailable):
            await notifier.deliver(delivery)
        await notifier.deliver(replace(delivery, attempt=2, at=delivery.at + timedelta(seconds=5)))
        first, second = await receiver.wait_for(2)
        assert first.body == second.body == BODY
        assert _headers_with(first, delivery.event_id) == _headers_with(second, delivery.event_id) != set()

    async def test_deliveries_at_the_same_time_do_not_mix(self, notifier: Notifier, receiver: Receiver) -> None:
        """Each body arrives once, with its own id."""
        deliveries = [replace(a_delivery(receiver), event_id=f"evt_{n:04}", body=b'{"n":%d}' % n) for n in range(20)]
        async with asyncio.TaskGroup() as group:
            for delivery in deliveries:
                group.create_task(notifier.deliver(delivery))
        requests = {request.body: request for request in await receiver.wait_for(20)}
        assert len(receiver.requests) == len(requests) == 20
        assert all(_headers_with(requests[delivery.body], delivery.event_id) for delivery in deliveries)

    async def test_the_signature_depends_on_the_secret(self, notifier: Notifier, receiver: Receiver) -> None:
        """Nobody without the secret can have made it."""
        self._skip_unless_signed()
        assert await self._headers_differ(notifier, receiver, secrets=(OTHER_SECRET,))

    async def test_the_signature_depends_on_the_body(self, notifier: Notifier, receiver: Receiver) -> None:
        """Nobody on the way can have changed it."""
        self._skip_unless_signed()
        assert await self._headers_differ(notifier, receiver, body=BODY.replace(b"1.50", b"1.51")) - {"content-length"}

    async def test_a_secret_that_is_being_replaced_signs_too(self, notifier: Notifier, receiver: Receiver) -> None:
        """A receiver that knows the old secret only goes on working for as long as both are in force."""
        self._skip_unless_signed()
        delivery = a_delivery(receiver)
        await notifier.deliver(replace(delivery, secrets=(OTHER_SECRET,)))
        await notifier.deliver(replace(delivery, secrets=(SECRET, OTHER_SECRET)))
        old, both = await receiver.wait_for(2)
        made_by_old = {word for name, value in old.headers.items() if "signature" in name for word in value.split()}
        made_by_both = {word for name, value in both.headers.items() if "signature" in name for word in value.split()}
        assert made_by_old, "no header of a signed delivery is named a signature"
        assert made_by_old < made_by_both

    # --- how answers are judged -------------------------------------------------------

    @pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
    async def test_any_2xx_is_accepted(self, notifier: Notifier, receiver: Receiver, status: int) -> None:
        """Frameworks differ in what they answer by themselves."""
        receiver.answer(status)
        receipt = await notifier.deliver(a_delivery(receiver))
        assert receipt.status == status

    @pytest.mark.parametrize("status", [300, 304, 400, 401, 403, 404, 408, 409, 422, 425, 429, 500, 502, 503, 504])
    async def test_any_other_status_is_to_be_tried_again(self, notifier: Notifier, receiver: Receiver, status: int) -> None:
        """Even a 404 may be a deployment in progress; core's schedule decides how long to go on."""
        receiver.answer(Answer(status, b"not now"))
        error = await _failure(notifier, a_delivery(receiver))
        receipt = getattr(error, "receipt", None)
        assert isinstance(error, Unavailable)
        assert receipt is not None, "the delivery log shows what the receiver answered"
        assert receipt.status == status

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_a_redirect_is_not_followed(self, notifier: Notifier, receiver: Receiver, status: int) -> None:
        """It could lead anywhere, into the operator's network for one."""
        receiver.answer(Answer(status, headers={"Location": receiver.url_of("/elsewhere")}), 200)
        error = await _failure(notifier, a_delivery(receiver))
        assert isinstance(error, Unavailable)
        assert [request.path for request in receiver.requests] == ["/hook"]

    async def test_410_gives_up(self, notifier: Notifier, receiver: Receiver) -> None:
        """The receiver says that the endpoint is gone for good."""
        receiver.answer(410)
        assert isinstance(await _failure(notifier, a_delivery(receiver)), GiveUp)

    async def test_it_does_not_try_again_by_itself(self, notifier: Notifier, receiver: Receiver) -> None:
        """The schedule is core's, and so is the record of attempts."""
        receiver.answer(503, 200)
        assert isinstance(await _failure(notifier, a_delivery(receiver)), Unavailable)
        assert len(receiver.requests) == 1

    async def test_a_closed_port_is_unavailable(self, notifier: Notifier) -> None:
        """The receiver is being restarted."""
        async with Receiver() as gone:
            delivery = a_delivery(gone)
        assert isinstance(await _failure(notifier, delivery), Unavailable)

    # --- receivers that mean no good ----------------------------------------------------

    async def test_silence_is_unavailable_within_the_deadline(self, notifier: Notifier, receiver: Receiver) -> None:
        """One receiver that never answers must not hold up the others."""
        receiver.answer(Answer(silent=True))
        error, seconds = await self._timed_outcome(notifier, receiver)
        assert isinstance(error, Unavailable)
        assert seconds < self.deadline + _SLACK_SECONDS

    async def test_an_answer_that_never_ends_is_left_within_the_deadline(self, notifier: Notifier, receiver: Receiver) -> None:
        """Each byte comes in good time, the last one never."""
        receiver.answer(Answer(trickle=True))
        _, seconds = await self._timed_outcome(notifier, receiver)
        assert seconds < self.deadline + _SLACK_SECONDS

    async def test_a_huge_answer_is_not_read_to_its_end(self, notifier: Notifier, receiver: Receiver) -> None:
        """Memory belongs to those who send little."""
        receiver.answer(Answer(flood=True))
        await self._timed_outcome(notifier, receiver)
        assert receiver.sent < HUGE / 2

    async def test_what_is_kept_of_an_answer_is_short_and_harmless(self, notifier: Notifier, receiver: Receiver) -> None:
        """It is shown in the dashboard and written to logs."""
        receiver.answer(Answer(500, "Fehler für \x1b[31mrot\r\nSet-Cookie: a=b\0\u202e ".encode() + b"\xff" * 100 + b"<br>" * 4000))
        receipt = getattr(await _failure(notifier, a_delivery(receiver)), "receipt", None)
        assert receipt is not None
        assert len(receipt.excerpt.encode()) <= 2048
        assert receipt.excerpt.isprintable()

    # --- secrets, and other people's tasks ------------------------------------------------

    @pytest.mark.parametrize("answer", [Answer(200), Answer(500), Answer(410), Answer(200, flood=True)])
    async def test_no_secret_is_sent_shown_or_logged(
        self, notifier: Notifier, receiver: Receiver, answer: Answer, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Neither in the request nor in errors, receipts, reprs or logs, even when the receiver repeats it."""
        caplog.set_level(logging.DEBUG)
        receiver.answer(replace(answer, body=f"signed with {SECRET}".encode()))
        delivery = replace(a_delivery(receiver), secrets=(SECRET, OTHER_SECRET))
        outcome = await _outcome(notifier, delivery)
        shown = [repr(notifier), repr(delivery), repr(outcome), caplog.text, repr(receiver.requests)]
        if isinstance(outcome, Exception):
            shown += [str(outcome), repr(getattr(outcome, "receipt", None)), *traceback.format_exception(outcome)]
        for secret in delivery.secrets:
            key = base64.b64decode(secret.removeprefix("whsec_"))
            for spelling in (secret, secret.removeprefix("whsec_"), key.hex(), repr(key)):
                assert not [text for text in shown if spelling in text]

    async def test_a_cancelled_delivery_stops(self, notifier: Notifier, receiver: Receiver) -> None:
        """The server is shutting down."""
        receiver.answer(Answer(silent=True))
        task = asyncio.ensure_future(notifier.deliver(a_delivery(receiver)))
        await receiver.wait_for(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    # --- registration ---------------------------------------------------------------------

    @pytest.mark.parametrize("url", ["", "shop.example/hook", "https://", "ftp://shop.example/", "javascript:alert(1)", "file:///etc/passwd", "//x"])
    async def test_what_is_no_url_is_refused_at_registration(self, notifier: Notifier, url: str) -> None:
        """The merchant learns of it at once."""
        with pytest.raises(Refused):
            await notifier.check(url)

    async def test_a_url_that_can_be_reached_is_accepted_at_registration(self, notifier: Notifier, receiver: Receiver) -> None:
        """Nothing is sent there yet."""
        await notifier.check(receiver.url)
        assert not receiver.requests

    # --- how the tests ask ------------------------------------------------------------------

    def _skip_unless_signed(self) -> None:
        if not self.signed:
            pytest.skip("this notifier does not sign")

    async def _timed_outcome(self, notifier: Notifier, receiver: Receiver) -> tuple[object, float]:
        started = time.monotonic()
        try:
            async with asyncio.timeout(self.deadline + 2 * _SLACK_SECONDS):
                outcome = await _outcome(notifier, a_delivery(receiver))
        except TimeoutError:
            outcome = None
        return outcome, time.monotonic() - started

    async def _headers_differ(self, notifier: Notifier, receiver: Receiver, **changes: object) -> set[str]:
        delivery = a_delivery(receiver)
        await notifier.deliver(delivery)
        await notifier.deliver(replace(delivery, **changes))  # type: ignore[arg-type]
        first, second = await receiver.wait_for(2)
        return {name for name, value in first.headers.items() if value != second.headers.get(name)}


def a_delivery(receiver: Receiver) -> Delivery:
    """Return the first attempt to tell a receiver of an event."""
    return Delivery(
        id="dlv_01",
        event_id="evt_01",
        event_type="invoice.paid",
        livemode=False,
        url=receiver.url,
        body=BODY,
        attempt=1,
        at=FIRST_ATTEMPT,
        secrets=(SECRET,),
    )


async def _outcome(notifier: Notifier, delivery: Delivery) -> object:
    try:
        return await notifier.deliver(delivery)
    except (Unavailable, GiveUp) as exc:
        return exc


async def _failure(notifier: Notifier, delivery: Delivery) -> Exception:
    outcome = await _outcome(notifier, delivery)
    assert isinstance(outcome, Exception), f"taken for a success: {outcome}"
    return outcome


def _headers_with(request: Received, text: str) -> set[str]:
    return {name for name, value in request.headers.items() if value == text}
