"""No query on what belongs to a merchant is made without a merchant: proved over every method of every repository."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from importlib import import_module

import pytest
from source import files, module_name, tree

from pepay_core.storage.tables import TABLES

TENANTS = {table.__name__ for table in TABLES if any(column._meta.name == "merchant" for column in table._meta.columns)}
NAMES = {table._meta.tablename for table in TABLES if table.__name__ in TENANTS}

# Of which class an argument names its merchant itself, as what is stored does.
CARRIERS = {
    name
    for path in files("pepay_core/domain")
    for name, made in vars(import_module(module_name(path))).items()
    if dataclasses.is_dataclass(made) and any(field.name in {"merchant", "actor"} for field in dataclasses.fields(made))
}

# What is asked of such a table without a merchant, and why that opens nothing to anybody who asks for something.
WITHOUT = {
    "AuditRepository": {
        "newest": "the chain of the log is one for all merchants",
        "after": "the operator verifies and exports the log: never behind a request",
    },
    "DeliveryRepository": {
        "claim": "the dispatcher delivers for all merchants",
        "hold": "the dispatcher: those that it claimed",
        "renew": "the dispatcher: those that it claimed",
        "next_due": "the dispatcher delivers for all merchants",
        "page": "of an endpoint that was read for its merchant",
        "abandon": "of an endpoint that was read for its merchant",
    },
    "DestinationRepository": {
        "of": "of invoices that were read for their merchant",
        "watched": "the engine watches for all merchants at once",
        "at": "the engine: whose is the address that money came to",
        "ever": "the engine's cold pass",
        "from_wallets": "of wallets that were read for their merchant, or by the operator",
    },
    "EndpointRepository": {
        "find": "the dispatcher, which delivers for all merchants",
        "hold": "the dispatcher: those of the deliveries that it claimed",
        "among": "the dispatcher: those of the deliveries that it claimed",
    },
    "GrantRepository": {
        "take": "whoever holds a code that was given out once, whose digest finds its merchant",
        "sweep": "forgets what has expired, whoever's it is",
    },
    "InvitationRepository": {
        "by_digest": "whoever holds the link, whose digest finds its merchant",
        "take": "whoever holds the link, whose digest finds its merchant",
        "of_platform": "those that lead to no merchant",
        "sweep": "forgets what has expired, whoever's it is",
    },
    "InvoiceRepository": {
        "find": "the engine, and buyers who have shown the invoice's client token",
        "versions": "numbers alone, for pages whose client tokens were checked",
        "still_open": "the engine: ids of the watch set",
        "past_deadline": "the engine closes what is due, whoever's it is",
    },
    "KeyRepository": {
        "find": "finds out who is calling",
        "touch": "notes that a key was used by whoever was let in with it",
        "expiring": "the doctor tells the operator",
    },
    "LedgerRepository": {
        "of": "of an invoice that was read for its merchant, or by the engine",
        "imbalances": "the doctor tells the operator",
    },
    "MemberRepository": {"of_user": "a user's own memberships are how they get to a merchant"},
    "PaymentRepository": {
        "known": "the engine: by what happened on a chain",
        "of": "of invoices that were read for their merchant",
        "above": "the engine: by what happened on a chain",
        "made_by": "by the hash of a transaction; whoever explains one to a merchant leaves out what is others'",
        "within": "the engine: by what happened on a chain",
        "confirming": "the engine: by what happened on a chain",
        "without_value": "the engine prices what has no price, whoever's it is",
    },
    "RefundRepository": {"of": "of an invoice that was read for its merchant, or whose client token was shown"},
    "ReplayRepository": {
        "hold": "the worker: one of those that are running",
        "page": "of an endpoint that was read for its merchant",
        "running": "the worker goes on for all merchants",
        "forget": "of an endpoint that was read for its merchant",
        "waiting": "of an endpoint of a replay that is running",
    },
    "RetentionRepository": {
        "attempts": "forgets what is old enough, whoever's it is",
        "deliveries": "forgets what is old enough, whoever's it is",
        "events": "forgets what is old enough, whoever's it is",
    },
    "SweepRepository": {
        "known": "the engine: by what happened on a chain",
        "above": "the engine: by what happened on a chain",
        "balances": "of wallets that were read for their merchant",
        "at_destinations": "of wallets that were read by the operator",
    },
    "WalletRepository": {
        "of_kind": "what the operator moves deposits of: never behind a request",
        "next_index": "counts up a wallet that was read for its merchant",
    },
}


def repositories():
    """Yield the name, the methods, and the source of every repository."""
    for path in files("pepay_core/storage/repositories"):
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef) and node.name.endswith("Repository") and node.name != "Repository":
                yield path, node


def touches(path, method):
    """Return which tables of merchants a method names, in Python or in SQL, itself or by what it calls in its file."""
    text = path.read_text(encoding="utf-8")
    names, waiting, seen = set(), [method], set()
    functions = {each.name: each for each in ast.walk(tree(path)) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
    constants = {each.targets[0].id: each for each in tree(path).body if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name)}
    constants |= {each.target.id: each for each in tree(path).body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)}
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        source = ast.get_source_segment(text, node) or ""
        names |= {name for name in TENANTS if name in source} | {name for name in NAMES if f"{name} " in f"{source} "}
        for each in ast.walk(node):
            called = each.attr if isinstance(each, ast.Attribute) else each.id if isinstance(each, ast.Name) else None
            waiting += [found[called] for found in (functions, constants) if called in found and called is not None]
    return names


CASES = [
    pytest.param(path, node.name, method, id=f"{node.name}.{method.name}")
    for path, node in repositories()
    for method in node.body
    if isinstance(method, ast.AsyncFunctionDef) and not method.name.startswith("_")
]


def takes_a_merchant(method):
    """Tell whether a method is given a merchant, or something that names its own."""
    given = [each for each in [*method.args.args, *method.args.kwonlyargs, method.args.vararg] if each is not None and each.annotation is not None]
    kinds = {word for each in given for word in re.findall(r"\w+", ast.unparse(each.annotation))}
    return bool(kinds & CARRIERS) or any(each.arg == "merchant" for each in given)


@pytest.mark.parametrize(("path", "repository", "method"), CASES)
def test_a_method_on_what_belongs_to_a_merchant_takes_one_or_says_why_not(path, repository, method):
    excused = method.name in WITHOUT.get(repository, {})
    if not touches(path, method):
        assert not excused, "it touches nothing of a merchant's: take it off the list"
        return
    assert takes_a_merchant(method) is not excused, f"{repository}.{method.name}"


def test_the_list_names_only_what_there_is():
    there = {node.name: {each.name for each in node.body if isinstance(each, ast.AsyncFunctionDef)} for _, node in repositories()}

    assert {name: sorted(set(methods) - there.get(name, set())) for name, methods in WITHOUT.items()} == {name: [] for name in WITHOUT}
    assert all(reason for methods in WITHOUT.values() for reason in methods.values())


def test_the_tables_of_merchants_are_those_one_expects():
    assert {"KeyRow", "WalletRow", "InvoiceRow", "PaymentRow", "EndpointRow", "EventRow", "EntryRow", "MemberRow", "InvitationRow"} <= TENANTS


def test_a_method_that_takes_a_merchant_asks_for_it():
    """A merchant that is taken and not used would be a lie."""
    silent = [
        f"{repository}.{method.name}"
        for _, repository, method in (case.values for case in CASES)
        if any(each.arg == "merchant" for each in [*method.args.args, *method.args.kwonlyargs]) and not asks(method)
    ]

    assert silent == []


def asks(method):
    return any(isinstance(each, ast.Name) and each.id == "merchant" for statement in method.body for each in ast.walk(statement))


def test_only_repositories_speak_to_tables():
    for path in files("pepay_core/services", "pepay_core/web", "pepay_core/cli"):
        assert "storage.tables" not in path.read_text(encoding="utf-8"), path


def test_the_walk_sees_a_method_that_forgets(tmp_path):
    path = tmp_path / "leaky.py"
    path.write_text(
        inspect.cleandoc("""
        _ALL = "SELECT * FROM pepay_invoice WHERE true"

        class LeakyRepository:
            async def one(self, id: InvoiceId):
                return await self._select(InvoiceRow)

            async def two(self):
                return await self._raw(_ALL)

            async def three(self):
                return self._inner()

            def _inner(self):
                return InvoiceRow.select()
    """)
    )
    for method in tree(path).body[1].body[:3]:
        assert touches(path, method), method.name
        assert not takes_a_merchant(method)
