"""What an operator is told to watch and to expect is what there is."""

from __future__ import annotations

import os
import re
import shlex
import typing
from pathlib import Path

import pytest
from documentation import code, page

from pepay_core.cli.main import run
from pepay_core.contracts.check import Verdict
from pepay_core.domain.invoices import RESOLVING, LatePolicy, Resolution, Timing
from pepay_core.domain.merchants import SCOPES
from pepay_core.domain.payments import Mismatch
from pepay_core.plugins.loader import STOCK
from pepay_core.services.checking import ServerCheck
from pepay_core.services.choosing import MONITORING
from pepay_core.testing.postgres import postgres
from pepay_core.web import health
from pepay_core.web.api.invoice_objects import StatusWord

__all__ = ["postgres"]

OPERATE = page("how-to/operate.md")


def test_the_metrics_are_the_real_ones():
    real = set(re.findall(r'_family\("(\w+)"', Path(health.__file__).read_text(encoding="utf-8")))
    documented = {code(row[0]) for row in OPERATE.rows("Health and metrics") if row[0].startswith("`pepay_")}

    assert documented == real, f"docs/how-to/operate.md: document {sorted(real - documented)}, drop {sorted(documented - real)}"


def test_the_health_addresses_are_the_real_ones():
    documented = {code(row[0]) for row in OPERATE.rows("Health and metrics") if row[0].startswith("`/")}

    assert documented == {path for each in health.HANDLERS for path in each.paths}


def test_every_word_in_the_table_of_exceptions_is_one_that_the_api_says():
    words = {
        *typing.get_args(StatusWord),
        *(str(each) for kind in (Timing, Resolution, Mismatch) for each in kind),
        "fulfil",
        "timing",
        "value",
        "mismatch",
        "late_policy",
        "amount_overpaid",
        "payment.unmatched",
        "invoice.reverted",
    }

    used = set(re.findall(r"`([^`]+)`", "".join(" ".join(row) for row in OPERATE.rows("Exceptions"))))

    assert used <= words, sorted(used - words)
    assert {str(each) for each in Mismatch} <= used
    assert LatePolicy.HOLD


def test_what_a_merchant_can_decide_is_told():
    text = OPERATE.sections["Exceptions"]

    assert all(f"`{each}`" in text for each in RESOLVING)


def test_the_time_for_which_addresses_are_watched_is_the_real_one():
    assert f"later than {MONITORING.days} days after the deadline" in OPERATE.text


def test_the_scopes_that_are_shown_exist():
    assert set(re.findall(r"--scope (\S+)", OPERATE.text)) <= set(SCOPES)


def test_the_plugin_that_is_added_is_not_a_stock_one():
    assert "acme" not in STOCK


async def test_doctor_minds_what_the_page_says_of_tls():
    (plain,) = await ServerCheck("http://pay.example.com", allow_private=False).run()
    (secure,) = await ServerCheck("https://pay.example.com", allow_private=False).run()

    assert plain.verdict is Verdict.PROBLEM
    assert "another address to pay to" in plain.message
    assert secure.verdict is Verdict.OK


@pytest.mark.slow
def test_an_installation_moves_to_postgresql_as_the_page_says(tmp_path, monkeypatch, capsys, postgres):
    section = re.search(r"^## PostgreSQL\n(.*?)^## ", OPERATE.text, re.DOTALL | re.MULTILINE)[1]
    shown, typed = re.findall(r"^```(?:toml|sh)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)[1:]
    monkeypatch.chdir(tmp_path)
    for variable in [each for each in os.environ if each.startswith("PEPAY_")]:
        monkeypatch.delenv(variable)
    assert run(["init", "--yes"]) == 0
    with (tmp_path / "pepay.toml").open("a") as file:
        file.write(shown.replace("postgres://pepay:PASSWORD@localhost/pepay", postgres.url(postgres.create())))

    for line in typed.splitlines():
        assert run(shlex.split(line)[1:]) == 0
    capsys.readouterr()
    assert run(["merchant", "list"]) == 0

    assert capsys.readouterr().out.count("My shop") == 1
