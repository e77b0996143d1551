"""What no source file may be or contain."""

import ast

import pytest
from source import ROOT, files, module_name, plugin_sources, tree

LINES = 500
SOURCES = [*files("pepay_core"), *plugin_sources()]
MONEY = [*files("pepay_core/domain", "pepay_core/services", "pepay_core/contracts", "pepay_core/storage"), *plugin_sources()]
NO_NAMES = {"utils", "helpers", "common", "base", "manager", "misc", "util", "helper"}


def named(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_file_can_be_read_in_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_module_is_named_after_what_is_in_it(path):
    assert path.stem not in NO_NAMES


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_module_says_what_it_is_for(path):
    assert ast.get_docstring(tree(path)) or path.stat().st_size == 0 or "migrations" in path.parts


def _is_call(node, name):
    return isinstance(node, ast.Call) and (
        (isinstance(node.func, ast.Name) and node.func.id == name) or (isinstance(node.func, ast.Attribute) and node.func.attr == name)
    )


def faults_of_money(node):
    """Yield what would lose a digit or an hour."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
        yield "float()"
    if (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Div | ast.FloorDiv)
        and isinstance(node.right, ast.BinOp)
        and isinstance(node.right.op, ast.Pow)
    ):
        yield "a division by a power: use domain.money"
    if _is_call(node, "utcnow") or _is_call(node, "utcfromtimestamp"):
        yield "a naive datetime"
    if (
        _is_call(node, "now")
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "datetime"
        and not (node.args or node.keywords)
    ):
        yield "a naive datetime"
    if _is_call(node, "fromtimestamp") and len(node.args) + len(node.keywords) < 2:
        yield "a naive datetime"


@pytest.mark.parametrize("path", MONEY, ids=named)
def test_code_that_handles_money_has_no_float_and_no_naive_time(path):
    found = [f"{path.name}:{node.lineno}: {fault}" for node in ast.walk(tree(path)) for fault in faults_of_money(node)]

    assert not found


@pytest.mark.parametrize("path", files("pepay_core/domain"), ids=named)
def test_the_domain_reads_no_clock(path):
    calls = [node for node in ast.walk(tree(path)) if _is_call(node, "now") or _is_call(node, "time") or _is_call(node, "monotonic")]
    reads = [
        node.lineno
        for node in calls
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) and node.func.value.id in {"datetime", "time"}
    ]

    assert not reads


@pytest.mark.parametrize(
    "source",
    ["float('1')", "amount / 10 ** 18", "amount // 10**decimals", "datetime.now()", "datetime.utcnow()", "datetime.fromtimestamp(1)"],
)
def test_each_fault_is_seen(source):
    assert any(True for node in ast.walk(ast.parse(source)) for _ in faults_of_money(node))


@pytest.mark.parametrize("source", ["datetime.now(UTC)", "clock.now()", "datetime.fromtimestamp(1, UTC)", "a / b", "isinstance(x, float)"])
def test_what_is_no_fault_is_not_taken_for_one(source):
    assert not any(True for node in ast.walk(ast.parse(source)) for _ in faults_of_money(node))


def test_every_package_of_ours_is_one_that_installers_find():
    folders = {path.parent for path in SOURCES if "migrations" not in path.parts}

    assert not [
        module_name(folder) for folder in folders if not (folder / "__init__.py").exists() and folder.name != "src" and "scaffold" not in folder.parts
    ]
