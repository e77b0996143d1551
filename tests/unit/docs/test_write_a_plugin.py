"""The plugin of the tutorial is built as the page says: it passes the suites, and the server takes it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib

import pytest
from documentation import page

from pepay_core.cli.main import run
from pepay_core.clock import SystemClock
from pepay_core.plugins.lifecycle import PluginState, assemble
from pepay_core.settings import load_settings

PAGE = page("tutorials/write-a-plugin.md")


def files():
    """Return the files that the page shows, by the path in their first line."""
    found = {}
    for block in PAGE.blocks("toml", "python"):
        named = re.match(r"# (\S+\.(?:py|toml))\n", block.code)
        if named:
            found[named[1]] = block.code
    return found


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Follow the page: make the folders, write the files, and put the project on the path as an installer would."""
    monkeypatch.chdir(tmp_path)
    first = PAGE.blocks("sh")[0].code
    subprocess.run(["sh", "-ec", first], cwd=tmp_path, check=True)
    folder = tmp_path / "pepay-acme"
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")
    about = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    info = folder / "src" / f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
    info.mkdir()
    requires = "".join(f"Requires-Dist: {each}\n" for each in about["dependencies"])
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n{requires}")
    (info / "entry_points.txt").write_text(
        "[pepay.plugins]\n" + "".join(f"{name} = {target}\n" for name, target in about["entry-points"]["pepay.plugins"].items())
    )
    monkeypatch.syspath_prepend(str(folder / "src"))
    yield folder
    sys.modules.pop("pepay_acme", None)


def suite(project, *options):
    """Run the project's own tests, by its own configuration."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "PEPAY_"))} | {"PYTHONPATH": str(project / "src")}
    # Plugins that the project does not ask for would take seconds to import.
    without = [word for name in ("cacheprovider", "schemathesis", "hypothesispytest") for word in ("-p", f"no:{name}")]
    command = [sys.executable, "-m", "pytest", "-q", *without, *options]
    return subprocess.run(command, cwd=project, env=environ, capture_output=True, text=True, check=False, timeout=120)


def test_the_page_shows_four_files_with_the_empty_one():
    assert set(files()) == {"pyproject.toml", "src/pepay_acme/__init__.py", "tests/test_acme.py"}
    assert "touch src/pepay_acme/py.typed" in PAGE.text


@pytest.mark.slow
def test_the_plugin_passes_the_suites(project):
    done = suite(project)

    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("return {pair: Rate(price, at)", "return {Pair(pair.quote, pair.base): Rate(price, at)"),
        ("raise RatesUnavailable(f", "return self.__dict__.get('last') or print(f"),
        ("return read_price(price)", "return price"),
    ],
    ids=["turned round", "error swallowed", "price taken as it came"],
)
def test_the_suite_catches_what_the_page_proposes_to_break(project, right, wrong):
    module = project / "src" / "pepay_acme" / "__init__.py"
    text = module.read_text()
    assert right in text
    module.write_text(text.replace(right, wrong).replace("import PluginInfo", "import Pair, PluginInfo"))

    done = suite(project, "-x", "-k", "TestRates")

    assert done.returncode == 1, done.stdout
    assert "FAILED" in done.stdout


def test_the_server_takes_the_plugin_when_it_is_enabled(project, tmp_path, capsys):
    config = tmp_path / "pepay.toml"
    config.write_text(PAGE.blocks("toml")[-1].code)

    assert run(["plugin", "check", "acme"]) == 0
    assert run(["plugin", "enable", "acme"]) == 0
    assembly = assemble(load_settings(config, {}), clock=SystemClock(), http=None)

    assert "acme 0.1.0 is well: rates acme" in capsys.readouterr().out
    assert assembly.statuses["acme"].state is PluginState.CONFIGURED
    assert "acme" in assembly.catalogue.rate_providers
    assert set(assembly.catalogue.rate_providers) > {"acme"}, "those that were enabled before still are"


def test_the_command_that_begins_a_plugin_writes_what_the_page_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert run(["plugin", "new", "acme"]) == 0

    written = tomllib.loads((tmp_path / "pepay-acme" / "pyproject.toml").read_text())
    shown = tomllib.loads(files()["pyproject.toml"])
    assert shown["project"]["entry-points"] == written["project"]["entry-points"]
    assert shown["project"]["dependencies"] == written["project"]["dependencies"]
    assert shown["build-system"] == written["build-system"]
