"""Secrets and personal data are nowhere but in their fields: forty marked ones go through every door, and everything that PePay writes is searched.

Then a thief has the database and the environment of the server, and no key file: nothing opens.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import secrets
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from blackbox import XPUB, Market, Shop, gateway_on, until

from pepay_core.clock import SystemClock
from pepay_core.domain.errors import ConfigError, PePayError
from pepay_core.domain.roles import Role
from pepay_core.runtime import Runtime
from pepay_core.secrets import Vault
from pepay_core.services.authenticating import Authenticating
from pepay_core.services.paging import Page
from pepay_core.services.people.totp import code_of, step_at
from pepay_core.services.unlocking import unlock
from pepay_core.settings import load_settings
from pepay_core.storage.opening import open_database, open_store
from pepay_core.storage.sessions import Statistics, unit_of_work
from pepay_core.storage.tables import TABLES
from pepay_core.tokens import ClientTokens

MARK = "Canary7"


def canary() -> str:
    return MARK + secrets.token_hex(10)


class House:
    """A server into which secrets went by every door, and what it said."""

    def __init__(self, folder: Path, market: Market, shop: Shop, database: str | None) -> None:
        self.secret: dict[str, str] = {}
        self.in_database: set[str] = set()
        """The names of those whose field in the database is in clear."""
        self.said: dict[str, str] = {}
        self.password = self.new("database password")
        if database:
            database = database.replace("pepay@", f"pepay:{self.password}@")
        user, path, query, ws = (self.new(f"RPC {part}") for part in ("user", "path", "query", "websocket"))
        networks = _configuration(user, path, query, ws, self.new("SMTP password"))
        self.gateway = gateway_on(folder, market, networks, database)
        config = folder / "pepay.toml"
        config.write_text(config.read_text().replace("[plugin.coingecko]", f'[plugin.coingecko]\napi_key = "{self.new("CoinGecko key")}"'))
        self.secret["master key"] = (folder / "pepay.key").read_text().strip()
        for name, text in self.gateway.made["keys"].items():
            self.secret[f"first {name} key"] = text.split("_")[-1]
        self.settings = load_settings(config, {})
        self.session: dict[str, str] = {}
        self.invoices: list[str] = []

    def new(self, name: str) -> str:
        self.secret[name] = canary()
        return self.secret[name]

    def keep(self, name: str, text: str) -> str:
        self.secret[name] = text
        return text


def _configuration(user: str, path: str, query: str, ws: str, smtp: str) -> str:
    return f"""
[log]
level = "debug"
[plugin.evm.networks.dev]
name = "Dev"
chain = "eip155:31337"
rpc = ["http://name:{user}@127.0.0.1:9/v2/{path}?apikey={query}"]
ws = ["ws://127.0.0.1:9/{ws}"]
testnet = true
native = {{ symbol = "ETH", decimals = 18, rate_id = "ethereum" }}
confirmations = 2
[plugin.email]
host = "127.0.0.1"
port = 9
security = "none"
user = "postmaster"
password = "{smtp}"
sender = "pay@shop.example"
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory, market, shop, database):
    house = House(tmp_path_factory.mktemp("house"), market, shop, database)
    asyncio.run(_people(house))
    house.gateway.start()
    _doors(house, shop)
    _sinks(house)
    yield house
    house.gateway.stop()
    shop.reply = b"{}"


async def _people(house: House) -> None:
    """A user with a password, one-time codes and recovery codes, and a letter that waits."""
    email, password = f"{house.new('user mail')}@example.com", house.new("password") + "-Aa1!"
    async with Runtime.open(house.settings, workers=False, environ={}) as runtime:
        people = runtime.people
        prepared = await people.accounts.prepare(password)

        async def make(tx: Any) -> Any:
            user = await people.accounts.create(tx, email, prepared)
            await people.memberships.add(tx, house.gateway.made["merchant"], user.id, Role.OWNER)
            return user

        await runtime.store.run(make)
        opened = await people.signing_in.with_password(email, password, address="127.0.0.1", agent="test")
        house.keep("first session token", opened.token)
        found = await people.sessions.find(opened.token)
        begun = await people.one_time_codes.begin(found, password)
        secret = house.keep("TOTP secret", begun["secret"].replace(" ", ""))
        opened, codes = await people.one_time_codes.confirm(
            found, code_of(base64.b32decode(secret + "=" * (-len(secret) % 8)), step_at(runtime.clock.now()))
        )
        for number, each in enumerate(codes):
            house.keep(f"recovery code {number}", each)
        house.session = {"email": email, "password": password}
        house.keep("session token", opened.token)


