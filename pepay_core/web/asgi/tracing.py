"""Every request has an id and is one line in the log, and no exception goes further than here."""

from __future__ import annotations

import logging
import re
import secrets
from typing import TYPE_CHECKING, Final

from pepay_core.domain.ids import make_id
from pepay_core.log import bound
from pepay_core.web.asgi.answers import refuse
from pepay_core.web.asgi.facts import facts, header
from pepay_core.web.problems import problem_of

if TYPE_CHECKING:
    from collections import Counter

    from litestar.types import ASGIApp, Message, Receive, Scope, Send

    from pepay_core.contracts.context import Clock

_SANE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})
_log: Final = logging.getLogger("pepay.requests")


def tracing(app: ASGIApp, clock: Clock, counted: Counter[tuple[str, int]], base_url: str) -> ASGIApp:
    """Take a request's ``x-request-id`` if it is a sane one, else make one, and return it with the answer.

    ``counted`` grows by each answer, by method and status.
    """

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        known = facts(scope)
        given = header(scope, b"x-request-id")
        moment = int(clock.now().timestamp() * 1000)
        known.request_id = given if given and _SANE.fullmatch(given) else make_id("req", moment, secrets.randbits(80))
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", known.request_id.encode())]
            await send(message)

        started = clock.monotonic()
        with bound(request=known.request_id):
            try:
                await app(scope, receive, sending)
            except Exception as exc:
                if status:
                    raise
                await refuse(problem_of(exc), scope, sending, base_url)
            finally:
                counted[scope["method"] if scope["method"] in _METHODS else "other", status] += 1
                took = round((clock.monotonic() - started) * 1000)
                # The path only: the query may hold a buyer's token.
                _log.info("%s %s %s %d ms %s %s", scope["method"], ascii(scope["path"][:200]), status, took, known.address or "-", known.name)

    return layer
