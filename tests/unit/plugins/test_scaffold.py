"""A new plugin is whole: it is installed, its own tests pass, and the server takes it."""

import ast
import os
import subprocess
import sys
import tomllib

import pytest

from pepay_core.cli.main import run
from pepay_core.domain.errors import ConfigError
from pepay_core.plugins.scaffold import KINDS, Names, render, write


def install(project, monkeypatch):
    """Put a project on the path as an installer would."""
    about = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    info = project / "src" / f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
    info.mkdir()
    requires = "".join(f"Requires-Dist: {each}\n" for each in about["dependencies"])
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n{requires}")
    entry_points = about["entry-points"]["pepay.plugins"]
    (info / "entry_points.txt").write_text("[pepay.plugins]\n" + "".join(f"{name} = {target}\n" for name, target in entry_points.items()))
    monkeypatch.syspath_prepend(str(project / "src"))
    monkeypatch.setenv("PYTHONPATH", str(project / "src"))


@pytest.mark.parametrize("name", ["acme", "acme-pay2", "x"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_file_of_a_new_plugin_is_python_or_toml_and_has_no_gap(kind, name):
    for path, text in render(name, kind).items():
        assert "{{" not in text
        assert "package" not in path
        if path.endswith(".py"):
            ast.parse(text)
        if path.endswith(".toml"):
            tomllib.loads(text)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_tests_of_a_new_plugin_pass_as_they_are(kind, tmp_path, monkeypatch):
    project = tmp_path / "pepay-acme-pay"
    write("acme-pay", kind, project)
    install(project, monkeypatch)

    # Without our own configuration: the project has one.
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=project, env=environ, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_is_well_by_the_word_of_the_server(kind, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["plugin", "new", "fresh", "--kind", kind]) == 0
    told = capsys.readouterr().out
    install(tmp_path / "pepay-fresh", monkeypatch)
    (tmp_path / "pepay.toml").write_text('[plugin.fresh]\nrpc_url = "http://127.0.0.1:1"' if kind == "chain" else "")

    assert run(["plugin", "check", "fresh"]) == 0
    printed = capsys.readouterr().out

    assert "pip install -e pepay-fresh" in told
    assert ("chain fresh:1" if kind == "chain" else "rates fresh") in printed
    for module in [each for each in sys.modules if each.partition(".")[0] == "pepay_fresh"]:
        del sys.modules[module]


def test_nothing_is_overwritten(tmp_path):
    folder = tmp_path / "pepay-acme"
    folder.mkdir()

    with pytest.raises(ConfigError, match="exists"):
        write("acme", "rates", folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["", "Acme", "acme_pay", "-acme", "acme--pay", "../acme", "1acme", "server"])
def test_a_name_that_the_loader_would_refuse_is_refused_at_once(name, tmp_path):
    with pytest.raises(ConfigError):
        write(name, "rates", tmp_path / "new")


@pytest.mark.parametrize(("name", "namespace"), [("x", "xnet"), ("acme", "acme"), ("a-b", "abnet"), ("a-very-long-name", "averylon")])
def test_the_namespace_of_a_chain_has_three_to_eight_characters(name, namespace):
    assert Names(name).namespace == namespace
