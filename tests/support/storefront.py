"""Pages of shops, of strangers and of whoever else holds a checkout in a frame, each at an origin of its own."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = """<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>A shop</title>
<main><h1>Coffee</h1>
{body}
</main>
</html>
"""


class Storefront:
    """An HTTP server whose one page a test writes. ``host`` is the name by which browsers know it."""

    def __init__(self, host: str = "localhost", headers: dict[str, str] | None = None) -> None:
        outer = self
        self.html = ""
        self.headers = headers or {}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = outer.html.encode()
                self.send_response(200)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.send_header("content-length", str(len(body)))
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.origin = f"http://{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def show(self, body: str) -> str:
        """Put something on the page, and return its address."""
        self.html = PAGE.format(body=body)
        return f"{self.origin}/"

    def close(self) -> None:
        """Close the shop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
