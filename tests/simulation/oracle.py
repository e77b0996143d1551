"""What must be true: after every commit, and when all is quiet. It knows the chains themselves, and believes no driver."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.invoices import assess
from pepay_core.secrets import Vault
from pepay_core.storage.sealed import EVENT, TARGET
from simulation.chain import CREATED
from simulation.market import MASTER_KEY, PRICES

if TYPE_CHECKING:
    from pepay_core.runtime import Runtime
    from simulation.chain import Arrival, Block, SimChain
    from simulation.world import World

_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_SKEW: Final = 10.0
"""Seconds by which the clocks of two processes differ at the most, and a bit."""
_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)

# The finality rules of the simulated networks, written down a second time: blocks by value, None for the chain's own word.
_RULES: Final = {
    "eip155:1001": ((Decimal(40), 2), (Decimal(200), 4), (None, None)),
    "eip155:1002": ((None, 3),),
}


class Oracle:
    """Collects what is wrong, each with the name of the rule that it breaks."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.violations: list[str] = []
        self.payments = 0
        self.commits = 0
        self._database: sqlite3.Connection | None = None
        self._coverage: dict[str, tuple[int, int, str, str]] = {}
        self._proven: set[str] = set()
        self._marks: tuple[Any, ...] = ()
        self._entry = 0
        self._confirmed: set[str] = set()
        self._closed: set[str] = set()
        self._versions: dict[str, int] = {}
        self._read: dict[str, Any] = {}

    def wrong(self, rule: str, what: str) -> None:
        """Note a violation, once."""
        text = f"{rule}: {what}"
        if text not in self.violations:
            self.violations.append(text)
            self.world.note(f"VIOLATION {text}")
            if self.world.hunting:
                self.world.loop.stop()

    def rows(self, sql: str, *args: Any) -> list[Any]:
        if self._database is None:
            self._database = sqlite3.connect(self.world.path)
        return self._database.execute(sql, args).fetchall()

    def close(self) -> None:
        if self._database is not None:
            self._database.close()

    # --- after every commit --------------------------------------------------------------

    def committed(self) -> None:
        """Look at what has just been committed."""
        self.commits += 1
        coverage = {row[0]: tuple(row[1:]) for row in self._coverages()}
        ((events,),) = self.rows("SELECT max(seq) FROM pepay_event")
        ((entries,),) = self.rows("SELECT max(seq) FROM pepay_entry")
        ((versions,),) = self.rows("SELECT sum(version) FROM pepay_invoice")
        ((closed,),) = self.rows("SELECT count(closed_at) FROM pepay_invoice")
        marks = (coverage, events, entries, versions, closed)
        if marks == self._marks:
            return
        self._marks = marks
        self._check_ledger()
        payments = self._payments()
        self._check_payments(payments)
        self._check_coverage(coverage, payments)
        self._check_invoices(coverage)

    def _coverages(self) -> list[Any]:
        """Return for each chain where its record begins and ends, having checked that there is no gap between."""
        whole: dict[str, tuple[Any, ...]] = {}
        for chain, first, *rest in self.rows(
            "SELECT chain, first_block, last_block, last_hash, covered_until FROM pepay_coverage ORDER BY chain, first_block"
        ):
            before = whole.get(chain)
            if before is not None and before[1] + 1 != first:
                self.wrong("coverage", f"{chain} has a range that ends at {before[1]}, and the next begins at {first}")
            whole[chain] = (before[0] if before else first, *rest)
        return [(chain, *each) for chain, each in whole.items()]

    def _payments(self) -> list[Any]:
        return self.rows(
            "SELECT chain, tx, position, asset, units, address, height, block_hash, status, value, id, invoice, mismatch, quote FROM pepay_payment"
        )

    def _check_ledger(self) -> None:
        sums: dict[tuple[str, str], int] = defaultdict(int)
        new = "SELECT seq, posting, asset, side, units FROM pepay_entry WHERE seq > ? ORDER BY seq"
        for seq, posting, asset, side, units in self.rows(new, self._entry):
            self._entry = seq
            sums[posting, asset] += int(units) if side == "in" else -int(units)
        for (posting, asset), total in sums.items():
            if total:
                self.wrong("ledger", f"posting {posting} in {asset} is off by {total}")

    def _check_payments(self, payments: list[Any]) -> None:
        seen = Counter(row[:4] for row in payments)
        for key, times in seen.items():
            if times > 1:
                self.wrong("no double credit", f"{key} is there {times} times")
        for chain, tx, position, asset, units, address, height, block_hash, status, value, identity, *_ in payments:
            block = self.world.chains[chain].known.get(block_hash)
            arrival = block and next((each for each in block.arrivals if (each.tx, each.ordinal) == (tx, position)), None)
            if block is None or arrival is None or not _same(arrival, asset, units, address):
                self.wrong("no phantom", f"{identity} {tx[:10]}/{position} of {units} {asset} is in no block {height}")
            if status == "confirmed" and identity not in self._confirmed:
                self._confirmed.add(identity)
                if not self._is_final(self.world.chains[chain], chain, height, value):
                    self.wrong("finality", f"{identity} of {value} at {height} is confirmed too early at {self.world.chains[chain].highest}")
            elif status != "confirmed":
                self._confirmed.discard(identity)

    @staticmethod
    def _is_final(chain: SimChain, name: str, height: int, value: str | None) -> bool:
        worth = None if value is None else Decimal(value)
        rules = _RULES[name]
        blocks = next((number for up_to, number in rules if up_to is None or (worth is not None and worth <= up_to)), None)
        return height <= chain.finalized if blocks is None else chain.highest - height + 1 >= blocks

    def _check_coverage(self, coverage: dict[str, Any], payments: list[Any]) -> None:
        known = {(row[0], row[1], row[2]): row for row in payments}
        issued = {row[0].lower() for row in self.rows("SELECT address FROM pepay_destination")}
        for name, (first, last, last_hash, until) in coverage.items():
            before = self._coverage.get(name)
            chain = self.world.chains[name]
            block = chain.known.get(last_hash)
            if before == (first, last, last_hash, until):
                continue
            self._coverage[name] = (first, last, last_hash, until)
            if block is None or block.height != last:
                self.wrong("coverage", f"{name} is covered up to block {last}, which never was")
                continue
            if _time(until).timestamp() > block.time:
                self.wrong("coverage", f"{name} is covered until {until}, and block {last} is of {block.time - CREATED}")
            if before is not None and before[0] < first:
                self.wrong("coverage", f"{name} began at block {before[0]}, and now at {first}")
            if before is not None and last < before[1] and before[1] < len(chain.path) and chain.path[before[1]].hash == before[2]:
                self.wrong("coverage", f"{name} went back from block {before[1]}, which has not left the chain, to {last}")
            self._check_complete(name, block, first, _time(until).timestamp(), issued, known)

    def _check_complete(self, name: str, block: Block, first: int, until: float, issued: set[str], known: dict[Any, Any]) -> None:
        """Insist that everything that arrived in the blocks whose time is covered is there, in its block."""
        for below in block.lineage():
            if below.height < first or below.hash in self._proven:
                break
            if below.time > until:
                continue
            for each in below.arrivals:
                if each.to not in issued:
                    continue
                row = known.get((name, each.tx, each.ordinal))
                if row is None or row[8] == "reverted" or row[7] != below.hash:
                    self.wrong("no loss", f"{each.tx[:10]}/{each.ordinal} is in covered block {below.height} of {name}, and not credited")
            self._proven.add(below.hash)

    def _check_invoices(self, coverage: dict[str, Any]) -> None:
        for identity, version, closed_at, expires_at in self.rows("SELECT id, version, closed_at, expires_at FROM pepay_invoice"):
            if version < self._versions.get(identity, 0):
                self.wrong("versions", f"{identity} went back from {self._versions[identity]} to {version}")
            self._versions[identity] = version
            if closed_at is None or identity in self._closed:
                continue
            self._closed.add(identity)
            for (asset,) in self.rows("SELECT DISTINCT asset FROM pepay_quote WHERE invoice = ?", identity):
                name = asset.partition("/")[0]
                covered = self.world.chains[name].known.get(coverage[name][2]) if name in coverage else None
                if covered is None or covered.time <= _time(expires_at).timestamp():
                    self.wrong("expiry", f"{identity} was closed before {name} was covered past its deadline")

    # --- when all is quiet -----------------------------------------------------------------

    def settled(self) -> bool:
        """Tell whether there is nothing more to wait for."""
        ((waiting,),) = self.rows("SELECT count(*) FROM pepay_payment WHERE status = 'confirming'")
        ((open_,),) = self.rows("SELECT count(*) FROM pepay_invoice WHERE closed_at IS NULL")
        active = {(row[0], row[1], row[2]) for row in self._payments() if row[8] != "reverted"}
        return not waiting and not open_ and active == set(self._truth())

    def _truth(self) -> dict[tuple[str, str, str], tuple[Arrival, Block]]:
        """Return what must be credited: everything that arrived at an address that was given out.

        Before a chain was reached for the first time, that is only what was asked for on it: which cannot be, and would be found to be lost.
        """
        issued = {row[0].lower() for row in self.rows("SELECT address FROM pepay_destination")}
        asked = {
            (address.lower(), asset.partition("/")[0])
            for address, asset in self.rows("SELECT d.address, q.asset FROM pepay_destination d JOIN pepay_quote q ON q.invoice = d.invoice")
        }
        begun = dict(self.rows("SELECT chain, min(first_block) FROM pepay_coverage GROUP BY chain"))
        return {
            (name, *key): (arrival, block)
            for name, chain in self.world.chains.items()
            for key, (arrival, block) in chain.arrivals().items()
            if arrival.to in issued and (block.height >= begun.get(name, block.height + 1) or (arrival.to, name) in asked)
        }

    def expect_whole(self, name: str, idle: tuple[int, int]) -> None:
        """Insist that a process that ended in good order gave everything back."""
        if idle[0] != idle[1]:
            self.wrong("nothing held", f"{name} left {idle[1] - idle[0]} connections in use")

    async def read(self, runtime: Runtime) -> None:
        """Read through the product's own storage what is to be judged again."""
        async with runtime.store.read() as tx:
            ids = [row[0] for row in self.rows("SELECT id FROM pepay_invoice ORDER BY id")]
            self._read = {
                "invoices": [await tx.invoices.find(each) for each in ids],
                "quotes": await tx.quotes.of(ids),
                "payments": await tx.payments.of(ids),
            }

    async def finish(self) -> None:
        """Judge how everything stands in the end."""
        self._check_arrived()
        self._check_states()
        self._check_balances()
        self._check_events()
        self._check_deliveries()
        self._check_rest()

    def _check_arrived(self) -> None:
        truth = self._truth()
        rows = {(row[0], row[1], row[2]): row for row in self._payments()}
        self.payments = len(truth)
        for key, (arrival, block) in truth.items():
            row = rows.get(key)
            if row is None or row[8] == "reverted":
                self.wrong("no loss", f"{arrival.tx[:10]}/{arrival.ordinal} of {arrival.units} on {key[0]} is on the chain and not credited")
            elif row[8] != "confirmed":
                self.wrong("liveness", f"{row[10]} is {row[8]} for ever")
            elif row[7] != block.hash:
                self.wrong("no phantom", f"{row[10]} is said to be in another block than it is")
        for key, row in rows.items():
            if row[8] != "reverted" and key not in truth:
                self.wrong("no phantom", f"{row[10]} {key[1][:10]}/{key[2]} is credited and not on the chain")

    def _check_states(self) -> None:
        quotes, payments = defaultdict(list), defaultdict(list)
        for each in self._read["quotes"]:
            quotes[each.invoice].append(each)
        for each in self._read["payments"]:
            payments[each.invoice].append(each)
        for invoice in self._read["invoices"]:
            own = {each.id: each for each in quotes[invoice.id]}
            again = assess(invoice.terms, payments[invoice.id], own, invoice.decisions, _EVER if invoice.closed_at else _NEVER)
            kept = invoice.assessment
            for name in ("status", "timing", "resolution", "amount_paid", "amount_remaining", "amount_overpaid"):
                if getattr(again, name) != getattr(kept, name):
                    self.wrong("status", f"{invoice.id} has {name} {getattr(kept, name)}, and it is {getattr(again, name)}")
            for payment in payments[invoice.id]:
                if again.values[payment.id] != payment.value:
                    self.wrong("status", f"{payment.id} has the value {payment.value}, and it is {again.values[payment.id]}")
                asked = [each for each in own.values() if each.asset == payment.transfer.asset]
                # What was asked for only after it had come was not asked for.
                before = [each for each in asked if each.created_at.timestamp() < self._first_told(payment.id) - _SKEW]
                if (before and payment.mismatch is not None) or (not asked and payment.mismatch is None):
                    self.wrong("attribution", f"{payment.id} in {payment.transfer.asset} has the mismatch {payment.mismatch}")
            if invoice.closed_at is None:
                self.wrong("liveness", f"{invoice.id} is open for ever")
            for quote in own.values():
                price = PRICES["ethereum" if "slip44" in quote.asset else "usd-coin"]
                if abs(quote.rate - price) > price * Decimal("0.02"):
                    self.wrong("rates", f"{quote.id} has the rate {quote.rate} where {price} is right")

    def _first_told(self, subject: str) -> float:
        found = self.rows("SELECT id, body FROM pepay_event WHERE subject = ? ORDER BY seq LIMIT 1", subject)
        return json.loads(_opened(*found[0]))["created"] if found else 0.0

    def _check_balances(self) -> None:
        held: dict[tuple[str, str], int] = defaultdict(int)
        for payment, account, side, units in self.rows("SELECT payment, account, side, units FROM pepay_entry"):
            held[payment, account] += int(units) if side == "in" else -int(units)
        for row in self._payments():
            units, status, identity = int(row[4]), row[8], row[10]
            due = {"confirmed": (-units, 0, units), "confirming": (-units, units, 0)}.get(status, (0, 0, 0))
            found = tuple(held[identity, account] for account in ("buyer", "receivable", "wallet"))
            if found != due:
                self.wrong("ledger", f"{identity} is {status}, and its accounts hold {found}")

    def _check_events(self) -> None:
        """Insist that the events alone tell the whole story, in their order and in any other."""
        told: dict[str, list[tuple[str, Any]]] = defaultdict(list)
        for subject, identity, body in self.rows("SELECT subject, id, body FROM pepay_event ORDER BY seq"):
            event = json.loads(_opened(identity, body))
            told[subject].append((event["type"], event))
        for invoice in self._read["invoices"]:
            self._check_story(invoice, told[invoice.id])
        for payment in self._read["payments"]:
            kinds = [kind.removeprefix("payment.") for kind, _ in told[payment.id]]
            state = "reverted"
            for kind in kinds:
                if kind not in {"reverted": {"detected", "unmatched"}, "confirming": {"confirmed", "reverted"}, "confirmed": {"reverted"}}[state]:
                    self.wrong("events", f"{payment.id} was told to be {kind} while it was {state}")
                state = {"detected": "confirming", "unmatched": "confirming"}.get(kind, kind)
            if state != payment.status:
                self.wrong("events", f"{payment.id} is {payment.status}, and the events end with {state}")

    def _check_story(self, invoice: Any, events: list[tuple[str, Any]]) -> None:
        if [kind for kind, _ in events].count("invoice.created") != 1 or events[0][0] != "invoice.created":
            self.wrong("events", f"{invoice.id} was not created once, in the beginning")
            return
        status, version = "unpaid", 0
        for kind, event in events:
            told = event["data"]["object"]
            before = event["data"]["previous_attributes"].get("status", told["status"])
            again = told["version"] == version and kind in {"invoice.resolved", "invoice.partial_payment"}
            if not again and told["version"] <= version:
                self.wrong("versions", f"{kind} of {invoice.id} has version {told['version']} after {version}")
            if not again and before != status:
                self.wrong("events", f"{kind} of {invoice.id} comes from {before}, and {status} was told before")
            status, version = told["status"], told["version"]
        # Whoever keeps the highest version has the truth, in whatever order the events came.
        last = max((event["data"]["object"] for _, event in events), key=lambda told: told["version"])
        for name in ("status", "fulfil"):
            kept = getattr(invoice.assessment, name)
            if last[name] != kept:
                self.wrong("events", f"{invoice.id} has {name} {kept}, and the last version that was told {last[name]}")

    def _check_deliveries(self) -> None:
        bodies = {identity: _opened(identity, body) for identity, body in self.rows("SELECT id, body FROM pepay_event")}
        urls = {identity: _opened(identity, target, TARGET).decode() for identity, target in self.rows("SELECT id, target FROM pepay_endpoint")}
        wanted: dict[str, set[str]] = defaultdict(set)
        for event, endpoint, state in self.rows("SELECT event, endpoint, state FROM pepay_delivery"):
            wanted[urls[endpoint]].add(event)
            if state != "delivered":
                self.wrong("delivery", f"{event} to {urls[endpoint]} is {state} for ever")
        for receiver in self.world.receivers:
            got = {each.id: each.body for each in receiver.got}
            for event in sorted(set(bodies) - set(got)):
                self.wrong("delivery", f"{event} never reached {receiver.host}")
            for identity, body in got.items():
                if bodies.get(identity) != body:
                    self.wrong("delivery", f"{receiver.host} got {identity}, which is not what happened")
            if set(bodies) != wanted[receiver.url]:
                self.wrong("delivery", f"not every event has a delivery to {receiver.host}")

    def _check_rest(self) -> None:
        for name, holder in self.rows("SELECT name, holder FROM pepay_lease"):
            self.wrong("nothing held", f"{holder} still has the lease {name}")
        for address, times in self.rows("SELECT address, count(*) FROM pepay_destination GROUP BY address HAVING count(*) > 1"):
            self.wrong("one address, one invoice", f"{address} was issued {times} times")
        if self.rows("PRAGMA integrity_check") != [("ok",)]:
            self.wrong("storage", "the file is damaged")


def _same(arrival: Arrival, asset: str, units: str, address: str) -> bool:
    token = asset.partition("/erc20:")[2]
    return (arrival.token, arrival.units, arrival.to) == (token, int(units), address.lower())


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def report_of(oracle: Oracle) -> str:
    """Return everything that is wrong, one thing a line."""
    with closing(oracle):
        return "\n".join(oracle.violations)


def _opened(row: str, sealed: bytes, purpose: str = EVENT) -> bytes:
    return Vault(MASTER_KEY).open(purpose, row, bytes(sealed))
