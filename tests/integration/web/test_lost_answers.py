"""A process dies between what a request did and its answer: the request, repeated with its key, gets that answer and does nothing again."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from persons import member

from pepay_core.domain.chains import Destination
from pepay_core.domain.errors import StorageUnavailable
from pepay_core.testing.toy import DOLLAR
from pepay_core.web.app import OPERATIONS

KEY = {"Idempotency-Key": "order-1042"}
HOOK = {"url": "https://93.184.216.34/hook"}


class Dying:
    """The writing connection of a process that dies right after a commit in which it has written to a table: nobody hears of anything then."""

    def __init__(self, line: Any, table: str) -> None:
        self._line, self._table = line, table
        self._written = self.dead = False

    async def fetch(self, sql: str, args: Any) -> list[dict[str, Any]]:
        if self.dead:
            raise StorageUnavailable("the process is dead")
        found = await self._line.fetch(sql, args)
        words = sql.split(None, 1)
        self._written = words[0] != "BEGIN" and (self._written or (words[0] != "SELECT" and self._table in sql.replace('"', " ").split()))
        if sql == "COMMIT" and self._written:
            self.dead = True
            raise StorageUnavailable("the process is dead")
        return found

    async def rollback(self) -> None:
        await self._line.rollback()


@contextmanager
def dying_after(web, table):
    database = web.runtime.store.database
    line, dying = database._writer, Dying(database._writer, table)
    database._writer = dying
    try:
        yield
    finally:
        database._writer = line
    assert dying.dead, f"nothing was written to {table}"


async def rows(web, table) -> int:
    async with web.runtime.store.read() as tx:
        return (await tx.facts._raw(f"SELECT COUNT(*) AS number FROM {table}"))[0]["number"]


# --- what is asked ----------------------------------------------------------------------------


def by_key(web):
    return lambda path, body, headers: web.client.post(path, json=body, headers={**web.auth, **headers})


def by_buyer(web):
    return lambda path, body, headers: web.client.post(path, json=body, headers=headers)


async def posted(web, path, body):
    answer = await web.post(path, body)
    assert answer.status_code < 300, answer.text
    return answer.json()


async def of_invoice(web, path, body=None):
    await web.see_chain()
    return by_key(web), f"/api/v1/invoices/{(await web.invoice())['id']}/{path}", body


async def of_webhook(web, path, body=None):
    hook = await posted(web, "/api/v1/webhooks", HOOK)
    await web.invoice()
    return by_key(web), f"/api/v1/webhooks/{hook['id']}/{path}", body


async def of_replay(web, what):
    _, path, body = await of_webhook(web, "replay", {"from": 0, "to": 4_000_000_000})
    begun = await posted(web, path, body)
    if what == "resume":
        await posted(web, f"/api/v1/webhooks/replays/{begun['id']}/stop", None)
    return by_key(web), f"/api/v1/webhooks/replays/{begun['id']}/{what}", None


async def of_buyer(web, path, body=None):
    await web.see_chain()
    invoice = await web.invoice()
    return by_buyer(web), f"/api/v1/checkout/{invoice['id']}/{path}?token={invoice['client_token']}", body


async def of_key(web):
    made = await posted(web, "/api/v1/api-keys", {"name": "till", "scopes": ["invoices:read"]})
    return by_key(web), f"/api/v1/api-keys/{made['id']}/rotate", {}


async def of_delivery(web):
    _, path, _ = await of_webhook(web, "test")
    await posted(web, path, None)
    (delivery, *_) = (await web.get(path.replace("/test", "/deliveries"))).json()["data"]
    return by_key(web), f"/api/v1/webhooks/deliveries/{delivery['id']}/redeliver", None


async def claim(web):
    """Of an invoice that was paid twice over."""
    await web.see_chain()
    invoice = await web.invoice(amount="25.00", pay_with=DOLLAR.id)
    (option,) = [each for each in invoice["payment_options"] if each["destination"]]
    await web.net.pay(Destination(option["destination"]), 2 * int(option["quote"]["amount_base_units"]), DOLLAR.id)
    await web.net.mine(12)
    await web.see_chain()
    body = {"asset": DOLLAR.id, "address": "toy1" + "b0" * 20}
    return by_buyer(web), f"/api/v1/checkout/{invoice['id']}/claim?token={invoice['client_token']}", body


async def of_refund(web, path, body=None):
    ask, where, sent = await claim(web)
    refund = (await ask(where, sent, {})).json()
    return by_key(web), f"/api/v1/refunds/{refund['id']}/{path}", body


async def of_expired(web):
    await web.see_chain()
    invoice = await web.invoice(pay_with=DOLLAR.id, expires_in=600)
    web.clock.jump(timedelta(seconds=601))
    await web.net.mine(1)
    await web.see_chain()
    await web.runtime.closing.close_due()
    return by_buyer(web), f"/api/v1/checkout/{invoice['id']}/new-quote?token={invoice['client_token']}", {"asset": DOLLAR.id}


async def of_overpaid(web):
    _, where, _ = await claim(web)
    return by_key(web), f"/api/v1/invoices/{where.split('/')[4]}/resolve", {"action": "refund"}


async def as_person(web, path, body, *, is_admin=False):
    person = await member(web, is_admin=is_admin)
    return lambda where, sent, headers: person.ask("POST", where, json=sent, headers=headers), path, body


async def simply(web, path, body):
    return by_key(web), path, body


# The operation, the table that it writes to, and what is asked.
ONCE = {
    "create_invoice": ("pepay_invoice", lambda web: simply(web, "/api/v1/invoices", {"amount_usd": "5"})),
    "cancel_invoice": ("pepay_invoice", lambda web: of_invoice(web, "cancel", {})),
    "resolve_invoice": ("pepay_invoice", of_overpaid),
    "choose_payment_option": ("pepay_quote", lambda web: of_invoice(web, "payment-options", {"asset": DOLLAR.id})),
    "choose_checkout_option": ("pepay_quote", lambda web: of_buyer(web, "payment-options", {"asset": DOLLAR.id})),
    "expire_checkout": ("pepay_invoice", lambda web: of_buyer(web, "expire")),
    "reopen_checkout": ("pepay_invoice", of_expired),
    "claim_checkout_money": ("pepay_refund", claim),
    "approve_refund": ("pepay_refund", lambda web: of_refund(web, "approve")),
    "complete_refund": ("pepay_refund", lambda web: of_refund(web, "complete", {"transaction": "ab" * 32})),
    "decline_refund": ("pepay_refund", lambda web: of_refund(web, "decline", {"reason": "no"})),
    "create_wallet": ("pepay_wallet", lambda web: simply(web, "/api/v1/wallets", {"chain_family": "toy", "kind": "seed", "value": "another"})),
    "create_webhook": ("pepay_endpoint", lambda web: simply(web, "/api/v1/webhooks", HOOK)),
    "rotate_webhook_secret": ("pepay_endpoint", lambda web: of_webhook(web, "rotate-secret", {})),
    "test_webhook": ("pepay_event", lambda web: of_webhook(web, "test")),
    "redeliver": ("pepay_delivery", of_delivery),
    "replay_events": ("pepay_replay", lambda web: of_webhook(web, "replay", {"from": 0, "to": 4_000_000_000})),
    "stop_replay": ("pepay_replay", lambda web: of_replay(web, "stop")),
    "resume_replay": ("pepay_replay", lambda web: of_replay(web, "resume")),
    "create_api_key": ("pepay_audit", lambda web: simply(web, "/api/v1/api-keys", {"name": "till", "scopes": ["invoices:read"]})),
    "rotate_api_key": ("pepay_audit", of_key),
    "create_merchant": ("pepay_merchant", lambda web: as_person(web, "/api/v1/merchants", {"name": "Second"})),
    "invite_member": ("pepay_invitation", lambda web: as_person(web, "/api/v1/invitations", {"email": "eve@example.com", "role": "viewer"})),
    "invite_user": ("pepay_invitation", lambda web: as_person(web, "/api/v1/users", {"email": "eve@example.com"}, is_admin=True)),
    "found_merchant": ("pepay_merchant", lambda web: as_person(web, "/api/v1/tenants", {"name": "N", "owner": "o@example.com"}, is_admin=True)),
}

AGAIN = {
    # They ask, and change nothing; or they say how something shall be, which is the same when it is said again; or the second time is refused.
    "verify_invoice", "get_checkout_transaction", "submit_checkout_transaction", "look_up_checkout_transaction", "rescan_chain",
    "put_logo", "suspend_user", "resume_user", "suspend_merchant", "resume_merchant", "end_other_sessions",
    "join_by_invitation", "make_solana_pay_transaction",
}  # fmt: skip


def test_of_every_operation_it_is_known_what_becomes_of_it_when_it_is_repeated():
    assert {each.name for each in OPERATIONS if each.idempotent} == {*ONCE, *AGAIN}


@pytest.mark.parametrize("name", ONCE)
async def test_what_was_done_when_the_process_died_is_not_done_again(web, name):
    table, prepare = ONCE[name]
    ask, path, body = await prepare(web)
    with dying_after(web, table):
        lost = await ask(path, body, KEY)
    assert lost.status_code == 503
    made = await rows(web, table), await rows(web, "pepay_event"), await rows(web, "pepay_audit")
    # By now everybody else would take the request for one that nobody works on.
    web.clock.jump(timedelta(minutes=2))

    answers = [await ask(path, body, KEY) for _ in range(2)]

    (status,) = {each.status for each in OPERATIONS if each.name == name}
    assert [each.status_code for each in answers] == [status] * 2, answers[0].text
    assert {each.headers["idempotency-replayed"] for each in answers} == {"true"}
    assert answers[0].content == answers[1].content
    assert (await rows(web, table), await rows(web, "pepay_event"), await rows(web, "pepay_audit")) == made
