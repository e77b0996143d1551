"""Whom to tell when something is wrong with this installation."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from litestar import Request, Response, get

from pepay_core.domain.errors import NotFound
from pepay_core.web.operations import ANYBODY

if TYPE_CHECKING:
    from pepay_core.runtime import Runtime

_VALID: Final = timedelta(days=180)


@get("/.well-known/security.txt", opt={"access": ANYBODY}, sync_to_thread=False)
def security(request: Request[Any, Any, Any]) -> Response[str]:
    """Tell where a vulnerability is reported (RFC 9116); 404 while the operator has not said it."""
    runtime = cast("Runtime", request.app.state.runtime)
    server = runtime.settings.server
    if server.security_contact is None:
        raise NotFound("this installation names no security contact")
    expires = runtime.clock.now() + _VALID
    lines = [
        f"Contact: {server.security_contact}",
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
    ]
    if server.base_url.startswith("https://"):
        # The one place that counts is reached by https (§2.5.2).
        lines.append(f"Canonical: {server.base_url}/.well-known/security.txt")
    return Response("\n".join(lines) + "\n", media_type="text/plain")


HANDLERS: Final = (security,)
