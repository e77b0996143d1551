"""A whole PePay as its users run it: the command line, a process of its own, a real node, real HTTP all around it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import ahead
import pytest

from pepay_core.testing import erc20
from pepay_core.testing.anvil import anvil
from pepay_core.testing.postgres import postgres

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["anvil", "postgres"]

# The account xpub m/44'/60'/1' of the well-known mnemonic "test … junk": anvil's own accounts, of 0', pay, and who pays himself has paid nothing.
XPUB = "xpub6Ce9NcJvTk372KjsGfWqbcex5DumjpNquQLApoeQUavSCjEc823BV1tb4rXUuPuht8h2hSxkg2EXUaKUJmniJvRZAELxypsCzBFdtosmV76"
SECONDS = 30


def until(condition: Any, what: str, seconds: float = SECONDS) -> Any:
    """Return the first true answer of a condition that is asked again and again, or fail with what was waited for."""
    deadline = time.monotonic() + seconds
    last = None
    while time.monotonic() < deadline:
        last = condition()
        if last:
            return last
        time.sleep(0.05)
    pytest.fail(f"waited {seconds} s for {what}; last answer: {last!r}")


class _Server(ThreadingHTTPServer):
    """Answers on connections that clients keep, until it hangs up."""

    daemon_threads = True

    def __init__(self, *args: Any) -> None:
        self._held: list[socket.socket] = []
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._held.append(request)
        super().process_request(request, client_address)

    def hang_up(self) -> None:
        for each in self._held:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class Listening:
    """An HTTP server in a thread, on a port of its own."""

    def __init__(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(b"")

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers.get("content-length", 0))))

            def _answer(self, body: bytes) -> None:
                status, answer = outer.answer(self.command, self.path, dict(self.headers), body)
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        raise NotImplementedError

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        self._thread.join()


class Market(Listening):
    """CoinGecko, Coinbase and Kraken, each with the prices that a test gives it; one without prices is down."""

    def __init__(self) -> None:
        usual = {"ETH": "3000", "SOL": "150", "USDC": "1"}
        self.prices: dict[str, dict[str, str]] = {name: dict(usual) for name in ("coingecko", "coinbase", "kraken")}
        super().__init__()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        source, query = path.split("/")[1], parse_qs(urlsplit(path).query)
        prices = self.prices[source]
        if not prices:
            return 503, b"down"
        if source == "coingecko":
            coins = {"ethereum": "ETH", "solana": "SOL", "usd-coin": "USDC"}
            found = {
                coin: {"usd": float(prices[coins[coin]]), "last_updated_at": int(time.time())} for coin in query["ids"][0].split(",") if coin in coins
            }
            return 200, json.dumps(found).encode()
        if source == "coinbase":
            symbol = query["currency"][0]
            return 200, json.dumps({"data": {"currency": symbol, "rates": {"USD": prices.get(symbol)}}}).encode()
        pairs = {"ETHUSD": "ETH", "XETHZUSD": "ETH", "SOLUSD": "SOL", "USDCUSD": "USDC"}
        asked = query.get("pair", [",".join(pairs)])[0].split(",")
        result = {pair: {"a": [prices[pairs[pair]]], "b": [prices[pairs[pair]]], "c": [prices[pairs[pair]]]} for pair in asked if pair in pairs}
        return 200, json.dumps({"error": [], "result": result}).encode()


class Shop(Listening):
    """A merchant's server: keeps every webhook it gets, and answers as the test says."""

    def __init__(self) -> None:
        self.status = 200
        self.reply = b"{}"
        self.calls: list[tuple[dict[str, str], bytes]] = []
        super().__init__()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        self.calls.append(({key.lower(): value for key, value in headers.items()}, body))
        return self.status, self.reply

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in list(self.calls)]

    def types(self, subject: str | None = None) -> list[str]:
        """Return the types of the events that came, of one invoice where it is given, in the order in which they happened.

        An event that came twice counts once, as it does for every receiver that goes by its id.
        """
        chosen = {each["id"]: each for each in self.events if subject in {None, *_subjects(each)}}
        return [chosen[each]["type"] for each in sorted(chosen)]


