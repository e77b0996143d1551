"""Every hook is specified, proven and documented."""

import ast
import importlib.util
import inspect

import pytest
from source import ROOT, files, tree

from pepay_core import testing
from pepay_core.hookspecs import Hooks, OnError, specs

HOOKS = list(specs())


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("pepay_hooks", ROOT / "docs" / "_ext" / "pepay_hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tests_of_hooks():
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        node.name for path in files("tests") for node in ast.walk(tree(path)) if isinstance(node, functions) and node.name.startswith("test_hook_")
    }


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_says_when_it_is_called_what_it_must_do_what_failing_costs_and_what_proves_it(hook):
    lines = inspect.getdoc(getattr(Hooks, hook)).splitlines()

    assert lines[0].endswith((".", "Refused.")) and lines[1] == ""  # noqa: PT018
    assert [line.partition(":")[0] for line in lines if line.startswith(("When:", "Must:", "Fails:", "See:"))] == ["When", "Must", "Fails", "See"]
    suite = next(line for line in lines if line.startswith("See:")).split("``")[1]
    assert suite.removeprefix("pepay_core.testing.") in testing.__all__


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_says_of_failing_what_the_host_does(hook, reference):
    words = {OnError.QUARANTINE: "quarantined", OnError.SKIP: ("left out", "logged", "goes on"), OnError.ABORT: "refused"}[specs()[hook].on_error]

    assert any(word in reference.header(hook)["Fails"] for word in ([words] if isinstance(words, str) else words))


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_has_a_test_that_is_named_after_it(hook, tests_of_hooks):
    assert f"test_hook_{hook}" in tests_of_hooks


def test_no_test_is_named_after_a_hook_that_is_gone(tests_of_hooks):
    assert {name.removeprefix("test_hook_") for name in tests_of_hooks} == set(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_documented_with_its_exact_signature(hook, reference):
    text = reference.PAGE.read_text(encoding="utf-8")

    assert f"\n## {hook}\n" in text
    assert f"\n@hookimpl\n{reference.signature(hook)}: ...\n" in text


def test_the_reference_of_the_hooks_is_up_to_date(reference):
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run: python docs/_ext/pepay_hooks.py"


def test_a_signature_is_printed_as_a_plugin_writes_it(reference):
    assert reference.signature("pepay_chains") == "def pepay_chains(ctx: PluginContext) -> Iterable[Chain]"
    assert reference.signature("pepay_commands") == "def pepay_commands() -> Iterable[click.Command]"
    assert reference.signature("pepay_event") == "async def pepay_event(event: Event, ctx: PluginContext) -> None"
