"""Only requests for this server are answered: a foreign Host header is how links in answers get poisoned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pepay_core.web.asgi.answers import refuse
from pepay_core.web.problems import InvalidRequestLine, WrongHost, problem_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

    from pepay_core.web.problems import Problem

_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
# What a load balancer asks by a bare address.
_ANY_HOST: Final = frozenset({"/health/live", "/health/ready"})


def hosting(app: ASGIApp, base_url: str, others: Collection[str] = ()) -> ASGIApp:
    """Answer 421 unless the Host is the one of ``base_url``, or one of ``others`` (``name`` or ``name:port``).

    While ``base_url`` is this machine's, each of its local names is taken, at any port.
    """
    parts = urlsplit(base_url)
    default = 443 if parts.scheme == "https" else 80
    own = _split(parts.netloc.rpartition("@")[2].lower(), default)
    named = {_split(each.lower(), default) for each in others}
    local = own is not None and own[0] in _LOCAL

    def judge(scope: HTTPScope) -> Problem | None:
        values = [value for name, value in scope["headers"] if name == b"host"]
        host = _split(values[0].decode("latin-1").lower(), default) if len(values) == 1 else None
        if host is None:
            return problem_of(InvalidRequestLine("a request names its host once, as name or name:port", field="host"))
        if scope["path"] in _ANY_HOST or host == own or host in named or (local and host[0] in _LOCAL):
            return None
        return problem_of(WrongHost(f"this server answers for {base_url}; set [server] base_url or hosts if it has another name"))

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (problem := judge(scope)):
            await refuse(problem, scope, send, base_url)
            return
        await app(scope, receive, send)

    return layer


def _split(text: str, default: int) -> tuple[str, int] | None:
    """Return name and port of a Host header, or None when it is not one."""
    if text.startswith("["):
        name, closed, rest = text.partition("]")
        if not closed or (rest and not rest.startswith(":")):
            return None
        name, rest = f"{name}]", rest.removeprefix(":")
    else:
        name, _, rest = text.partition(":")
    name = name.removesuffix(".")
    if not name or any(not (char.isascii() and (char.isalnum() or char in ".-_[]:")) for char in name):
        return None
    if not rest:
        return name, default
    return (name, int(rest)) if rest.isascii() and rest.isdigit() and len(rest) <= 5 else None