def _subjects(event: dict[str, Any]) -> set[str | None]:
    return {event["data"]["object"].get("id"), event["data"]["object"].get("invoice")}


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Gateway:
    """A PePay installation in a folder, which can be started, killed and asked."""

    folder: Path
    environ: dict[str, str]
    made: dict[str, Any] = field(default_factory=dict)
    url: str = ""
    process: subprocess.Popen[str] | None = None
    output: list[str] = field(default_factory=list)
    reader: threading.Thread | None = None
    program: tuple[str, ...] = ("-m", "pepay_core.cli.main")

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one command line."""
        return subprocess.run(
            [sys.executable, "-m", "pepay_core.cli.main", *arguments],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=check,
        )

    def start(self) -> None:
        """Serve, and wait for the line that says where."""
        process = subprocess.Popen(
            [sys.executable, *self.program, "serve"],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.process = process
        assert process.stdout is not None
        alarm = threading.Timer(4 * SECONDS, process.kill)
        alarm.start()
        for line in process.stdout:
            self.output.append(line)
            said = re.search(r"http://127\.0\.0\.1:\d+", line)
            if said:
                self.url = said[0]
                break
        alarm.cancel()
        assert self.url, "".join(self.output)
        self.reader = threading.Thread(target=lambda: self.output.extend(process.stdout or ()), daemon=True)
        self.reader.start()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the server, gently or not."""
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            pytest.fail("the server did not stop:\n" + "".join(self.output[-40:]))
        finally:
            if self.reader is not None:
                self.reader.join(5)
            if process.stdout is not None:
                process.stdout.close()

    def restart(self) -> None:
        """End the server gently, and start it again at the same address."""
        was = self.url
        self.stop()
        self.environ["PEPAY_SERVER__PORT"] = was.rpartition(":")[2]
        self.start()
        assert self.url == was

    def pass_time(self, seconds: int) -> None:
        """Let the server's machine be so far ahead of this one, as though it had waited."""
        self.program = (ahead.__file__, str(seconds))
        self.restart()

    def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = "test", headers: dict[str, str] | None = None, raw: bytes | None = None
    ) -> Answer:
        """Ask the API."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        sent = {"host": parts.netloc, **(headers or {})}
        if key is not None:
            sent["x-api-key"] = self.made["keys"].get(key, key)
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        if data is not None:
            sent.setdefault("content-type", "application/json")
        try:
            connection.request(method, path, body=data, headers=sent)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        answered = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, answered, json.loads(text) if "json" in answered.get("content-type", "") else text.decode())

    def get(self, path: str) -> Any:
        """Ask for something that must be there."""
        answer = self.call("GET", path)
        assert answer.status == 200, answer
        return answer.body

    def post(self, path: str, body: Any, status: int = 201) -> Any:
        """Make something that must be possible."""
        answer = self.call("POST", path, body)
        assert answer.status == status, answer
        return answer.body

    def invoice(self, **fields: Any) -> dict[str, Any]:
        """Create an invoice."""
        return self.post("/api/v1/invoices", {"amount_usd": "49.99", **fields})

    def status_of(self, invoice: dict[str, Any]) -> str:
        """Return the status of an invoice now."""
        return self.get(f"/api/v1/invoices/{invoice['id']}")["status"]

    def await_status(self, invoice: dict[str, Any], status: str, seconds: float = SECONDS) -> dict[str, Any]:
        """Wait for an invoice to have a status, and return it."""

        def reached() -> Any:
            found = self.get(f"/api/v1/invoices/{invoice['id']}")
            return found if found["status"] == status else None

        return until(reached, f"{invoice['id']} to be {status} (it is {self.status_of(invoice)})", seconds)

    def option(self, invoice: dict[str, Any], symbol: str) -> dict[str, Any]:
        """Return an invoice's payment option by its symbol."""
        return next(each for each in invoice["payment_options"] if each["symbol"] == symbol)


@dataclass(frozen=True)
class World:
    """Everything around a gateway that runs and can be paid."""

    gateway: Gateway
    node: Any
    market: Market
    shop: Shop
    usdc: str
    dai: str

    def eth(self) -> str:
        return "eip155:31337/slip44:60"

    def token(self, address: str) -> str:
        return f"eip155:31337/erc20:{address.lower()}"

    def pay(self, invoice: dict[str, Any], symbol: str, units: int | None = None) -> str:
        """Pay an option, its quoted amount unless told otherwise, in a block of its own; return the transaction."""
        option = self.gateway.option(invoice, symbol)
        sent = int(option["quote"]["amount_base_units"]) if units is None else units
        contract = None if symbol == "ETH" else option["asset"].rpartition(":")[2]
        return self.send(option["destination"], sent, contract)

    def send(self, to: str, units: int, contract: str | None = None) -> str:
        """Send coins or tokens in a block of its own."""
        hash_ = self.node.send(to, units) if contract is None else self.node.send(contract, data=erc20.transfer(to, units))
        self.node.mine()
        return hash_


def make_gateway(
    folder: Path, market: Market, node_url: str, tokens: list[tuple[str, str, int, str]], database: str | None = None, **rates: Any
) -> Gateway:
    """Make an installation as its README says: init, then a configuration that names a network."""
    listed = ", ".join(
        f'{{ symbol = "{symbol}", address = "{address}", decimals = {decimals}, rate_id = "{rate}" }}' for symbol, address, decimals, rate in tokens
    )
    return gateway_on(
        folder,
        market,
        f"""
[plugin.evm.networks.dev]
name = "Dev"
chain = "eip155:31337"
rpc = ["{node_url}"]
testnet = true
native = {{ symbol = "ETH", decimals = 18, rate_id = "ethereum" }}
confirmations = 2
tokens = [{listed}]
""",
        database,
    )


def gateway_on(folder: Path, market: Market, networks: str, database: str | None = None) -> Gateway:
    """Make an installation that has the networks of a piece of configuration."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PEPAY_")}
    gateway = Gateway(folder, environ | {"PYTHONUNBUFFERED": "1"})
    arguments = ["--database", database] if database else []
    gateway.made = json.loads(gateway.run("init", "--yes", "--json", *arguments).stdout)
    with (folder / "pepay.toml").open("a") as file:
        file.write(
            f"""
[server]
port = 0
[webhooks]
allow_private = true
[plugin.coingecko]
base_url = "{market.url}/coingecko"
[plugin.coinbase]
base_url = "{market.url}/coinbase"
[plugin.kraken]
base_url = "{market.url}/kraken"
{networks}"""
        )
    return gateway
