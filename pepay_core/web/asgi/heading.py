"""HEAD is GET without the body, for every address and with the same permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Message, Receive, Scope, Send


def heading(app: ASGIApp) -> ASGIApp:
    """Route HEAD as GET, and send what comes of it without its body."""

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        await app(cast("Any", {**scope, "method": "GET"}), receive, sending)

    return layer
