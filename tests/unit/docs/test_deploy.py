"""What is shipped for deployment says what PePay is, and the page about it says what is shipped."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path

import pytest
import yaml

from pepay_core.cli.main import run
from pepay_core.services.breaking import FAILURES, FIRST, GATEWAY_FAILURES, LONGEST, LONGEST_ASKED
from pepay_core.settings import load_settings
from pepay_core.web.serving import _GRACE

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "contrib/deploy"
PAGE = (ROOT / "docs/how-to/deploy.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def unit():
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read(DEPLOY / "pepay.service")
    return parser


def parse(command):
    """Have a command line of pepay parsed; it is not run."""
    assert run([*command, "--help"]) == 0, command


def test_the_unit_runs_commands_that_exist_and_waits_for_as_long_as_ending_takes(unit):
    for name in ("ExecStart", "ExecStartPre"):
        program, *command = shlex.split(unit["Service"][name])
        assert program.endswith("/pepay")
        parse(command)
    assert int(unit["Service"]["TimeoutStopSec"]) > _GRACE
    assert unit["Service"]["Restart"] == "always"
    assert unit["Service"]["NoNewPrivileges"] == "true"


def test_the_services_run_commands_that_exist(compose):
    services = compose["services"]
    for name in ("migrate", "api", "worker"):
        parse(services[name]["command"])
    assert services["api"]["deploy"]["replicas"] == services["worker"]["deploy"]["replicas"] == 2
    assert {services[name]["command"][-1] for name in ("api", "worker")} == {"api", "worker"}
    for each in ("api", "worker"):
        assert int(services[each]["stop_grace_period"].removesuffix("s")) > _GRACE


def test_the_services_wait_for_what_is_there(compose):
    services = compose["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", ())) <= set(services), name
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert (DEPLOY / source).is_file() if source.startswith("./") else source in compose["volumes"]


def test_the_environment_is_one_that_pepay_reads(compose, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = (DEPLOY / "compose.env.example").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    ours = {name: value for name, value in given.items() if name.startswith("PEPAY_") and name != "PEPAY_DOMAIN"}
    settings = load_settings(None, ours | compose["services"]["api"]["environment"])
    assert settings.server.base_url == f"https://{given['PEPAY_DOMAIN']}"
    assert settings.server.trusted_proxies == (compose["networks"]["inside"]["ipam"]["config"][0]["subnet"],)
    assert given["POSTGRES_PASSWORD"] in settings.database_url


def test_the_page_names_every_variable_of_the_caddyfile_with_its_default():
    text = (DEPLOY / "Caddyfile").read_text()
    used = dict(re.findall(r"\{\$(PEPAY_\w+):?([^}]*)\}", text))
    table = re.search(r"^\| variable .*?\n\n", PAGE, re.DOTALL | re.MULTILINE)[0]
    assert set(re.findall(r"PEPAY_\w+", table)) == set(used)
    for name, default in used.items():
        row = next(line for line in table.splitlines() if name in line)
        assert not default or f"`{default}`" in row


def test_the_page_has_the_real_numbers():
    assert (FAILURES, GATEWAY_FAILURES) == (5, 2)
    assert (FIRST.seconds, LONGEST.seconds, LONGEST_ASKED.seconds) == (5, 60, 900)
    assert f"({_GRACE} seconds at the most)" in PAGE
    files = set(re.findall(r"contrib/deploy/([\w.]+)", PAGE)) | {"compose.env.example"}
    assert all((DEPLOY / each).is_file() for each in files)
