"""What an operator types, from an empty folder on."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sqlite3
import stat

import pytest

from pepay_core.cli.main import EXIT_CONFIG, EXIT_FAILED, EXIT_OK, run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return an empty folder that commands run in, with nothing of PePay in the environment."""
    for name in list(os.environ):
        if name.startswith("PEPAY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def made(folder, capsys):
    """Return what ``pepay init`` printed."""
    assert run(["init", "--yes", "--json"]) == EXIT_OK
    return json.loads(capsys.readouterr().out)


def findings(capsys):
    return {each["subject"]: each for each in json.loads(capsys.readouterr().out)}


def test_init_makes_everything_that_serve_needs_and_prints_the_keys_once(folder, made):
    assert sorted(made) == ["admin", "config", "database", "keys", "merchant"]
    assert made["keys"]["test"].startswith("pepay_test_")
    assert made["keys"]["live"].startswith("pepay_live_")
    for name in ("pepay.toml", "pepay.key", "pepay.db"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    stored = (folder / "pepay.db").read_bytes() + (folder / "pepay.toml").read_bytes()
    for key in made["keys"].values():
        assert key.rpartition("_")[2].encode() not in stored


def test_init_overwrites_nothing(folder, made, capsys):
    before = (folder / "pepay.toml").read_text()

    assert run(["init", "--yes"]) == EXIT_CONFIG

    assert "is not overwritten" in capsys.readouterr().err
    assert (folder / "pepay.toml").read_text() == before


def test_init_that_fails_leaves_nothing_behind(folder, capsys):
    assert run(["init", "--yes", "--database", "sqlite:////nowhere/at/all/pepay.db"]) == EXIT_CONFIG

    assert list(folder.iterdir()) == []
    assert "does not exist" in capsys.readouterr().err


def test_every_line_of_the_first_configuration_is_a_comment(folder, made):
    lines = (folder / "pepay.toml").read_text().splitlines()

    assert [line for line in lines if line and not line.startswith("#")] == []


def test_the_examples_in_the_first_configuration_are_valid(folder, made, capsys):
    lines = (folder / "pepay.toml").read_text().splitlines()
    examples = [line.removeprefix("# ") for line in lines if line.startswith("# ") and ("=" in line or line.startswith("# ["))]
    text = "\n".join(line for line in examples if not line.startswith("required"))
    (folder / "pepay.toml").write_text(text.replace("0x...", "0x" + "1" * 40).replace("https://...", "https://rpc.example"))

    assert run(["plugin", "list"]) == EXIT_OK
    assert "quarantined" not in capsys.readouterr().out


def test_doctor_names_every_problem_of_an_empty_folder_with_a_remedy(folder, capsys):
    assert run(["doctor", "--json"]) == EXIT_FAILED

    found = findings(capsys)
    problems = {subject for subject, each in found.items() if each["verdict"] == "problem"}
    assert problems == {"secrets", "chains", "database"}
    assert all(each["remedy"] for each in found.values() if each["verdict"] != "ok")


def test_doctor_sees_what_is_wrong_with_a_configuration(folder, made, capsys):
    (folder / "pepay.toml").write_text("""
[server]
base_url = "http://pay.example.com"
[rates]
quorum = 1
providers = ["coinbase", "binance"]
[webhooks]
allow_private = true
[plugin.evm.networks.dev]
chain = "eip155:31337"
rpc = ["http://user:a-secret@127.0.0.1:1/another-secret"]
testnet = true
native = { symbol = "ETH", rate_id = "unheard-of" }
""")

    assert run(["doctor", "--json"]) == EXIT_FAILED

    text = capsys.readouterr().out
    found = {each["subject"]: each for each in json.loads(text)}
    assert found["server.base_url"]["verdict"] == "problem"
    assert found["rates.quorum"]["verdict"] == "warning"
    assert found["rates.providers"]["message"] == "the provider binance is not running"
    assert found["webhooks.allow_private"]["verdict"] == "warning"
    assert any(each["verdict"] == "problem" and "127.0.0.1:1" in each["subject"] for each in found.values())
    assert "secret" not in text.replace('"secrets"', "")


def test_doctor_tells_a_master_key_that_is_not_this_databases(folder, made, capsys):
    (folder / "pepay.key").unlink()
    from pepay_core.secrets import FileSecrets

    FileSecrets(folder / "pepay.key", {}).create()

    assert run(["doctor", "--json"]) == EXIT_FAILED
    assert "not the one that this database was made with" in findings(capsys)["database"]["message"]


def test_a_wrong_key_in_the_configuration_is_named_with_the_nearest_right_one(folder, capsys):
    (folder / "pepay.toml").write_text("[server]\nprot = 1\n")

    assert run(["serve"]) == EXIT_CONFIG

    said = capsys.readouterr().err
    assert "prot" in said
    assert "'port'" in said


def test_keys_are_made_listed_and_revoked(folder, made, capsys):
    assert run(["key", "create", "--live", "--scope", "invoices:read", "--json"]) == EXIT_OK
    new = json.loads(capsys.readouterr().out)
    assert (new["livemode"], new["scopes"], new["key"][:11]) == (True, ["invoices:read"], "pepay_live_")

    assert run(["key", "revoke", new["id"]]) == EXIT_OK
    capsys.readouterr()
    assert run(["key", "list", "--json"]) == EXIT_OK
    listed = {each["id"]: each for each in json.loads(capsys.readouterr().out)}
    assert len(listed) == 3
    assert listed[new["id"]]["revoked_at"] is not None
    assert run(["key", "revoke", "key_00000000000000000000000000"]) == EXIT_FAILED


def test_merchants_are_made_and_listed(folder, made, capsys):
    assert run(["merchant", "create", "Second shop", "--json"]) == EXIT_OK
    second = json.loads(capsys.readouterr().out)
    assert run(["merchant", "list", "--json"]) == EXIT_OK

    assert [each["id"] for each in json.loads(capsys.readouterr().out)] == [made["merchant"], second["merchant"]]
    assert run(["key", "create"]) == EXIT_FAILED
    assert "--merchant" in capsys.readouterr().err


def test_invoices_are_made_shown_and_listed(folder, made, capsys):
    assert run(["invoice", "create", "12.50", "--description", "by hand", "--json"]) == EXIT_OK
    invoice = json.loads(capsys.readouterr().out)
    assert run(["invoice", "show", invoice["id"]]) == EXIT_OK
    shown = capsys.readouterr().out
    assert run(["invoice", "list", "--json"]) == EXIT_OK
    listed = json.loads(capsys.readouterr().out)

    assert (invoice["amount"], invoice["description"]) == ("12.50", "by hand")
    assert "unpaid" in shown
    assert [each["id"] for each in listed] == [invoice["id"]]
    assert run(["invoice", "create", "1_000"]) == EXIT_FAILED
    assert "1_000" in capsys.readouterr().err


def test_the_state_of_the_chains_is_shown_without_a_server(folder, made, capsys):
    assert run(["chain", "status"]) == EXIT_OK
    assert "No network is configured" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [("tx", "explain", "0x" + "ab" * 32, "--chain"), ("chain", "audit", "--from", "1", "--to", "2"), ("chain", "rescan", "--from", "1", "--to", "2")],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_chain_that_is_not_here_is_refused_in_one_line_and_without_noise(folder, made, capsys, words):
    assert run([*words, "eip155:5"]) == EXIT_FAILED

    gc.collect()  # what was never awaited is told of when it is collected, and fails the test
    assert capsys.readouterr().err == (
        "Error: no running plugin knows the chain 'eip155:5'; GET /api/v1/chains and `pepay chain status` list those that are\n"
    )


@pytest.mark.parametrize(
    "words",
    [("tx", "explain", "0x" + "ab" * 32), ("chain", "status"), ("invoice", "list"), ("key", "list"), ("merchant", "list")],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_database_that_is_behind_the_code_is_named_with_its_remedy(folder, made, capsys, words):
    with contextlib.closing(sqlite3.connect(folder / "pepay.db")) as database, database:
        database.execute("DELETE FROM migration WHERE id = (SELECT MAX(id) FROM migration)")

    assert run(words) == EXIT_CONFIG

    told = capsys.readouterr().err
    assert "is behind the code: pepay: " in told
    assert "run `pepay migrate`" in told
