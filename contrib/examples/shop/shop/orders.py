"""Orders, kept in SQLite."""

from __future__ import annotations

import secrets
import sqlite3
import threading
from dataclasses import dataclass

PRODUCTS = {"espresso": ("Espresso beans, 1 kg", "24.90"), "filter": ("Filter roast, 500 g", "14.50")}
"""What there is to buy, and what it costs. The page names a product; the price is looked up here."""

_TABLE = """
CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY, product TEXT NOT NULL, price TEXT NOT NULL, invoice TEXT UNIQUE, token TEXT,
    status TEXT NOT NULL DEFAULT 'unpaid', version INTEGER NOT NULL DEFAULT 0, shipped INTEGER NOT NULL DEFAULT 0
)"""
_COLUMNS = "id, product, price, invoice, token, status, version, shipped"


@dataclass(frozen=True, slots=True)
class Order:
    """One order. ``version`` is that of the invoice that its ``status`` was read from."""

    id: str
    product: str
    price: str
    invoice: str | None = None
    token: str | None = None
    status: str = "unpaid"
    version: int = 0
    shipped: int = 0


class Orders:
    """All orders. Requests come in threads of their own: one connection, one at a time."""

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute(_TABLE)

    def create(self, product: str) -> Order:
        """Take an order; raises KeyError for what is not sold here."""
        name, price = PRODUCTS[product]
        order = Order(secrets.token_hex(8), name, price)
        self._run("INSERT INTO orders (id, product, price) VALUES (?, ?, ?)", order.id, name, price)
        return order

    def find(self, order: str) -> Order | None:
        """Return an order, or None."""
        with self._lock:
            row = self._database.execute(f"SELECT {_COLUMNS} FROM orders WHERE id = ?", (order,)).fetchone()  # noqa: S608 (a constant)
        return Order(*row) if row else None

    def bill(self, order: str, invoice: str, token: str) -> None:
        """Write down by which invoice an order is paid."""
        self._run("UPDATE orders SET invoice = ?, token = ? WHERE id = ?", invoice, token, order)

    def note(self, invoice: str, status: str, version: int) -> None:
        """Write down what became of an invoice, unless something newer is known: events may come late, and twice."""
        self._run("UPDATE orders SET status = ?, version = ? WHERE invoice = ? AND version < ?", status, version, invoice, version)

    def ship(self, invoice: str) -> bool:
        """Mark an order as shipped, and tell whether it was this call that did: true once, however often it is asked."""
        return self._run("UPDATE orders SET shipped = 1 WHERE invoice = ? AND shipped = 0", invoice) == 1

    def _run(self, statement: str, *values: str | int) -> int:
        with self._lock:
            return self._database.execute(statement, values).rowcount
