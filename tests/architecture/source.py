"""The source as these tests see it: files, modules, imports."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORE = ROOT / "pepay_core"


def files(*folders):
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def plugin_sources():
    return sorted(path for folder in (ROOT / "plugins").glob("*/src") for path in folder.rglob("*.py"))


def module_name(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path):
    """Return (module, line, inside a function) of everything a file imports, wherever in it."""
    inside = {
        id(node) for function in ast.walk(tree(path)) if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(function)
    }
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [(each.name, node.lineno, id(node) in inside) for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            # `from package import module` may import a module: both readings are checked by their longest match.
            found += [(f"{'.' * node.level}{node.module or ''}.{each.name}", node.lineno, id(node) in inside) for each in node.names]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if name in {"import_module", "__import__"} and node.args and isinstance(node.args[0], ast.Constant):
                found.append((node.args[0].value, node.lineno, id(node) in inside))
    return found


def within(module, package):
    return module == package or module.startswith(f"{package}.")
