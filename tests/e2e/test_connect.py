"""A shop on a server of its own is connected to a gateway that runs: by a browser's steps, over real HTTP, with real passwords."""

from __future__ import annotations

import base64
import hashlib
import html
import http.client
import json
import re
import secrets
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest


@pytest.fixture(scope="module")
def database():
    """One is enough: what is stored is tested on both."""
    return


class Shop:
    """A shop that begins to connect, takes the browser back, and fetches its key from its own server. It takes money with it at once."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.pending = {}
        self.key = None
        self.refused = None
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                status, text = shop.came_back(parse_qs(urlsplit(self.path).query))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def begin(self, scopes="invoices:write webhooks:read"):
        """Return where the merchant's browser is sent to."""
        state, verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(48)
        self.pending[state] = verifier
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {"application_name": "Test shop", "scopes": scopes, "redirect": f"{self.url}/connected", "state": state}
        return f"/connect/authorize?{urlencode({**asked, 'code_challenge': challenge, 'code_challenge_method': 'S256'})}"

    def came_back(self, said):
        verifier = self.pending.pop(said.get("state", [""])[0], None)
        if verifier is None:
            return 400, "this is none of our attempts"
        if "error" in said:
            self.refused = said["error"][0]
            return 200, "not connected"
        answer = self.gateway.call("POST", "/connect/token", {"code": said["code"][0], "code_verifier": verifier}, key=None)
        if answer.status != 201:
            return 502, json.dumps(answer.body)
        self.key = answer.body["key"]
        return 200, "connected"


class Browser:
    """Keeps cookies, follows redirects, and sends forms as they stand."""

    def __init__(self, gateway):
        self.home = gateway.url
        self.cookies = {}
        self.visited = []

    def open(self, url, form=None):
        """Return the page that a browser ends at."""
        for _ in range(10):
            target = urlsplit(url if url.startswith("http") else self.home + url)
            self.visited.append(target.geturl())
            connection = http.client.HTTPConnection(target.hostname, target.port, timeout=30)
            ours = target.geturl().startswith(self.home)
            headers = {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if ours else {}
            if form is not None:
                headers |= {"content-type": "application/x-www-form-urlencoded", "origin": self.home, "sec-fetch-site": "same-origin"}
            path = target.path + (f"?{target.query}" if target.query else "")
            connection.request("GET" if form is None else "POST", path, body=None if form is None else urlencode(form), headers=headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            connection.close()
            for each in answer.headers.get_all("set-cookie", []) if ours else []:
                name, _, value = each.partition(";")[0].partition("=")
                self.cookies[name] = value
            if answer.status != 303:
                return answer.status, text
            url, form = answer.headers["location"], None
        raise AssertionError(self.visited)

    @staticmethod
    def form(page, **filled):
        hidden = {name: html.unescape(value) for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)}
        chosen = {}
        for name, inside in re.findall(r'<select name="([^"]+)">(.*?)</select>', page, re.DOTALL):
            options = re.findall(r'<option value="([^"]+)"( selected)?', inside)
            chosen[name] = next((value for value, mark in options if mark), options[0][0])
        return {**hidden, **chosen, **filled}


@contextmanager
def shop_of(gateway):
    shop = Shop(gateway)
    try:
        yield shop
    finally:
        shop.close()


def test_a_shop_is_connected_and_takes_money_with_its_own_key(world):
    gateway = world.gateway
    admin = gateway.made["admin"]
    with shop_of(gateway) as shop:
        browser = Browser(gateway)
        status, page = browser.open(shop.begin())
        assert (status, urlsplit(browser.visited[-1]).path) == (200, "/login")
        status, page = browser.open("/login", browser.form(page, email=admin["email"], password=admin["password"]))
        assert (status, urlsplit(browser.visited[-1]).path) == (200, "/connect/authorize")
        assert "Connect Test shop?" in page
        status, text = browser.open("/connect/authorize", browser.form(page))
        assert (status, text) == (200, "connected")
        assert urlsplit(browser.visited[-1]).path == "/connected"
        assert shop.key is not None
        assert not [url for url in browser.visited if shop.key in url]
        assert shop.key.startswith("pepay_test_")
        made = gateway.call("POST", "/api/v1/invoices", {"amount_usd": "5"}, key=shop.key)
        assert made.status == 201
        assert gateway.call("GET", "/api/v1/api-keys", key=shop.key).status == 403
        # The same address again: the shop has finished that attempt, and the code is used up.
        assert browser.open(browser.visited[-1])[0] == 400
    log = "".join(gateway.output)
    assert shop.key not in log
    assert parse_qs(urlsplit(browser.visited[-1]).query)["code"][0] not in log


def test_a_shop_that_is_refused_gets_nothing(world):
    gateway = world.gateway
    admin = gateway.made["admin"]
    with shop_of(gateway) as shop:
        browser = Browser(gateway)
        _, page = browser.open(shop.begin())
        _, page = browser.open("/login", browser.form(page, email=admin["email"], password=admin["password"]))
        (no,) = re.findall(r'<a class="quiet" href="(http[^"]+)"', page)
        assert browser.open(html.unescape(no)) == (200, "not connected")
        assert (shop.refused, shop.key) == ("access_denied", None)
