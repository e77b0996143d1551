"""One spelling for each address: what could be read in two ways is not read at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from pepay_core.web.asgi.answers import refuse
from pepay_core.web.problems import InvalidRequestLine, Problem, problem_of

if TYPE_CHECKING:
    from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

_BROKEN_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
# An encoded separator, a back-slash, a path parameter: some would read them as part of the route.
_AMBIGUOUS: Final = re.compile(rb"%2f|%5c|\\|;|%3b", re.IGNORECASE)
_MAX_PATH: Final = 2_048
_MAX_QUERY: Final = 8_192
_MAX_PARAMETERS: Final = 100
_NOT_FOUND: Final = Problem(404, "not_found", "there is nothing at this address")


def spelling(app: ASGIApp, base_url: str) -> ASGIApp:
    """Answer 400 to what cannot be decoded, and 404 to detours: empty segments, dots, encoded slashes."""

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (problem := _judge(scope)):
            await refuse(problem, scope, send, base_url)
            return
        await app(scope, receive, send)

    return layer


def _judge(scope: HTTPScope) -> Problem | None:
    raw = (scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0]
    query = scope["query_string"]
    if len(raw) > _MAX_PATH or len(query) > _MAX_QUERY or query.count(b"&") >= _MAX_PARAMETERS:
        return problem_of(InvalidRequestLine("the path or the query is too long"))
    if _decoded(raw) is None:
        return problem_of(InvalidRequestLine("the path is not UTF-8 in percent-encoding, or holds control characters", field="path"))
    for pair in query.split(b"&"):
        if _decoded(pair.replace(b"+", b" ")) is None:
            name = _decoded(pair.partition(b"=")[0]) or "query"
            return problem_of(InvalidRequestLine("not UTF-8 in percent-encoding, or holds control characters", field=name[:60]))
    return _NOT_FOUND if _is_detour(raw, scope["path"]) else None


def _decoded(raw: bytes) -> str | None:
    """Return the text that percent-encoding stands for, or None when it stands for none."""
    if _BROKEN_ESCAPE.search(raw):
        return None
    try:
        text = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(text) else text


def _is_detour(raw: bytes, path: str) -> bool:
    if path == "/":
        return False
    segments = path.split("/")[1:]
    return not path.startswith("/") or _AMBIGUOUS.search(raw) is not None or any(segment in {"", ".", ".."} for segment in segments)