def _doors(house: House, shop: Shop) -> None:
    """Send secrets by every door, where they belong and where they do not."""
    call = house.gateway.call
    shop.reply = house.new("answer of a receiver").encode()
    hook = f"{shop.url}/{house.new('webhook path')}?token={house.new('webhook query')}"
    endpoint = house.gateway.post("/api/v1/webhooks", {"url": hook, "enabled_events": ["*"]})
    house.keep("webhook secret", endpoint["secret"].removeprefix("whsec_"))
    rotated = house.gateway.post(f"/api/v1/webhooks/{endpoint['id']}/rotate-secret", {}, 200)
    house.keep("rotated webhook secret", rotated["secret"].removeprefix("whsec_"))
    house.gateway.post("/api/v1/wallets", {"chain_family": "eip155", "kind": "xpub", "value": house.keep("xpub", XPUB)})
    for scope in (["invoices:write"], ["webhooks:read"]):
        key = call("POST", "/api/v1/api-keys", {"name": "more", "scopes": scope}, headers={"idempotency-key": scope[0]})
        assert key.status == 201, key
        house.keep(f"key for {scope[0]}", key.body["key"].split("_")[-1])
    for number in range(3):
        invoice = house.gateway.invoice(customer_email=f"{house.new(f'customer mail {number}')}@example.com")
        house.keep(f"client token {number}", invoice["client_token"])
        house.invoices.append(invoice["id"])
        call("GET", f"/api/v1/checkout/{invoice['id']}?token={invoice['client_token']}", key=None)
        call("GET", f"/pay/{invoice['id']}?token={invoice['client_token']}", key=None)
        call("GET", f"/pay/{invoice['id']}?token={house.new(f'wrong client token {number}')}", key=None)
    house.gateway.post(f"/api/v1/invoices/{invoice['id']}/cancel", {}, 200)
    wrong = house.new
    call("GET", "/api/v1/invoices", key=f"pepay_test_0123456789abcdef_{wrong('wrong key')}")
    call("GET", "/api/v1/invoices", key=wrong("key of no form"))
    call("GET", "/api/v1/invoices", key=None, headers={"authorization": f"Bearer {wrong('bearer')}"})
    call("GET", "/api/v1/invoices", key=None, headers={"authorization": f"Basic {wrong('basic')}"})
    call("GET", f"/api/v1/invoices?api_key={wrong('key in query')}", key=None)
    call("GET", "/api/v1/invoices", key=None, headers={"cookie": f"pepay_session={wrong('wrong session')}"})
    call("GET", f"/api/v1/checkout/{invoice['id']}", key=None, headers={"x-pepay-token": wrong("token in header")})
    call("POST", "/api/v1/invoices", raw=f'{{"amount_usd":"1","customer_email":"{wrong("mail in broken JSON")}@example.com"'.encode())
    call("POST", "/api/v1/invoices", {"amount_usd": "1", "customer_email": f"{wrong('mail that is none')} at example.com"})
    call("POST", "/api/v1/wallets", {"chain_family": "eip155", "kind": "xpub", "value": "xprv" + wrong("private key") * 4})
    call("POST", "/api/v1/wallets", {"chain_family": "eip155", "kind": "addresses", "value": [f"abandon {wrong('mnemonic')} zoo"]})
    call("POST", "/api/v1/webhooks", {"url": f"http://u:{wrong('webhook userinfo')}@10.0.0.1:0/", "enabled_events": ["*"]})
    call("POST", "/api/v1/webhooks", {"url": f"ftp://x/{wrong('webhook of no scheme')}", "enabled_events": ["*"]})
    call("POST", "/api/v1/invoices", {"amount_usd": "1"}, headers={"idempotency-key": wrong("idempotency key")})
    house.in_database.add("idempotency key")
    origin = {"origin": house.gateway.url, "sec-fetch-site": "same-origin"}
    call("POST", "/api/v1/session", {"email": house.session["email"], "password": wrong("wrong password")}, key=None, headers=origin)
    call(
        "POST",
        "/api/v1/session",
        {"email": f"{wrong('unknown mail')}@example.com", "password": wrong("long password") * 90},
        key=None,
        headers=origin,
    )
    asked = urllib.request.Request(
        f"{house.gateway.url}/api/v1/session",
        json.dumps({"email": house.session["email"], "password": house.session["password"]}).encode(),
        {**origin, "content-type": "application/json"},
    )
    with urllib.request.urlopen(asked) as answer:
        house.keep("csrf token", json.load(answer)["csrf_token"])
        cookies = " ".join(answer.headers.get_all("set-cookie") or [])
    house.keep("session cookie", re.findall(r"pepay_session=([\w-]{43})", cookies)[0])
    call("PATCH", "/api/v1/merchant", {"branding": {"support_url": f"javascript:{wrong('branding')}"}})
    until(lambda: len(shop.calls) >= 3, "webhooks to arrive")


