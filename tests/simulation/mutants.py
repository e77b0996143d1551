"""Faults that are planted in the product, to prove that the simulator finds them: each takes away one guard."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from unittest import mock

from pepay_core.domain.chains import Block, Finality, Scan
from pepay_core.domain.endpoints import DeliveryState
from pepay_core.domain.errors import ChainUnavailable
from pepay_core.domain.invoices import Status
from pepay_core.domain.ledger import Reason
from pepay_core.domain.payments import PaymentStatus
from pepay_core.services import beginning, pricing, settling, watching
from pepay_core.services.attempting import Outcome
from pepay_core.services.closing import Closing
from pepay_core.services.delivering import Deliverer, Made
from pepay_core.services.publishing import Outbox
from pepay_core.services.settling import Change, Settling
from pepay_core.services.supervising import Keeper
from pepay_core.services.watch_sets import WatchSet
from pepay_core.services.watching import Watcher
from pepay_core.storage.repositories.claims import LeaseRepository
from pepay_core.storage.repositories.deliveries import DeliveryRepository
from pepay_core.storage.repositories.ledger import LedgerRepository
from pepay_core.storage.repositories.payments import PaymentRepository
from pepay_evm import rpc, scanning
from pepay_evm.chain import EvmChain
from pepay_evm.events import Events
from pepay_evm.scanning import Scanner
from pepay_evm.verifying import Verifier
from pepay_webhook_hmac import notifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pepay_core.contracts.notifier import Receipt

    Patch = contextlib.AbstractContextManager[Any]


@dataclass(frozen=True)
class Mutant:
    """A guard that is taken away, and why that must be noticed. ``prepare`` changes the database first."""

    name: str
    because: str
    patches: Callable[[], list[Patch]]
    prepare: Callable[[Path], None] | None = None

    @contextlib.contextmanager
    def planted(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for each in self.patches():
                stack.enter_context(each)
            yield


SINGLE: dict[str, Mutant] = {}


def _mutant(
    name: str, because: str, prepare: Callable[[Path], None] | None = None
) -> Callable[[Callable[[], list[Patch]]], Callable[[], list[Patch]]]:
    def register(patches: Callable[[], list[Patch]]) -> Callable[[], list[Patch]]:
        SINGLE[name] = Mutant(name, because, patches, prepare)
        return patches

    return register


def _drop_index(name: str) -> Callable[[Path], None]:
    def prepare(path: Path) -> None:
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute(f"DROP INDEX {name}")
            database.commit()

    return prepare


# --- what a driver guards ------------------------------------------------------------------


@_mutant("events are not asked for again", "a node that leaves out events hides payments although the header's filter promises them")
def _() -> list[Patch]:
    async def of_range(_self: Any, _endpoint: Any, _headers: Any, logs: Any) -> Any:
        return logs

    return [mock.patch.object(Events, "_of_range", of_range)]


@_mutant("a batch without an answer is taken for an empty answer", "an answer that is missing is not an answer that nothing happened")
def _() -> list[Patch]:
    def results(self: Any, answer: Any, asked: Any) -> list[Any]:
        if not isinstance(answer, list):
            raise ChainUnavailable("no batch")
        by_id = {each.get("id"): each for each in answer}
        empty = {"eth_getLogs": [], "eth_getBlockByNumber": None}
        return [
            self._result(by_id.get(number, {"result": empty.get(call.method, hex(self._chain) if "Id" in call.method else None)}), call)
            for number, call in enumerate(asked)
        ]

    return [mock.patch.object(rpc.Endpoint, "_results", results)]


@_mutant("the chain id is not looked at", "an endpoint that is switched to another network begins the record with its blocks")
def _() -> list[Patch]:
    def quantity(value: Any, **options: Any) -> Any:
        return _Anything(int(value, 16))

    return [mock.patch.object(rpc, "quantity", quantity)]


class _Anything(int):
    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = int.__hash__


@_mutant("headers are not chained", "blocks of two branches that were read in one batch are taken for one chain")
def _() -> list[Patch]:
    def chained(_endpoint: Any, _after: Block, _heights: range, answers: Any, *, full: bool) -> Any:
        if any(each is None for each in answers):
            raise ChainUnavailable("not there")
        return [scanning.decoding.header(each, full=full) for each in answers]

    return [mock.patch.object(scanning, "_chained", chained)]


@_mutant("the block that a look begins after is not looked at", "a chain that has been replaced is never walked back")
def _() -> list[Patch]:
    return [mock.patch.object(scanning, "_check_cursor", return_value=None)]


@_mutant("the block that a look ends with may be another", "the tip was asked of one branch and the range of another")
def _() -> list[Patch]:
    real = Scanner.look

    async def look(self: Any, endpoint: Any, able: Any, watched: Any, after: Block, until: Block, span: int) -> Scan:
        beyond = Block(until.height + 1, "0x", until.time)
        return await real(self, endpoint, able, watched, after, beyond, min(span, max(until.height - after.height, 0)))

    return [mock.patch.object(Scanner, "look", look)]


@_mutant("what failed counts", "a transaction that failed moved nothing")
def _() -> list[Patch]:
    real = scanning.decoding.receipt
    return [mock.patch.object(scanning.decoding, "receipt", lambda value: replace(real(value), succeeded=True))]


@_mutant("a transfer is named by the block's count of events", "its name changes when its transaction moves to another block")
def _() -> list[Patch]:
    real = Scanner._arrivals

    def arrivals(self: Any, concern: Any, receipt: Any, destinations: Any) -> Any:
        found = real(self, concern, receipt, destinations)
        first = receipt.logs[0].number if receipt.logs else 0
        return [
            replace(each, transfer=replace(each.transfer, index=str(int(each.transfer.index) + first) if each.transfer.index != "0" else "0"))
            for each in found
        ]

    return [mock.patch.object(Scanner, "_arrivals", arrivals)]


@_mutant("a range that cannot be read is passed over", "blocks that nobody has looked at are taken for empty ones")
def _() -> list[Patch]:
    real = EvmChain.scan

    async def scan(self: Any, watched: Any, after: Block, until: Block) -> Scan:
        try:
            return await real(self, watched, after, until)
        except ChainUnavailable:
            return Scan(until, (until,))

    return [mock.patch.object(EvmChain, "scan", scan)]


@_mutant("money is a float", "a float has fifteen digits, and an amount in base units more")
def _() -> list[Patch]:
    real = Scanner._arrivals

    def arrivals(*args: Any) -> Any:
        return [replace(each, transfer=replace(each.transfer, units=int(float(each.transfer.units)) or 1)) for each in real(*args)]

    return [mock.patch.object(Scanner, "_arrivals", arrivals)]


# --- what the watcher guards ---------------------------------------------------------------


@_mutant("destinations are read before the tip", "an address that is issued between the two is paid in a block that is not looked at for it")
def _() -> list[Patch]:
    real = WatchSet.refresh
    turn = Counter[int]()

    async def refresh(self: Any, *args: Any) -> None:
        # What is read in every second look is used by the next one as well, whose tip is newer.
        turn[id(self)] += 1
        if turn[id(self)] % 2:
            await real(self, *args)

    return [mock.patch.object(WatchSet, "refresh", refresh)]


@_mutant("the checkpoint moves before the credits, in a transaction of its own", "who dies between the two has passed over what arrived")
def _() -> list[Patch]:
    real = Watcher._commit

    async def commit(self: Any, tx: Any, newest: Any, base: Any, scan: Any, tip: Any, until: Any, found: Any, prices: Any, heard: Any) -> None:
        await real(self, tx, newest, base, scan, tip, until, {}, {}, heard)

        async def credit() -> None:
            for invoice, transfers in found.items():
                change = Change(arrived=transfers, prices=prices.get(invoice, {}), heard=heard.testimonies)
                await self._store.run(lambda tx, invoice=invoice, change=change: self._settling.settle(tx, invoice, change, {self.chain.id: tip}))

        tx.after_commit(lambda: _later(credit()))

    return [mock.patch.object(Watcher, "_commit", commit)]


_background: set[asyncio.Task[Any]] = set()


def _later(work: Any) -> None:
    async def quietly() -> None:
        with contextlib.suppress(Exception):
            await work

    task = asyncio.get_running_loop().create_task(quietly())
    _background.add(task)
    task.add_done_callback(_background.discard)


@_mutant("what left the chain stays", "a reorganisation takes its payments with it")
def _() -> list[Patch]:
    async def left(*_: Any) -> dict[Any, Any]:
        return {}

    return [mock.patch.object(Watcher, "_left", left)]


@_mutant("what comes back is not seen again", "a transaction that is mined again is the same payment")
def _() -> list[Patch]:
    real = Settling._arrive

    def arrive(self: Any, invoice: Any, before: Any, quotes: Any, change: Change, now: Any) -> Any:
        gone = {each.transfer.key for each in before.values() if not each.active}
        return real(self, invoice, before, quotes, replace(change, arrived=[each for each in change.arrived if each.key not in gone]), now)

    return [mock.patch.object(Settling, "_arrive", arrive)]


@_mutant("no compare-and-swap of the checkpoint", "a watcher that stood still writes what it saw long ago")
def _() -> list[Patch]:
    real = Watcher._commit

    async def commit(self: Any, tx: Any, newest: Any, *rest: Any) -> None:
        async def unchanged(_chain: Any) -> Any:
            return newest

        tx.chains.newest_checkpoint = unchanged
        await real(self, tx, newest, *rest)

    return [mock.patch.object(Watcher, "_commit", commit)]


@_mutant("money is final one block early", "a rule of three confirmations means three")
def _() -> list[Patch]:
    real = Finality.reached

    def reached(self: Any, *, height: int, tip: Any, value: Any) -> bool:
        return real(self, height=height - 1, tip=tip, value=value)

    return [mock.patch.object(Finality, "reached", reached)]


@_mutant("covered is what the wall clock says", "nobody has looked at the blocks of a moment that has only just passed")
def _() -> list[Patch]:
    return [mock.patch.object(module, "covered_until", lambda _covered, _tip, now, *, idle: now) for module in (watching, beginning)]


@_mutant("a lease is kept by who leaves", "the next process waits for nobody")
def _() -> list[Patch]:
    async def drop(*_: Any) -> None:
        pass

    return [mock.patch.object(LeaseRepository, "drop", drop)]


@_mutant("the lease is ignored", "two watchers of one chain disturb each other")
def _() -> list[Patch]:
    async def leads(_self: Any) -> bool:
        return True

    return [mock.patch.object(Keeper, "_leads", leads)]


# --- what settling and closing guard ---------------------------------------------------------


@_mutant("no unique transfers", "the database itself refuses to hold a transfer twice", _drop_index("pepay_payment_transfer"))
def _() -> list[Patch]:
    async def add(self: Any, payment: Any) -> bool:
        from pepay_core.storage.repositories.payments import _row
        from pepay_core.storage.tables import PaymentRow

        await self._insert(PaymentRow, _row(payment))
        return True

    return [mock.patch.object(PaymentRepository, "add", add)]


@_mutant("what is known is not looked up", "a transfer that is seen again is the payment that it was")
def _() -> list[Patch]:
    real = Settling._arrive

    def arrive(self: Any, invoice: Any, before: Any, quotes: Any, change: Change, now: Any) -> Any:
        return {**before, **real(self, invoice, {}, quotes, change, now)}

    return [mock.patch.object(Settling, "_arrive", arrive)]


@_mutant("a loss is not taken back in the ledger", "accounts say what is there")
def _() -> list[Patch]:
    real = LedgerRepository.post

    async def post(self: Any, postings: Any) -> None:
        await real(self, [each for each in postings if each.reason is not Reason.REVERTED])

    return [mock.patch.object(LedgerRepository, "post", post)]


@_mutant("another asset counts as the one asked for", "what was not quoted is a mismatch")
def _() -> list[Patch]:
    real = Settling._new_payment
    return [mock.patch.object(Settling, "_new_payment", lambda *args: replace(real(*args), mismatch=None))]


@_mutant("a status stays once it is paid", "a status is what the payments say, also when they leave")
def _() -> list[Patch]:
    real = settling.assess

    def judged(terms: Any, payments: Any, *rest: Any) -> Any:
        payments = list(payments)
        found = real(terms, payments, *rest)
        lost = any(each.status is PaymentStatus.REVERTED for each in payments)
        return replace(found, status=Status.PAID) if lost else found

    return [mock.patch.object(settling, "assess", judged)]


@_mutant("invoices are closed by the wall clock", "a payment in time may be in a block that nobody has looked at")
def _() -> list[Patch]:
    async def covered(*_: Any) -> bool:
        return True

    return [mock.patch.object(Closing, "_covered", covered)]


@_mutant("one source of rates is enough", "a single source may be wrong by a factor")
def _() -> list[Patch]:
    real = pricing.agree
    return [mock.patch.object(pricing, "agree", lambda answers, **rules: real(dict(list(answers.items())[-1:]), **{**rules, "quorum": 1}))]


# --- what the outbox guards ------------------------------------------------------------------


@_mutant("events are written in a transaction of their own", "who dies between the two has told nobody")
def _() -> list[Patch]:
    real = Outbox.publish

    async def publish(self: Any, tx: Any, kind: str, **what: Any) -> Any:
        from pepay_core.storage.opening import DatabaseStore

        store = next(iter(_stores))

        async def write() -> None:
            assert isinstance(store, DatabaseStore)
            await store.run(lambda own: real(self, own, kind, **what))

        tx.after_commit(lambda: _later(write()))

    _stores: list[Any] = []
    keep = Watcher.__init__

    def init(self: Any, chain: Any, store: Any, *rest: Any) -> None:
        keep(self, chain, store, *rest)
        _stores[:] = [store]

    return [mock.patch.object(Outbox, "publish", publish), mock.patch.object(Watcher, "__init__", init)]


@_mutant("a delivery is marked before it is made", "who dies between the two has delivered nothing")
def _() -> list[Patch]:
    real = Deliverer.deliver

    async def deliver(self: Any, claimed: Any) -> Any:
        await self._write([Made(claimed, Outcome(), self._clock.now(), 0)])
        return await real(self, claimed)

    return [mock.patch.object(Deliverer, "deliver", deliver)]


@_mutant("an answer is an answer", "a receiver that says 500 has not taken it")
def _() -> list[Patch]:
    real = notifier.WebhookNotifier.deliver

    async def deliver(self: Any, delivery: Any) -> Receipt:
        try:
            return await real(self, delivery)
        except notifier.DeliveryFailed as exc:
            if exc.receipt.status is None:
                raise
            return exc.receipt

    return [mock.patch.object(notifier.WebhookNotifier, "deliver", deliver)]


@_mutant("the first failure is the last", "a receiver that fails once is tried again")
def _() -> list[Patch]:
    def after(_self: Any, _stored: Any, made: Any, _outcome: Any, _now: Any) -> Any:
        return replace(made, state=DeliveryState.FAILED, next_at=None)

    return [mock.patch.object(Deliverer, "_after_failure", after)]


@_mutant("a claim is for ever", "what a dead process had claimed is due again")
def _() -> list[Patch]:
    real = DeliveryRepository.claim

    async def claim(self: Any, now: Any, *, lease_until: Any, **rest: Any) -> Any:
        return await real(self, now, lease_until=lease_until + timedelta(days=3650), **rest)

    return [mock.patch.object(DeliveryRepository, "claim", claim)]


@_mutant("every attempt has an id of its own", "a receiver knows by the id that it has had an event already")
def _() -> list[Patch]:
    real = notifier.headers

    def headers(delivery: Any) -> dict[str, str]:
        return {**real(delivery), "webhook-id": f"{delivery.event_id}-{delivery.attempt}"}

    return [mock.patch.object(notifier, "headers", headers)]


@_mutant("an endpoint that lags is believed", "blocks that an endpoint does not know yet have not left the chain")
def _() -> list[Patch]:
    return [mock.patch.object(Watcher, "_refuse_a_shorter_chain", return_value=None)]


@_mutant("any contract's event counts", "only registered contracts speak of money")
def _() -> list[Patch]:
    real = Scanner.__init__

    def init(self: Any, network: Any, assets: Any) -> None:
        real(self, network, assets)
        self._assets = _Any(self._assets)

    return [mock.patch.object(Scanner, "__init__", init)]


class _Any(dict[str, Any]):
    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> Any:
        return next(value for value in self.values() if "erc20" in value)


@_mutant("events of all contracts are asked for", "the question leaves out what could not count")
def _() -> list[Patch]:
    real = Scanner.__init__

    def init(self: Any, network: Any, assets: Any) -> None:
        real(self, network, assets)
        self.events._filter = {"topics": self.events._filter["topics"]}

    return [mock.patch.object(Scanner, "__init__", init)]


@_mutant("events are believed", "what a contract says must have changed a balance")
def _() -> list[Patch]:
    async def verified(_self: Any, _endpoint: Any, _headers: Any, _logs: Any, transfers: Any) -> Any:
        return tuple(transfers)

    return [mock.patch.object(Verifier, "verified", verified)]


@_mutant("four topics are as good as three", "the fourth makes it the transfer of something that is no money")
def _() -> list[Patch]:
    real = Scanner._arrival
    return [mock.patch.object(Scanner, "_arrival", lambda self, log, wanted: real(self, replace(log, topics=log.topics[:3]), wanted))]


@_mutant("nobody looks twice", "what one endpoint leaves out, another one shows")
def _() -> list[Patch]:
    real = EvmChain.sources

    async def corroborate(*_: Any) -> dict[Any, Any]:
        return {}

    return [mock.patch.object(EvmChain, "sources", lambda self: real(self)[:1]), mock.patch.object(EvmChain, "corroborate", corroborate)]
