"""PePay behind a real Caddy, with the Caddyfile that is shipped."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requiring
from blackbox import SECONDS, Gateway, Market, gateway_on, until

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@dataclass
class Proxied:
    """An installation, and the proxy before it."""

    gateway: Gateway
    https: int
    http: int
    trust: ssl.SSLContext
    caddy: Any = field(repr=False, default=None)

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("localhost", self.https, timeout=SECONDS, context=self.trust)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], Any]:
        connection = self.connect()
        sent = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body), headers=sent)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        answered = {name.lower(): value for name, value in response.getheaders()}
        return response.status, answered, json.loads(text) if "json" in answered.get("content-type", "") else text.decode()


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    """Start both; the certificate is of Caddy's own authority."""
    caddy = requiring.caddy()
    folder, market = tmp_path_factory.mktemp("proxied"), Market()
    https, plain, inner = free_port(), free_port(), free_port()
    gateway = gateway_on(folder, market, "")
    text = (folder / "pepay.toml").read_text()
    server = f'[server]\nbase_url = "https://localhost:{https}"\ntrusted_proxies = ["127.0.0.1"]\nport = {inner}'
    (folder / "pepay.toml").write_text(text.replace("[server]\nport = 0", server))
    gateway.start()
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG"}}
    environ = kept | {
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "PEPAY_DOMAIN": "localhost",
        "PEPAY_TLS": "internal",
        "PEPAY_HTTP_PORT": str(plain),
        "PEPAY_HTTPS_PORT": str(https),
        "PEPAY_UPSTREAMS": f"127.0.0.1:{inner}",
    }
    command = [caddy, "run", "--config", str(ROOT / "contrib/deploy/Caddyfile"), "--adapter", "caddyfile"]
    with (folder / "caddy.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log)
    try:
        root = folder / "data/caddy/pki/authorities/local/root.crt"
        until(root.is_file, "Caddy's own authority")
        made = Proxied(gateway, https, plain, ssl.create_default_context(cafile=str(root)), process)

        def served() -> bool:
            try:
                return made.call("GET", "/health/ready")[0] == 200
            except OSError:
                return False

        until(served, f"Caddy to serve: {(folder / 'caddy.log').read_text()[-2000:]}")
        yield made
    finally:
        process.terminate()
        process.wait(SECONDS)
        gateway.stop()
        market.close()


def test_plain_http_leads_to_https(proxied):
    connection = http.client.HTTPConnection("localhost", proxied.http, timeout=SECONDS)
    connection.request("GET", "/pay/x?token=y")
    response = connection.getresponse()
    connection.close()
    assert response.status == 308
    assert response.getheader("location") in {f"https://localhost:{proxied.https}/pay/x?token=y", "https://localhost/pay/x?token=y"}


def test_browsers_are_told_to_come_by_https_only_and_links_lead_there(proxied):
    status, headers, _ = proxied.call("GET", "/health/live")
    assert (status, headers["strict-transport-security"]) == (200, "max-age=31536000")
    _, _, document = proxied.call("GET", "/schema/openapi.json")
    assert document["servers"] == [{"url": f"https://localhost:{proxied.https}"}]


def test_metrics_stay_inside(proxied):
    assert proxied.call("GET", "/metrics")[0] == 404


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip"])
def test_what_a_client_writes_of_its_address_is_not_believed(proxied, header):
    made = {}
    for name, address in (("own", "127.0.0.1/32"), ("foreign", "203.0.113.9/32")):
        arguments = ["key", "create", "--name", name, "--scope", "webhooks:read", "--ip", address, "--json"]
        made[name] = json.loads(proxied.gateway.run(*arguments).stdout)["key"]
    spoofed = {header.replace("-", "_"): "for=203.0.113.9" if header == "forwarded" else "203.0.113.9"}
    assert proxied.call("GET", "/api/v1/webhooks", x_api_key=made["own"], **spoofed)[0] == 200
    assert proxied.call("GET", "/api/v1/webhooks", x_api_key=made["foreign"], **spoofed)[0] in {401, 403}


def test_events_come_through_as_they_happen(proxied):
    key = proxied.gateway.made["keys"]["test"]
    _, _, hook = proxied.call("POST", "/api/v1/webhooks", {"url": "http://127.0.0.1:9999/x", "enabled_events": ["invoice.*"]}, x_api_key=key)
    connection = proxied.connect()
    try:
        connection.request("GET", "/api/v1/events/stream", headers={"x-api-key": key})
        response = connection.getresponse()
        assert response.status == 200
        assert response.readline() == b"retry: 2000\n"
        for _ in range(3):
            began = time.monotonic()
            _, _, event = proxied.call("POST", f"/api/v1/webhooks/{hook['id']}/test", x_api_key=key)
            lines = []
            while not lines or lines[-1] != f"id: {event['id']}\n".encode():
                lines.append(response.readline())
                assert time.monotonic() - began < SECONDS, lines
    finally:
        response.close()
        connection.close()


def test_a_restart_behind_the_proxy_is_no_error(proxied):
    proxied.gateway.stop(signal.SIGTERM)
    proxied.gateway.url = ""
    proxied.gateway.start()
    assert proxied.call("GET", "/health/ready")[0] == 200
