"""Small web servers that only this machine can reach."""

from __future__ import annotations

import errno
import socket
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HOST: Final = "127.0.0.1"
_TRIES: Final = 100


def free_port(preferred: int) -> int:
    """Return the preferred port, or where it is taken (or 0) one of the system's choice that is free at this moment."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            if sys.platform != "win32":  # where it would mean that a port can be shared
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise OSError(errno.EADDRNOTAVAIL, "no port is free on this machine")


def free_pair() -> int:
    """Return a port of the system's choice that is free at this moment, as is the one after it."""
    for _ in range(_TRIES):
        first = free_port(0)
        if first < 65535 and free_port(first + 1) == first + 1:
            return first
    raise OSError(errno.EADDRNOTAVAIL, "no two ports in a row are free on this machine")


@asynccontextmanager
async def serve(app: web.Application, *, port: int = 0) -> AsyncIterator[str]:
    """Serve an application on loopback and yield its URL, without a slash at the end; port 0 lets the system choose.

    Raises OSError when the port is taken.
    """
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=2)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