def _sinks(house: House) -> None:
    """Collect whatever PePay writes for others than the owner of a secret."""
    gateway = house.gateway
    assert gateway.process is not None
    for path in ("/schema/openapi.json", "/metrics", "/health/ready", "/.well-known/security.txt", "/schema"):
        house.said[path] = str(gateway.call("GET", path, key=None).body)
    house.said["audit"] = str(gateway.get("/api/v1/audit?limit=100"))
    house.said["plugins"] = str(gateway.get("/api/v1/plugins"))
    house.said["chains"] = str(gateway.get("/api/v1/chains"))
    for line in (
        ["doctor"], ["doctor", "--json"], ["plugin", "list"], ["plugin", "show", "coingecko", "--json"], ["plugin", "show", "email", "--json"],
        ["audit", "export"], ["chain", "status", "--json"], ["key", "list", "--json"], ["merchant", "list"], ["audit", "verify"],
    ):  # fmt: skip
        done = gateway.run(*line, check=False)
        house.said[" ".join(line)] = done.stdout + done.stderr
    for process in [gateway.process.pid, *_children(gateway.process.pid)]:
        house.said[f"command line of {process}"] = Path(f"/proc/{process}/cmdline").read_text()
        house.said[f"environment of {process}"] = Path(f"/proc/{process}/environ").read_text(errors="replace")


