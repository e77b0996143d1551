"""The module that plugins import has all that they need, and says so."""

import ast
import inspect
import re

from source import CORE, files, tree

from pepay_core import api
from pepay_core.domain import errors

CLASSES = {name: value for name, value in vars(errors).items() if inspect.isclass(value) and value.__module__ == errors.__name__}


def test_everything_that_the_api_imports_is_exported_and_nothing_else():
    imported = {each.asname or each.name for node in tree(CORE / "api.py").body if isinstance(node, ast.ImportFrom) for each in node.names}

    assert imported == set(api.__all__)


def test_the_exports_are_sorted_constants_first_and_named_once():
    def order(name):
        return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)

    assert api.__all__ == sorted(set(api.__all__), key=order)


def test_the_api_has_no_code_of_its_own():
    kinds = {type(node) for node in tree(CORE / "api.py").body}

    assert kinds <= {ast.Expr, ast.ImportFrom, ast.Assign}


def test_whatever_a_contract_or_a_hook_mentions_can_be_imported_from_the_api():
    mentioned = {}
    for path in [*files("pepay_core/contracts"), CORE / "hookspecs.py"]:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pepay_core."):
                mentioned.update({each.name: path.name for each in node.names})

    assert {name: where for name, where in mentioned.items() if name not in api.__all__} == {}


def test_every_class_of_a_contract_can_be_imported_from_the_api():
    defined = {node.name for path in files("pepay_core/contracts") for node in tree(path).body if isinstance(node, ast.ClassDef)}

    assert defined <= set(api.__all__)


def the_tree():
    """Yield (name, name of its parent in the drawing) of every class that the docstring draws."""
    above = []
    for line in inspect.getdoc(errors).partition("::\n")[2].splitlines():
        match = re.match(r"([\s│├└─]*)(\S.*)", line)
        if match is None or ("PePayError" not in line and not re.search("[├└]", line)):
            continue
        depth, text = len(match[1]), match[2]
        names = []
        for word in text.split():
            if not re.fullmatch(r"[A-Z][A-Za-z]+", word) or not word[1:].strip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
                break
            names.append(word)
        above = [(at, name) for at, name in above if at < depth]
        for name in names:
            yield name, above[-1][1] if above else None
        if names:
            above.append((depth, names[0]))


def test_the_tree_of_errors_draws_every_class_and_only_those():
    drawn = [name for name, _ in the_tree()]

    assert sorted(drawn) == sorted(CLASSES)


def test_the_tree_of_errors_draws_each_class_below_one_it_inherits_from():
    for name, parent in the_tree():
        assert issubclass(CLASSES[name], CLASSES[parent] if parent else Exception), f"{name} is drawn below {parent}"


def test_every_error_has_a_code_of_its_own():
    codes = [each.code for each in CLASSES.values()]

    assert len(codes) == len(set(codes))


def test_every_error_says_what_happened():
    assert [name for name, each in CLASSES.items() if not (each.__doc__ or "").strip()] == []
