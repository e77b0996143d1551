"""Requests that are too large, too many or too slow are refused before they cost anything."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from pepay_core.domain.errors import RateLimited
from pepay_core.web.asgi.answers import refuse
from pepay_core.web.asgi.facts import facts, header
from pepay_core.web.limiting import STRAYS, address_key
from pepay_core.web.patience import SECONDS
from pepay_core.web.problems import InvalidRequestLine, TooLarge, problem_of

if TYPE_CHECKING:
    from litestar.types import ASGIApp, HTTPScope, Message, Receive, ReceiveMessage, Scope, Send

    from pepay_core.web.limiting import Allowances, Standing
    from pepay_core.web.problems import Problem

MAX_BODY: Final = 65_536


def bounding(app: ASGIApp, allowances: Allowances, *, strays_per_minute: int, base_url: str) -> ASGIApp:
    """Refuse bodies above 64 KiB, bodies that do not come to their end, and addresses that sent too much that led nowhere.

    Each request is charged once: by the guard to the key or the buyer's address, else here, to the address it came from.
    """

    def judge(scope: HTTPScope) -> Problem | None:
        length = header(scope, b"content-length")
        if length is not None and not (length.isascii() and length.isdigit() and len(length) <= 15):
            return problem_of(InvalidRequestLine("not a number of bytes", field="content-length"))
        if int(length or 0) > MAX_BODY:
            return problem_of(TooLarge(f"a body has at most {MAX_BODY} bytes"))
        if standing := allowances.refusal(STRAYS, address_key(facts(scope).address), strays_per_minute):
            return limited(scope, standing)
        return None

    def limited(scope: HTTPScope, standing: Standing) -> Problem:
        facts(scope).standing = standing
        return problem_of(RateLimited("too many requests from this address", retry_after=standing.wait))

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        known = facts(scope)

        replaced = begun = whole = False

        latest = asyncio.get_running_loop().time() + SECONDS

        async def receiving() -> ReceiveMessage:
            nonlocal whole
            if whole or begun:
                return await receive()
            try:
                async with asyncio.timeout_at(latest):
                    message = await receive()
            except TimeoutError:
                raise InvalidRequestLine("the request took too long to arrive") from None
            if message["type"] == "http.request":
                whole = not message.get("more_body", False)
            else:
                # Nobody hears the answer; it is no error of ours either.
                raise InvalidRequestLine("the request ended before all of it was there")
            return message

        async def sending(message: Message) -> None:
            nonlocal replaced, begun
            if replaced:
                return
            if message["type"] == "http.response.start":
                begun = True
                if known.standing is None and message["status"] >= 400:
                    known.standing = await allowances.take(STRAYS, address_key(known.address), strays_per_minute)
                    if known.standing.wait:
                        replaced = True
                        await refuse(limited(scope, known.standing), scope, outwards, base_url)
                        return
                message = marked(message)
            await send(message)

        async def outwards(message: Message) -> None:
            await send(marked(message))

        def marked(message: Message) -> Message:
            if message["type"] == "http.response.start" and known.standing is not None:
                limits = [(name.lower().encode(), value.encode()) for name, value in known.standing.headers.items()]
                message["headers"] = [*message["headers"], *limits]
            return message

        if problem := judge(scope):
            await refuse(problem, scope, sending, base_url)
            return
        await app(scope, cast("Receive", receiving), sending)

    return layer
