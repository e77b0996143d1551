"""A notifier that keeps the contract passes the suite; each that breaks it in one way is caught by the test that names the fault."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import inspect
import json
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import urljoin

import pytest

from pepay_core.api import GiveUp, Notifier, Receipt, Unavailable
from pepay_core.http import AiohttpClient
from pepay_core.testing import NotifierSuite
from pepay_core.testing.receiver import HUGE, Answer, Receiver

DEADLINE = 0.5


class Failed(Unavailable):
    def __init__(self, message, receipt=None):
        super().__init__(message)
        self.receipt = receipt


class Careful(Notifier):
    """Keeps the contract; each mutant replaces one step."""

    scheme = "webhook"
    timeout = DEADLINE

    def __init__(self, http):
        self.http = http

    async def check(self, url):
        await self.http.check_public(url)

    async def deliver(self, delivery):
        return self.judge(await self.send(delivery), delivery)

    async def send(self, delivery):
        return await self.http.post_public(self.url(delivery), self.body(delivery), headers=self.headers(delivery), timeout=self.timeout)

    def url(self, delivery):
        return delivery.url

    def body(self, delivery):
        return delivery.body

    def id(self, delivery):
        return delivery.event_id

    def signatures(self, delivery):
        return " ".join(self.sign(secret, delivery.body) for secret in delivery.secrets)

    def sign(self, secret, body):
        return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()

    def headers(self, delivery):
        return {"event-id": self.id(delivery), "signature": self.signatures(delivery)}

    def accepts(self, status):
        return 200 <= status < 300

    def excerpt(self, body, delivery):
        text = "".join(char for char in body.decode(errors="ignore")[:500] if char.isprintable())
        for secret in delivery.secrets:
            text = text.replace(secret, "")
        return text

    def judge(self, answer, delivery):
        receipt = Receipt(answer.status, self.excerpt(answer.body, delivery))
        if self.accepts(answer.status):
            return receipt
        if answer.status == 410:
            raise GiveUp("gone")
        raise Failed(f"answered {answer.status}", receipt)


class ReEncodes(Careful):
    def body(self, delivery):
        return json.dumps(json.loads(delivery.body)).encode()


class DropsTheQuery(Careful):
    def url(self, delivery):
        return delivery.url.partition("?")[0]


class NewIdPerAttempt(Careful):
    def id(self, delivery):
        return f"{delivery.event_id}_{delivery.attempt}"


class SharesStateBetweenDeliveries(Careful):
    async def deliver(self, delivery):
        self.current = delivery
        await asyncio.sleep(0)
        return await super().deliver(self.current)


class SignsWithoutTheSecret(Careful):
    def sign(self, secret, body):
        return super().sign("always the same", body)


class SignsWithoutTheBody(Careful):
    def sign(self, secret, body):
        return super().sign(secret, b"")


class SignsWithTheNewestSecretOnly(Careful):
    def signatures(self, delivery):
        return self.sign(delivery.secrets[0], delivery.body)


class AcceptsOnly200(Careful):
    def accepts(self, status):
        return status == 200


class AcceptsClientErrors(Careful):
    def accepts(self, status):
        return status < 500 and status != 410


class FollowsRedirects(Careful):
    async def send(self, delivery):
        answer = await super().send(delivery)
        if "location" in answer.headers:
            return await super().send(replace(delivery, url=urljoin(delivery.url, answer.headers["location"])))
        return answer


class NeverGivesUp(Careful):
    async def deliver(self, delivery):
        try:
            return await super().deliver(delivery)
        except GiveUp:
            raise Failed("gone, perhaps") from None


class TriesAgainByItself(Careful):
    async def deliver(self, delivery):
        with suppress(Unavailable):
            return await super().deliver(delivery)
        return await super().deliver(delivery)


class GivesUpOnAClosedPort(Careful):
    async def send(self, delivery):
        try:
            return await super().send(delivery)
        except Unavailable:
            raise GiveUp("nobody there") from None


class WaitsForever(Careful):
    timeout = 60


class ReadsEverything(Careful):
    timeout = 5

    async def send(self, delivery):
        return await self.http.post(delivery.url, delivery.body, headers=self.headers(delivery), timeout=self.timeout, limit=2 * HUGE)


class KeepsTheAnswerAsItCame(Careful):
    def excerpt(self, body, delivery):
        return body.decode(errors="replace")


class RemembersTheSecret(Careful):
    async def deliver(self, delivery):
        try:
            return await super().deliver(delivery)
        except Unavailable as exc:
            raise Failed(f"{exc.message} (signed with {delivery.secrets[0]})", exc.receipt) from None


class CannotBeCancelled(Careful):
    async def deliver(self, delivery):
        try:
            return await super().deliver(delivery)
        except asyncio.CancelledError:
            return Receipt()


class ChecksNothing(Careful):
    async def check(self, url):
        pass


class PostsToCheck(Careful):
    async def check(self, url):
        await super().check(url)
        await self.http.post_public(url, b"hello")


class Suite(NotifierSuite):
    deadline = DEADLINE


@dataclass(frozen=True)
class Fault:
    notifier: type[Notifier]
    test: str
    argument: object = None


FAULTS = [
    Fault(ReEncodes, "test_the_stored_bytes_arrive_unchanged"),
    Fault(DropsTheQuery, "test_path_and_query_of_the_endpoint_are_kept"),
    Fault(NewIdPerAttempt, "test_a_repeated_delivery_has_the_same_body_and_id"),
    Fault(SharesStateBetweenDeliveries, "test_deliveries_at_the_same_time_do_not_mix"),
    Fault(SignsWithoutTheSecret, "test_the_signature_depends_on_the_secret"),
    Fault(SignsWithoutTheBody, "test_the_signature_depends_on_the_body"),
    Fault(SignsWithTheNewestSecretOnly, "test_a_secret_that_is_being_replaced_signs_too"),
    Fault(AcceptsOnly200, "test_any_2xx_is_accepted", 202),
    Fault(AcceptsClientErrors, "test_any_other_status_is_to_be_tried_again", 404),
    Fault(FollowsRedirects, "test_a_redirect_is_not_followed", 307),
    Fault(NeverGivesUp, "test_410_gives_up"),
    Fault(TriesAgainByItself, "test_it_does_not_try_again_by_itself"),
    Fault(GivesUpOnAClosedPort, "test_a_closed_port_is_unavailable"),
    Fault(WaitsForever, "test_silence_is_unavailable_within_the_deadline"),
    Fault(WaitsForever, "test_an_answer_that_never_ends_is_left_within_the_deadline"),
    Fault(ReadsEverything, "test_a_huge_answer_is_not_read_to_its_end"),
    Fault(KeepsTheAnswerAsItCame, "test_what_is_kept_of_an_answer_is_short_and_harmless"),
    Fault(RemembersTheSecret, "test_no_secret_is_sent_shown_or_logged", Answer(500)),
    Fault(CannotBeCancelled, "test_a_cancelled_delivery_stops"),
    Fault(ChecksNothing, "test_what_is_no_url_is_refused_at_registration", "ftp://shop.example/"),
    Fault(PostsToCheck, "test_a_url_that_can_be_reached_is_accepted_at_registration"),
]


class TestCareful(NotifierSuite):
    deadline = DEADLINE

    @pytest.fixture
    def notifier(self, http):
        return Careful(http)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.notifier.__name__}-{fault.test}")
async def test_a_broken_notifier_is_caught_by_the_test_that_names_its_fault(fault, caplog):
    assert await outcome_of(fault, Careful, caplog) is None
    assert isinstance(await outcome_of(fault, fault.notifier, caplog), AssertionError | pytest.fail.Exception | Unavailable | GiveUp)


def test_every_test_of_the_suite_catches_some_broken_notifier():
    assert {fault.test for fault in FAULTS} == {name for name in vars(NotifierSuite) if name.startswith("test_")}


async def outcome_of(fault, notifier, caplog):
    """Run one test of the suite as pytest would, and return what it raised."""
    caplog.clear()
    test = getattr(Suite(), fault.test)
    async with AiohttpClient(allow_private=True) as http, Receiver() as receiver:
        known = {"notifier": notifier(http), "receiver": receiver, "caplog": caplog}
        try:
            await test(**{name: known.get(name, fault.argument) for name in inspect.signature(test).parameters})
        except (Exception, pytest.fail.Exception) as exc:  # noqa: BLE001 (whatever it is, the caller judges it)
            return exc
    return None
