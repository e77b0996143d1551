"""The same acts have the same results on SQLite and on PostgreSQL."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from pepay_core.clock import SystemClock
from pepay_core.domain.endpoints import DeliveryState
from pepay_core.domain.errors import PePayError
from pepay_core.domain.invoices import Status
from pepay_core.domain.payments import PaymentStatus
from pepay_core.domain.rates import NoRate, Pair
from pepay_core.secrets import Vault
from pepay_core.services.paging import Page
from pepay_core.services.records import StoredResponse
from pepay_core.storage.checking import integrity
from pepay_core.storage.opening import open_store

TEXTS = ["", "a", "A", "ä", "ß", "Z", "_", "%", "'", '"', "\\", "{}", "{0}", "$1", "?", "a\nb", "  ", "0", "null", "😀", "x" * 3000, "\x00", "\ud800"]
AMOUNTS = [Decimal(text) for text in ("0", "0.1", "1.10", "1E+3", "49.99", "1E-18", "9999999999999999999999999999999.999999999999999999")]


@pytest.fixture
async def stores(tmp_path, sqlite_template, postgres_template, postgres):
    shutil.copyfile(sqlite_template, tmp_path / "a.db")
    name = postgres.create(postgres_template)
    async with open_store(f"sqlite:///{tmp_path / 'a.db'}", SystemClock()) as lite, open_store(postgres.url(name), SystemClock()) as pg:
        for each in (lite, pg):
            each.use(Vault(bytes(range(32))))
        yield lite, pg
    postgres.drop(name)


class Acts:
    """Random acts on things that exist, and now and then on things that do not."""

    def __init__(self, seed, samples):
        self.dice = random.Random(seed)
        self.samples = samples
        self.merchants, self.wallets, self.invoices, self.payments = [], [], [], []
        self.marks = {}
        self.events, self.endpoints, self.deliveries, self.postings = [], [], [], []
        self.now = samples.now

    def text(self):
        return self.dice.choice(TEXTS)

    def pick(self, things, make):
        return self.dice.choice(things) if things and self.dice.random() < 0.95 else make()

    def merchant(self):
        return self.pick(self.merchants, self.samples.merchant)

    def invoice(self):
        return self.pick(self.invoices, lambda: self.samples.invoice(self.merchant()))

    def page(self, things):
        neighbour = self.pick(things, lambda: None)
        field = self.dice.choice(["starting_after", "ending_before"])
        return Page(limit=self.dice.randint(1, 4), **({field: neighbour.id} if neighbour and self.dice.random() < 0.7 else {}))

    def next(self):
        self.now += timedelta(microseconds=self.dice.choice([0, 1, 10**6, 31 * 10**6]))
        name = self.dice.choice([name for name in dir(self) if name.startswith("act_")])
        return name, getattr(self, name)()

    def act_add_merchant(self):
        made = self.samples.merchant(name=self.text())
        self.merchants.append(made)
        return lambda tx: tx.merchants.add(made)

    def act_add_wallet(self):
        made = self.samples.wallet(self.merchant(), value=f"xpub{self.dice.randrange(6)}", label=self.text())
        self.wallets.append(made)
        return lambda tx: tx.wallets.add(made)

    def act_archive_wallet(self):
        wallet, now = self.pick(self.wallets, lambda: self.samples.wallet(self.merchant())), self.now
        return lambda tx: tx.wallets.archive(wallet.merchant, wallet.id, now)

    def act_next_index(self):
        wallet = self.pick(self.wallets, lambda: self.samples.wallet(self.merchant()))
        return lambda tx: tx.wallets.next_index(wallet.id)

    def act_active_wallets(self):
        merchant = self.merchant()
        return lambda tx: tx.wallets.active(merchant.id, livemode=False)

    def act_add_invoice(self):
        merchant = self.merchant()
        terms = replace(self.samples.invoice(merchant).terms, amount=self.dice.choice(AMOUNTS), expires_at=self.now)
        metadata = {self.text(): self.text(), "n": self.dice.choice(AMOUNTS), "i": self.dice.randrange(10**30)}
        made = self.samples.invoice(merchant, terms=terms, metadata=metadata, description=self.text(), customer_id=self.text())
        self.invoices.append(made)
        return lambda tx: tx.invoices.add(made)

    def act_save_invoice(self):
        old = self.invoice()
        status, paid = self.dice.choice(list(Status)), str(self.dice.choice(AMOUNTS))
        new = replace(old, version=old.version + 1, assessment=self.samples.assessment(status, paid), closed_at=self.dice.choice([None, self.now]))
        if old in self.invoices and self.dice.random() < 0.8:
            self.invoices[self.invoices.index(old)] = new
        return lambda tx: tx.invoices.save(new)

    def act_get_invoice(self):
        merchant, invoice, livemode, lock = self.merchant(), self.invoice(), self.dice.random() < 0.1, self.dice.random() < 0.5
        owner = invoice.merchant if self.dice.random() < 0.8 else merchant.id
        return lambda tx: tx.invoices.get(owner, invoice.id, livemode=livemode, lock=lock)

    def act_page_invoices(self):
        merchant, page = self.merchant(), self.page(self.invoices)
        where = self.dice.choice([{}, {"status": "paid"}, {"customer_id": self.text()}, {"fulfil": True}, {"created_to": self.now}, {"x": 1}])
        return lambda tx: tx.invoices.page(merchant.id, livemode=False, page=page, where=where)

    def act_totals(self):
        merchant = self.merchant()
        return lambda tx: tx.invoices.totals(merchant.id, livemode=False, where={})

    def act_past_deadline(self):
        limit, now = self.dice.randint(1, 5), self.now
        return lambda tx: tx.invoices.past_deadline(now, limit)

    def act_add_payment(self):
        units = self.dice.choice([1, 2**63, 10**18 + 1, 2**256 - 1])
        transfer = self.samples.transfer(tx=f"0x{self.dice.randrange(8)}", index=str(self.dice.randrange(2)), units=units)
        made = self.samples.payment(self.invoice(), transfer=transfer, rate=self.dice.choice([None, Decimal("1E-18")]))
        self.payments.append(made)
        return lambda tx: tx.payments.add(made)

    def act_save_payment(self):
        status = self.dice.choice(list(PaymentStatus))
        changed = replace(self.pick(self.payments, lambda: self.samples.payment(self.invoice())), status=status, value=self.dice.choice(AMOUNTS))
        return lambda tx: tx.payments.save(changed)

    def act_find_payments(self):
        keys = [(self.samples.chain, f"0x{self.dice.randrange(8)}", "0", self.samples.asset) for _ in range(3)]
        return lambda tx: tx.payments.known(keys)

    def act_list_payments(self):
        merchant, page = self.merchant(), self.page(self.payments)
        return lambda tx: tx.payments.page(merchant.id, livemode=False, page=page, where={"status": "confirming"})

    def act_post(self):
        invoice = self.invoice()
        made = self.pick(self.postings[-1:], lambda: self.samples.posting(invoice)) if self.dice.random() < 0.1 else self.samples.posting(invoice)
        self.postings.append(made)
        return lambda tx: tx.ledger.post([made])

    def act_list_ledger(self):
        merchant, page = self.merchant(), self.page(self.postings)
        where = self.dice.choice([{}, {"account": "buyer"}])
        return lambda tx: tx.ledger.page(merchant.id, livemode=False, page=page, where=where)

    def act_add_endpoint(self):
        made = self.samples.endpoint(self.merchant(), disabled_at=self.dice.choice([None, None, self.now]), description=self.text())
        self.endpoints.append(made)
        return lambda tx: tx.endpoints.add(made)

    def act_add_event(self):
        event = self.samples.event(self.merchant(), type=self.dice.choice(["invoice.paid", "payment.detected"]))
        made = [self.samples.delivery(event, endpoint, next_at=self.now) for endpoint in self.endpoints[-3:]]
        self.events.append(event)
        self.deliveries += made

        async def act(tx):
            await tx.events.add(event)
            await tx.deliveries.add(made)

        return act

    def act_list_events(self):
        merchant, page, kinds = self.merchant(), self.page(self.events), self.dice.choice([(), ("invoice.paid",)])
        return lambda tx: tx.events.page(merchant.id, livemode=False, page=page, kinds=kinds)

    def act_claim(self):
        now, limit, share = self.now, self.dice.randint(1, 5), self.dice.randint(1, 3)
        return lambda tx: tx.deliveries.claim(now, limit=limit, lease_until=now + timedelta(seconds=30), per_endpoint=share)

    def act_next_due(self):
        return lambda tx: tx.deliveries.next_due()

    def act_save_delivery(self):
        delivery = self.pick(
            self.deliveries, lambda: self.samples.delivery(self.samples.event(self.merchant()), self.samples.endpoint(self.merchant()))
        )
        later = self.now + timedelta(seconds=5)
        changed = self.dice.choice([replace(delivery, state=DeliveryState.DELIVERED, next_at=None), replace(delivery, attempts=1, next_at=later)])
        return lambda tx: tx.deliveries.save(changed)

    def act_delete_endpoint(self):
        endpoint = self.pick(self.endpoints, lambda: self.samples.endpoint(self.merchant()))
        return lambda tx: tx.endpoints.delete(endpoint.merchant, endpoint.id, livemode=False)

    def act_request(self):
        key, print_, now = self.text(), self.dice.choice("ab"), self.now
        self.marks[key] = now
        return lambda tx: tx.idempotency.claim("s", key, print_, now, now + timedelta(seconds=20))

    def act_answer(self):
        key = self.text()
        mark = self.marks.get(key, self.now)
        return lambda tx: tx.idempotency.complete("s", key, StoredResponse(200, key.encode(errors="replace")), mark)

    def act_lease(self):
        holder, now = self.dice.choice("ab"), self.now
        return lambda tx: tx.leases.take("l", holder, now, now + timedelta(seconds=20))

    def act_record_rate(self):
        pair, now, reason = Pair("eth", self.text()), self.now, self.text()

        async def act(tx):
            await tx.rates.record(pair, NoRate(reason, ()), now)
            return await tx.rates.history(pair, now, now, 5)

        return act


async def outcome(store, act):
    try:
        async with store.begin() as tx:
            return await act(tx)
    except PePayError as exc:
        return type(exc)


@pytest.mark.parametrize("seed", range(6))
async def test_random_acts_have_the_same_results_on_both_engines(stores, samples, seed):
    acts, reached = Acts(seed, samples), set()
    for _ in range(250):
        name, act = acts.next()
        results = [await outcome(store, act) for store in stores]
        assert results[0] == results[1], name
        reached.add(name)
    assert len(reached) > 20
    for store in stores:
        assert await integrity(store) == []
