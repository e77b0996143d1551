"""A receiver of webhooks for those who have none yet: keeps what came, and shows it."""

from __future__ import annotations

import json
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from litestar import Request, Response, get, post
from litestar.params import FromPath  # noqa: TC002 - Litestar reads the annotations

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_KEPT: Final = 100
_NAMES: Final = 100
_MOST: Final = 100_000
_SHOWN: Final = ("webhook-id", "webhook-timestamp", "webhook-signature", "x-pepay-event", "x-pepay-signature", "x-pepay-timestamp", "content-type")


@dataclass(frozen=True, slots=True)
class Caught:
    """One request that came."""

    at: float
    headers: Mapping[str, str]
    body: bytes


class Catching:
    """Keeps the newest requests of each name, in memory; any name will do."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._caught: OrderedDict[str, deque[Caught]] = OrderedDict()

    def of(self, name: str) -> list[Caught]:
        """Return what came under a name, newest first."""
        return list(self._caught.get(name, ()))[::-1]

    def take(self, name: str, headers: Mapping[str, str], body: bytes) -> None:
        """Keep a request."""
        kept = self._caught.setdefault(name, deque(maxlen=_KEPT))
        self._caught.move_to_end(name)
        while len(self._caught) > _NAMES:
            self._caught.popitem(last=False)
        kept.append(Caught(self._clock(), {key.lower(): value for key, value in headers.items()}, body[:_MOST]))

    def handlers(self) -> list[Any]:
        """Return the handlers."""

        @post("/catch/{name:str}", status_code=204)
        async def catch(request: Request[Any, Any, Any], name: FromPath[str]) -> None:
            """Take anything."""
            self.take(name[:60], dict(request.headers), await request.body())

        @get("/catch/{name:str}", sync_to_thread=False)
        def show(name: FromPath[str]) -> Response[str]:
            """Show what came."""
            return Response(_page(name, self.of(name[:60])), media_type="text/html")

        @get("/catch.css", sync_to_thread=False)
        def style() -> Response[bytes]:
            """Style the page."""
            return Response((files("pepay_sandbox.simulator") / "static" / "catch.css").read_bytes(), media_type="text/css")

        return [catch, show, style]


def _page(name: str, caught: list[Caught]) -> str:
    entries = "".join(_entry(each) for each in caught) or "<p>Nothing yet. Register this page's address as a webhook, and something happens.</p>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="/static/mark.svg"><link rel="stylesheet" href="/x/sandbox/catch.css">'
        f"<title>Caught by {escape(name)}</title></head><body><main><h1>Caught by <code>{escape(name)}</code></h1>"
        f'<p><a href="">Look again</a></p>{entries}</main></body></html>'
    )


def _entry(caught: Caught) -> str:
    moment = time.strftime("%H:%M:%S", time.gmtime(caught.at))
    kind = caught.headers.get("x-pepay-event", "something")
    headers = "\n".join(f"{name}: {caught.headers[name]}" for name in _SHOWN if name in caught.headers)
    try:
        body = json.dumps(json.loads(caught.body), indent=2, ensure_ascii=False)
    except ValueError:
        body = caught.body.decode("utf-8", "replace")
    return f"<details><summary><code>{escape(kind)}</code> {moment} UTC</summary><pre>{escape(headers)}\n\n{escape(body)}</pre></details>"
