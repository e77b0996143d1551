"""Running the application under uvicorn, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from pepay_core.domain.errors import ConfigError
from pepay_core.web.patience import PatientProtocol
from pepay_core.web.tls import Certificate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import FrameType

    from pepay_core.runtime import Runtime
    from pepay_core.settings import Settings

_GRACE: Final = 26  # seconds: longer than any request may take, so that none is cut off
_BACKLOG: Final = 2048
_OPTIONS: Final[dict[str, Any]] = {
    # What is logged, which peers are proxies, and what a Host may be, is decided by our own layers.
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,
    "http": PatientProtocol,
    "ws": "none",
    "lifespan": "on",
    "timeout_graceful_shutdown": _GRACE,
    "backlog": _BACKLOG,
}


class Server(uvicorn.Server):
    """Says when it accepts requests, and ends without raising the signal that ended it once more: the runtime is left after it."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature is the library's
        """Stop taking requests and finish those that run; a second interrupt does not wait for them."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell, so that answers that have no end are ended, and wait for the others."""
        self._stopping()
        await super().shutdown(sockets)


def listen(settings: Settings) -> socket.socket:
    """Return a socket that listens where the configuration says; raises ConfigError."""
    host, port = settings.server.host, settings.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as exc:
        reason = os.strerror(exc.errno) if isinstance(exc, OSError) and exc.errno else str(exc)
        raise ConfigError(f"cannot listen on {host} port {port}: {reason}", hint="set [server] host and port to what is free") from None
    listening.set_inheritable(True)
    return listening


def located(settings: Settings, listening: socket.socket) -> Settings:
    """Return the settings with the port that was got, and a base URL that leads there where none is configured."""
    port = listening.getsockname()[1]
    changes: dict[str, Any] = {"port": port}
    if "base_url" not in settings.server.model_fields_set:
        changes["base_url"] = f"{_scheme(settings)}://localhost:{port}"
    return settings.model_copy(update={"server": settings.server.model_copy(update=changes)})


def url_of(settings: Settings, listening: socket.socket) -> str:
    """Return the URL at which a socket can be reached from this machine."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - what is bound is the operator's to say
    return f"{_scheme(settings)}://[{host}]:{port}" if ":" in str(host) else f"{_scheme(settings)}://{host}:{port}"


def _scheme(settings: Settings) -> str:
    return "https" if settings.tls_files else "http"


async def serve(
    settings: Settings, listening: socket.socket, *, workers: bool, safe: bool, ready: Callable[[], None], supervised: bool = False
) -> None:
    """Serve in this process until a signal ends it; raises ConfigError when the operator must change something first.

    ``supervised``: standard input belongs to a supervisor, and when it closes, the supervisor is gone.
    """
    from pepay_core.runtime import Runtime
    from pepay_core.web.app import create_app

    _quieten()
    certificate = Certificate(*settings.tls_files) if settings.tls_files else None
    async with Runtime.open(settings, workers=workers, safe=safe) as runtime, _followed(certificate):
        app = create_app(settings, runtime_factory=lambda: _opened(runtime))
        options = {**_OPTIONS, "ssl_context_factory": lambda *_: certificate.context} if certificate else _OPTIONS
        server = Server(uvicorn.Config(app, **options), ready, runtime.let_go)
        if supervised:
            asyncio.get_running_loop().add_reader(sys.stdin.fileno(), server.handle_exit, signal.SIGTERM, None)
        await server.serve([listening])


@contextlib.asynccontextmanager
async def _followed(certificate: Certificate | None) -> AsyncIterator[None]:
    """Keep a certificate up to date meanwhile."""
    if certificate is None:
        yield
        return
    task = asyncio.create_task(certificate.follow(), name="certificate")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def _opened(runtime: Runtime) -> AsyncIterator[Runtime]:
    """Yield what is open already, and is closed by whoever opened it."""
    yield runtime


def _quieten() -> None:
    """Keep the server's own diary out of the log; what goes wrong in it stays."""
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
