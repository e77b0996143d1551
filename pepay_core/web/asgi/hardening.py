"""Headers that tell browsers what an answer may do, which is as little as possible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pepay_core.web.policies import DATA, PLAIN

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS: Final = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    b"x-frame-options": b"DENY",
}
_VARY: Final = b"Cookie, Authorization, X-Api-Key, X-Pepay-Merchant, X-Pepay-Environment"
_HSTS: Final = b"max-age=31536000"
_DATA: Final = DATA.encode()
_PLAIN: Final = PLAIN.encode()


def hardening(app: ASGIApp, *, https: bool) -> ASGIApp:
    """Add what an answer does not say itself; pages that say nothing get a policy that lets our own styles in, and no script at all."""

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message["headers"])
                present = {name.lower(): value for name, value in headers}
                wanted = dict(_ALWAYS)
                wanted[b"content-security-policy"] = _PLAIN if present.get(b"content-type", b"").startswith(b"text/html") else _DATA
                if b"frame-ancestors 'none'" not in present.get(b"content-security-policy", b"frame-ancestors 'none'"):
                    # Browsers that know frame-ancestors would ignore it, but for one of them, and then nobody could frame the page.
                    del wanted[b"x-frame-options"]
                if b"cache-control" not in present:
                    # No cache may keep it; for one that does, each caller's answer is one of its own.
                    wanted[b"cache-control"] = b"no-store"
                    wanted[b"vary"] = _VARY
                if https:
                    wanted[b"strict-transport-security"] = _HSTS
                message["headers"] = [*headers, *((name, value) for name, value in wanted.items() if name not in present)]
            await send(message)

        await app(scope, receive, sending)

    return layer
