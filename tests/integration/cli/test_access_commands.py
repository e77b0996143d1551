"""Keys and letters on the command line."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

import pytest
from mail_server import Mailbox

from pepay_core.cli.main import EXIT_FAILED, EXIT_OK, run

DAY = 24 * 3600


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder in which ``pepay init`` was run; tests make what they need beside what is there."""
    folder = tmp_path_factory.mktemp("installation")
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("PEPAY_")}
    before = Path.cwd()
    os.chdir(folder)
    assert run(["init", "--yes", "--json"]) == EXIT_OK
    yield folder
    os.chdir(before)
    os.environ.update(kept)


@pytest.fixture
def says(folder, capsys):
    """Return a function that runs a command and returns what it prints."""

    def say(*arguments, code=EXIT_OK, errors=False):
        capsys.readouterr()
        assert run(arguments) == code
        said = capsys.readouterr()
        return said.err if errors else said.out

    return say


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ([], 90 * DAY),
        (["--expires", "1h"], 3600),
        (["--expires", "1y"], 365 * DAY),
        (["--expires", "45d"], 45 * DAY),
        (["--days", "3"], 3 * DAY),
        (["--expires", "never"], None),
    ],
)
def test_a_key_lasts_as_long_as_was_said(says, options, seconds):
    began = int(time.time())
    made = json.loads(says("key", "create", "--scope", "invoices:read", "--json", *options))
    if seconds is None:
        assert made["expires_at"] is None
    else:
        assert began + seconds <= made["expires_at"] <= int(time.time()) + seconds


def test_a_key_says_in_the_list_how_it_stands(says):
    later = json.loads(says("key", "create", "--name", "later", "--not-before", "2030-01-01T00:00:00Z", "--ip", "203.0.113.0/24", "--json"))
    says("key", "create", "--name", "for ever", "--expires", "never")
    ended = json.loads(says("key", "create", "--name", "ended", "--json"))
    says("key", "revoke", ended["id"])
    listed = says("key", "list")
    assert any(later["id"] in line and "from 2030-01-01 00:00" in line and "never" in line for line in listed.splitlines())
    assert any("for ever" in line and "never expires" in line for line in listed.splitlines())
    assert any(ended["id"] in line and "revoked" in line for line in listed.splitlines())


def test_a_key_is_replaced_and_the_old_one_says_until_when_it_is_good(says):
    old = json.loads(says("key", "create", "--name", "old", "--scope", "invoices:read", "--json"))
    new = json.loads(says("key", "rotate", old["id"], "--overlap", "3600", "--json"))
    assert (new["replaces"], new["scopes"], new["key"] != old["key"]) == (old["id"], ["invoices:read"], True)
    assert new["replaced_expires_at"] - new["created_at"] == 3600
    text = says("key", "rotate", new["id"], "--overlap", "0")
    assert text.startswith("pepay_test_")
    says("key", "rotate", new["id"], code=EXIT_FAILED)
    says("key", "rotate", old["id"], "--merchant", "mer_00000000000000000000000000", code=EXIT_FAILED)


@pytest.mark.parametrize(
    "options", [["--expires", "2w"], ["--expires", "1h", "--days", "1"], ["--not-before", "soon"], ["--overlap", "1"], ["--writes-per-minute", "0"]]
)
def test_what_cannot_be_meant_is_wrong_usage(says, options):
    says("key", "create", *options, code=2)


def test_a_network_that_is_none_is_refused_by_its_name(says):
    assert "203.0.113" in says("key", "create", "--ip", "everywhere", code=EXIT_FAILED, errors=True)


def test_without_a_mail_server_doctor_and_test_say_what_to_configure(says, folder):
    findings = json.loads(says("doctor", "--json", code=EXIT_FAILED))
    (mail,) = [each for each in findings if each["subject"] == "mail"]
    assert (mail["verdict"], "[plugin.email]" in mail["remedy"]) == ("warning", True)
    assert "[plugin.email]" in says("mail", "test", "ada@example.com", code=EXIT_FAILED, errors=True)
    assert json.loads(says("mail", "list", "--json")) == []
    says("mail", "retry", "msg_00000000000000000000000000", code=EXIT_FAILED)


def test_a_test_letter_arrives_and_a_refusal_is_told(says, monkeypatch):
    async def sending(answers, code):
        async with Mailbox(answers=answers) as mailbox:
            settings = {"HOST": "127.0.0.1", "PORT": str(mailbox.port), "SECURITY": "none", "SENDER": "pay@shop.example"}
            for name, value in settings.items():
                monkeypatch.setenv(f"PEPAY_EMAIL__{name}", value)
            said = await asyncio.to_thread(says, "mail", "test", "ada@example.com", code=code, errors=code != EXIT_OK)
            return said, mailbox.got

    said, got = asyncio.run(sending({}, EXIT_OK))
    assert "took it" in said
    assert got[0].message["Subject"] == "PePay can send mail"
    said, got = asyncio.run(sending({"RCPT": "550 nobody here"}, EXIT_FAILED))
    assert "550 nobody here" in said
    assert got == []


def test_a_mail_setting_that_cannot_work_is_a_wrong_configuration(says, monkeypatch):
    monkeypatch.setenv("PEPAY_EMAIL__HOST", "mail.example")
    findings = json.loads(says("doctor", "--json", code=EXIT_FAILED))
    assert any("sender is missing" in each["message"] for each in findings)
