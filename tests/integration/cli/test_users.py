"""Users, members and merchants as an operator types them."""

from __future__ import annotations

import asyncio
import json
import os

import pytest

from pepay_core.cli.main import EXIT_FAILED, EXIT_OK, run
from pepay_core.domain.errors import MerchantSuspended, SignInFailed
from pepay_core.runtime import Runtime
from pepay_core.settings import load_settings


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return an empty folder that commands run in, with nothing of PePay in the environment."""
    for name in list(os.environ):
        if name.startswith("PEPAY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def said(folder, capsys):
    """Run a command line that succeeds, and return what it printed."""

    def say(*words, json_=True):
        assert run([*words, *(["--json"] if json_ else [])]) == EXIT_OK, capsys.readouterr().err
        printed = capsys.readouterr().out
        return json.loads(printed) if json_ else printed.strip()

    return say


@pytest.fixture
def made(said):
    return said("init", "--yes", "--email", "Root@Example.com")


def inside(folder, work):
    """Do something with the engine that serves this folder."""

    async def main():
        async with Runtime.open(load_settings(folder / "pepay.toml", {}), workers=False, environ={}) as runtime:
            return await work(runtime)

    return asyncio.run(main())


async def entered(runtime, email, password):
    """Return whose session a password opens."""
    opened = await runtime.people.signing_in.with_password(email, password)
    return (await runtime.people.sessions.find(opened.token)).user


def test_init_makes_one_admin_whose_password_is_printed_once_and_stored_nowhere(folder, made):
    assert made["admin"]["email"] == "Root@example.com"
    stored = b"".join(path.read_bytes() for path in folder.iterdir())
    for secret in (made["admin"]["password"], "Root@example.com", "root@example.com", "$argon2"):
        assert secret.encode() not in stored

    async def work(runtime):
        user = await entered(runtime, "root@example.com", made["admin"]["password"])
        return user.is_admin, await runtime.people.memberships.of_user(user)

    is_admin, memberships = inside(folder, work)
    assert is_admin
    assert [(each["merchant"], each["role"]) for each in memberships] == [(made["merchant"], "owner")]


def test_no_two_installations_have_the_same_password(said, folder, tmp_path, monkeypatch):
    passwords = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        made = said("init", "--yes")
        assert made["admin"]["email"] == "admin@localhost"
        passwords.add(made["admin"]["password"])
    assert len(passwords) == 2
    assert all(len(each) >= 20 for each in passwords)


@pytest.mark.parametrize(("base_url", "address"), [("https://pay.example.com", "admin@pay.example.com"), ("http://pepay:8000", "admin@localhost")])
def test_the_first_admin_has_an_address_at_the_server_where_it_has_a_name_for_mail(said, monkeypatch, base_url, address):
    monkeypatch.setenv("PEPAY_SERVER__BASE_URL", base_url)
    assert said("init", "--yes")["admin"]["email"] == address


def test_init_with_an_address_that_is_none_leaves_nothing_behind(folder, capsys):
    assert run(["init", "--yes", "--email", "root"]) == EXIT_FAILED

    assert "not a mail address" in capsys.readouterr().err
    assert list(folder.iterdir()) == []


def test_users_are_made_listed_suspended_and_let_in_again(folder, made, said):
    new = said("user", "create", "ada@example.com", "--name", "Ada")
    listed = said("user", "list")
    assert {each["email"]: each["is_admin"] for each in listed} == {"ada@example.com": False, "Root@example.com": True}
    assert "password" not in json.dumps(listed)
    said("user", "suspend", "ADA@example.com", json_=False)

    async def work(runtime):
        with pytest.raises(SignInFailed):
            await entered(runtime, "ada@example.com", new["password"])

    inside(folder, work)
    said("user", "resume", new["id"], json_=False)
    assert inside(folder, lambda runtime: entered(runtime, "ada@example.com", new["password"])).name == "Ada"


def test_a_password_is_reset_by_a_link_or_by_one_that_is_made_here(folder, made, said):
    said("user", "create", "ada@example.com")
    link = said("user", "reset-password", "ada@example.com")["link"]
    assert link.startswith("http://localhost:8000/reset-password?token=")

    async def work(runtime):
        await runtime.people.password_resets.reset(link.partition("=")[2], "a new horse battery")
        return await entered(runtime, "ada@example.com", "a new horse battery")

    inside(folder, work)
    password = said("user", "reset-password", "ada@example.com", "--generate")["password"]
    assert inside(folder, lambda runtime: entered(runtime, "ada@example.com", password))
    said("user", "reset-2fa", "ada@example.com", json_=False)


def test_members_are_added_changed_and_removed(folder, made, said, capsys):
    said("user", "create", "ada@example.com")
    said("member", "add", "ada@example.com", "developer")
    invited = said("member", "add", "eve@example.com", "viewer")
    said("member", "role", "ada@example.com", "admin", json_=False)
    assert [(each["email"], each["role"]) for each in said("member", "list")] == [("Root@example.com", "owner"), ("ada@example.com", "admin")]

    async def accept(runtime):
        return (await runtime.people.invitations.accept(invited["link"].partition("=")[2], "a new horse battery", name="Eve")).user

    assert inside(folder, accept).name == "Eve"
    said("member", "remove", "ada@example.com", json_=False)
    assert [each["email"] for each in said("member", "list")] == ["Root@example.com", "eve@example.com"]
    for words in (
        ["member", "remove", "root@example.com"],
        ["member", "role", "root@example.com", "viewer"],
        ["user", "suspend", "root@example.com"],
    ):
        assert run(words) == EXIT_FAILED
    for words in (["member", "add", "nobody", "viewer"], ["member", "add", "x@example.com", "emperor"], ["user", "suspend", "nobody@example.com"]):
        assert run(words) == EXIT_FAILED
    assert "Traceback" not in capsys.readouterr().err


def test_a_suspended_merchants_keys_are_turned_away_until_it_goes_on(folder, made, said):
    said("merchant", "suspend", made["merchant"], json_=False)
    assert said("merchant", "list")[0]["suspended_at"] is not None

    async def work(runtime):
        with pytest.raises(MerchantSuspended):
            await runtime.authenticating.authenticate(made["keys"]["live"], None)

    inside(folder, work)
    said("merchant", "resume", made["merchant"], json_=False)
    assert inside(folder, lambda runtime: runtime.authenticating.authenticate(made["keys"]["live"], None)).merchant == made["merchant"]


def test_what_the_operator_did_is_in_the_audit_log(made, said):
    said("user", "create", "ada@example.com", "--admin")
    said("user", "admin", "ada@example.com", "--remove", json_=False)
    said("user", "invite", "eve@example.com")
    said("merchant", "suspend", made["merchant"], json_=False)

    actions = [each["action"] for each in said("audit", "list")]
    assert {"user.created", "member.added", "user.no_more_admin", "invitation.created", "merchant.suspended"} <= set(actions)


def test_links_lead_to_the_port_that_is_configured(said, folder, made):
    with (folder / "pepay.toml").open("a") as file:
        file.write("[server]\nport = 9123\n")
    assert said("user", "invite", "ada@example.com")["link"].startswith("http://localhost:9123/invitation?token=")
    assert said("user", "reset-password", "root@example.com")["link"].startswith("http://localhost:9123/reset-password?token=")


def test_what_is_wrong_is_said_of_what(folder, made, capsys):
    for words, message in (
        (("user", "create", "nonsense"), "Error: email: is not a mail address such as name@example.com"),
        (("member", "add", "ada@example.com", "king"), "Error: role: must be one of owner, admin, developer, accountant, viewer"),
        (("user", "invite", "root@example.com"), "Error: there is a user with this address already"),
    ):
        assert run(words) == EXIT_FAILED
        assert capsys.readouterr().err.strip() == message


def test_a_new_merchant_comes_with_how_somebody_gets_in(folder, made, capsys):
    assert run(["merchant", "create", "Second"]) == EXIT_OK
    printed = capsys.readouterr()
    merchant = printed.out.split()[1]
    assert f"pepay member add EMAIL owner --merchant {merchant}" in printed.err
