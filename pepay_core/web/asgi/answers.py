"""Answers that a layer gives by itself, before anything was routed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pepay_core.web.asgi.facts import facts, header
from pepay_core.web.problems import MEDIA_TYPE
from pepay_core.web.templating import error_page

if TYPE_CHECKING:
    from litestar.types import HTTPScope, Send

    from pepay_core.web.problems import Problem


def is_for_people(scope: HTTPScope) -> bool:
    """Tell whether whoever asked reads pages, not documents."""
    path = scope["path"]
    if path.startswith(("/api/", "/health", "/metrics", "/x/")):
        return False
    return path.startswith("/pay/") or "text/html" in (header(scope, b"accept") or "")


def render(problem: Problem, scope: HTTPScope, base_url: str, *, spoken: bool = False) -> tuple[str, bytes]:
    """Return the media type and body by which a problem is told to whoever asked.

    ``spoken``: with the words at the top as ``message`` too, where wallets look that know nothing of problem documents.
    """
    request_id = facts(scope).request_id
    if is_for_people(scope):
        return "text/html; charset=utf-8", error_page(problem, request_id).encode()
    document = problem.document(base_url, request_id)
    return MEDIA_TYPE, msgspec.json.encode({**document, "message": problem.message} if spoken else document)


async def refuse(problem: Problem, scope: HTTPScope, send: Send, base_url: str) -> None:
    """Send a problem as the whole answer."""
    media_type, body = render(problem, scope, base_url)
    headers = {"Content-Type": media_type, "Content-Length": str(len(body)), **problem.headers}
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body, "more_body": False})