def _children(process: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{process}/task").iterdir():
        with contextlib.suppress(OSError):
            found += [int(each) for each in (task / "children").read_text().split()]
    return found


def _found(house: House, text: str, *, but: set[str] = frozenset()) -> list[str]:
    return [name for name, secret in house.secret.items() if secret and name not in but and secret in text]


def test_there_are_forty_of_them(house):
    assert len({text for text in house.secret.values() if len(text) >= 8}) >= 40


def test_nothing_that_pepay_says_holds_one(house):
    told = {place: found for place, text in house.said.items() if (found := _found(house, text, but={"webhook path", "webhook query"}))}
    assert told == {}


def test_no_log_at_debug_level_holds_one(house):
    log = "".join(house.gateway.output)
    assert " debug " in log or " info " in log
    assert _found(house, log) == []


def test_crashes_and_refusals_at_the_start_hold_none(house, tmp_path):
    """Wrong configurations, each with a secret in it: the error names the key, and not what it holds."""
    config = house.settings.config_path.read_text()
    for number, change in enumerate(
        [
            ("[server]", "[server]\nhost = 5"),
            ("testnet = true", "testnet = 7"),
            ("confirmations = 2", 'confirmations = "x"'),
            ("[plugin.email]", "[plugin.email]\nnonsense = 1"),
            ("rpc = [", "rpc = [7, "),
            ("[log]", "[log"),
        ]
    ):
        path = tmp_path / f"{number}.toml"
        path.write_text(config.replace(*change, 1))
        assert path.read_text() != config
        for command in ("doctor", "serve"):
            done = subprocess.run(
                [sys.executable, "-m", "pepay_core.cli.main", "--config", str(path), command],
                capture_output=True, text=True, timeout=60, check=False, cwd=house.gateway.folder, env=house.gateway.environ,
            )  # fmt: skip
            assert done.returncode != 0
            assert _found(house, done.stdout + done.stderr) == [], command


def _dump(house: House) -> bytes:
    """Return everything that is in the database: every value of every table, and the very bytes of a SQLite file and its log."""

    async def work() -> list[str]:
        lines: list[str] = []
        async with (
            open_database(house.settings.database_url, connections=1) as database,
            unit_of_work(database, Statistics(), readonly=True) as session,
        ):
            for table in TABLES:
                rows = await session.execute(f"SELECT * FROM {table._meta.tablename}")
                lines += [repr([bytes(each) if isinstance(each, memoryview) else each for each in row.values()]) for row in rows]
        return lines

    found = "\n".join(asyncio.run(work())).encode()
    for each in house.gateway.folder.glob("*.db*"):
        found += each.read_bytes()
    return found


def test_the_database_holds_none_in_clear(house):
    dump = _dump(house).decode("latin-1")
    assert house.gateway.made["merchant"] in dump
    assert _found(house, dump, but=house.in_database) == []


def test_a_thief_with_database_and_environment_gets_nowhere(house):
    """Whatever can be read there is tried: as a key of the API, as a session, as a payment link, as a password, as a signing secret."""
    dump = _dump(house).decode("latin-1")
    environment = "".join(text for place, text in house.said.items() if place.startswith("environment"))
    words = set(re.findall(r"[A-Za-z0-9+/=_-]{20,}", dump + environment))
    words |= {bytes.fromhex(word).decode("latin-1") for word in words if re.fullmatch(r"(?:[0-9a-f]{2})+", word)}
    assert house.secret["master key"] not in words

    async def work() -> None:
        clock = SystemClock()
        async with open_store(house.settings.database_url, clock) as store:
            for guess in (bytes(32), secrets.token_bytes(32)):
                with pytest.raises(ConfigError, match="not the one"):
                    await unlock(store, Vault(guess))
            async with store.read() as tx:
                keys = [
                    each
                    for live in (True, False)
                    for each in (await tx.keys.page(house.gateway.made["merchant"], livemode=live, page=Page(limit=100))).items
                ]
                endpoints = await tx.facts._raw("SELECT id, secret, target FROM pepay_endpoint")
            thief = Vault(secrets.token_bytes(32))
            assert not {ClientTokens(thief).issue(each) for each in house.invoices} & set(house.secret.values())
            for each in endpoints:
                for purpose, sealed in (("webhook-secret", each["secret"]), ("endpoint-url", each["target"])):
                    with pytest.raises(ConfigError):
                        thief.open(purpose, each["id"], bytes(sealed))
            authenticating = Authenticating(store, clock, thief)
            for key in keys:
                kind = "live" if key.livemode else "test"
                for word in (key.digest.hex(), base64.urlsafe_b64encode(key.digest).decode().rstrip("=")):
                    with pytest.raises(PePayError):
                        await authenticating.authenticate(f"pepay_{kind}_{key.id.removeprefix('key_')}_{word}", "127.0.0.1")

    asyncio.run(work())
    gateway = house.gateway
    key_ids = [each["id"].removeprefix("key_") for each in gateway.get("/api/v1/api-keys?limit=100")["data"]]
    digests = [word for word in words if re.fullmatch(r"[0-9a-f]{64}|[A-Za-z0-9_-]{43}", word)]
    assert digests
    for word in digests[:40]:
        statuses = [
            gateway.call("GET", "/api/v1/invoices", key=f"pepay_test_{key_ids[0]}_{word}").status,
            gateway.call("GET", "/api/v1/session", key=None, headers={"cookie": f"pepay_session={word}"}).status,
            gateway.call("GET", "/api/v1/user", key=None, headers={"authorization": f"Bearer {word}"}).status,
        ]
        assert set(statuses) <= {401, 429}, (word, statuses)
    origin = {"origin": gateway.url, "sec-fetch-site": "same-origin"}
    hashed = [word for word in words if word.startswith("$argon2")]
    assert hashed == []
    assert gateway.call("POST", "/api/v1/session", {"email": house.session["email"], "password": digests[0]}, key=None, headers=origin).status in {
        401,
        403,
        422,
        429,
    }


def test_its_own_things_still_work(house):
    """The same doors open to whoever has the secrets: what was refused above was refused for good reason."""
    assert json.dumps(house.gateway.get("/api/v1/invoices")).count("client_token") >= 3
    cookie = {"cookie": f"pepay_session={house.secret['session cookie']}"}
    assert house.gateway.call("GET", "/api/v1/session", key=None, headers=cookie).status == 200
