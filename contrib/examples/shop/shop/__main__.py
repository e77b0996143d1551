"""Starts the shop: ``python -m shop``."""

from __future__ import annotations

import os

from shop.orders import Orders
from shop.server import serve
from shop.settings import read_settings

if __name__ == "__main__":
    settings = read_settings(os.environ)
    server = serve(settings, Orders(settings.database))
    print(f"The shop is open at http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201 (what a program says when it is ready)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
