"""Answers HTTP."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.parse import parse_qs

from shop import pages
from shop.gateway import create_invoice
from shop.webhooks import receive

if TYPE_CHECKING:
    from shop.orders import Orders
    from shop.settings import Settings

_STATIC = Path(__file__).parent / "static"
_KINDS = {".css": "text/css", ".js": "text/javascript"}
_LARGEST = 256 * 1024


def serve(settings: Settings, orders: Orders) -> ThreadingHTTPServer:
    """Return a server that listens on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            match self.path.partition("?")[0].split("/")[1:]:
                case [""]:
                    self._page(pages.front())
                case ["orders", name] if (order := orders.find(name.removesuffix(".json"))) is not None:
                    if name.endswith(".json"):
                        told = {"state": pages.state(order), "shipped": bool(order.shipped)}
                        self._send(200, "application/json", json.dumps(told).encode())
                    else:
                        self._page(pages.order_page(settings, order))
                case ["static", name] if name in {each.name for each in _STATIC.iterdir()}:
                    self._send(200, _KINDS[Path(name).suffix], (_STATIC / name).read_bytes())
                case _:
                    self._send(404, "text/plain", b"There is nothing here.")

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(min(length, _LARGEST))
            if length > _LARGEST:
                self._send(413, "text/plain", b"Too large.")
            elif self.path == "/webhooks":
                self._send(receive(orders, settings.secret, dict(self.headers.items()), body), "text/plain", b"")
            elif self.path == "/orders":
                self._order(body)
            else:
                self._send(404, "text/plain", b"There is nothing here.")

        def _order(self, body: bytes) -> None:
            try:
                order = orders.create(parse_qs(body.decode())["product"][0])
                invoice = create_invoice(settings, order)
            except (KeyError, ValueError):
                self._send(400, "text/plain", b"This is not sold here.")
            except URLError:
                self._send(503, "text/plain", b"Payments do not work right now. Please try again in a moment.")
            else:
                orders.bill(order.id, invoice.id, invoice.token)
                self._send(303, "text/plain", b"", {"location": f"/orders/{order.id}"})

        def _page(self, html: str) -> None:
            self._send(200, "text/html; charset=utf-8", html.encode(), {"content-security-policy": pages.policy(settings)})

        def _send(self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"content-type": kind, "content-length": str(len(body)), "cache-control": "no-store", **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: addresses of orders are their buyers' business."""

    return ThreadingHTTPServer(("127.0.0.1", settings.port), Handler)
