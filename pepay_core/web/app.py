"""The web application: everything that answers HTTP, put together."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from litestar import Litestar, Request, Response

from pepay_core.clock import SystemClock
from pepay_core.domain.errors import Unavailable
from pepay_core.web import assets, contact, embed, health, reference
from pepay_core.web.api import (
    api_keys,
    audit,
    connect,
    invitations,
    invoices,
    ledger,
    members,
    merchant,
    offers,
    passkeys,
    platform,
    refunds,
    replays,
    second_factors,
    self_service,
    session,
    solana_pay,
    streams,
    transactions,
    user,
    wallets,
    webhooks,
)
from pepay_core.web.api import checkout as checkout_api
from pepay_core.web.asgi.answers import render
from pepay_core.web.asgi.bounding import MAX_BODY
from pepay_core.web.asgi.facts import facts
from pepay_core.web.asgi.stack import layered
from pepay_core.web.checkout import helping, pages, theming
from pepay_core.web.guards import gate
from pepay_core.web.lifespan import lifespan
from pepay_core.web.limiting import Allowances
from pepay_core.web.operations import ANY_ORIGIN, handler, preflights
from pepay_core.web.people import connecting, entering, inspecting, linked, one_time_codes, security, team
from pepay_core.web.people import passkeys as passkey_pages
from pepay_core.web.problems import problem_of
from pepay_core.web.sessions import GoElsewhere

if TYPE_CHECKING:
    from litestar.types import LifeSpanReceive, LifeSpanScope, LifeSpanSend, Receive, Scope, Send

    from pepay_core.contracts.context import Clock
    from pepay_core.settings import Settings
    from pepay_core.web.lifespan import RuntimeFactory

OPERATIONS = (
    *invoices.OPERATIONS,
    *merchant.OPERATIONS,
    *wallets.OPERATIONS,
    *offers.OPERATIONS,
    *webhooks.OPERATIONS,
    *replays.OPERATIONS,
    *streams.OPERATIONS,
    *ledger.OPERATIONS,
    *transactions.OPERATIONS,
    *api_keys.OPERATIONS,
    *session.OPERATIONS,
    *second_factors.OPERATIONS,
    *passkeys.OPERATIONS,
    *user.OPERATIONS,
    *members.OPERATIONS,
    *invitations.OPERATIONS,
    *platform.OPERATIONS,
    *audit.OPERATIONS,
    *connect.OPERATIONS,
    *checkout_api.OPERATIONS,
    *self_service.OPERATIONS,
    *refunds.OPERATIONS,
    *solana_pay.OPERATIONS,
)
"""Everything that the OpenAPI document describes."""


class Application(Litestar):
    """A Litestar application behind the layers that every request passes, routed or not."""

    def __init__(self, settings: Settings, clock: Clock, **options: Any) -> None:
        super().__init__(**options)
        self.state.allowances = Allowances(clock)
        self.state.counted = Counter()
        self._outermost = layered(super().__call__, settings, clock, self.state.allowances, self.state.counted)

    async def __call__(self, scope: Scope | LifeSpanScope, receive: Receive | LifeSpanReceive, send: Send | LifeSpanSend) -> None:
        """Answer a request, or run the lifespan."""
        await self._outermost(scope, receive, send)  # type: ignore[arg-type]


def create_app(settings: Settings, *, workers: bool = True, runtime_factory: RuntimeFactory | None = None, clock: Clock | None = None) -> Application:
    """Return the application; its runtime is opened when the server starts.

    ``workers`` runs the watchers and the dispatcher beside it. ``runtime_factory`` replaces the runtime.
    """
    clock = clock or SystemClock()
    base_url = settings.server.base_url

    def refused(request: Request[Any, Any, Any], exc: Exception) -> Response[bytes]:
        if isinstance(exc, GoElsewhere):
            return Response(b"", status_code=303, media_type="text/html", headers={"Location": exc.location})
        problem = problem_of(exc)
        # Where another origin may ask, it must be able to read why it is refused.
        opened = request.scope.get("route_handler") is not None and request.route_handler.opt.get("open_to_origins", False)
        media_type, body = render(problem, request.scope, base_url, spoken=opened)
        headers = {**problem.headers, **(ANY_ORIGIN if opened else {})}
        return Response(body, status_code=problem.status, media_type=media_type.partition(";")[0], headers=headers)

    async def touch(request: Request[Any, Any, Any]) -> None:
        known = facts(request.scope)
        caller = known.caller
        if caller is None or known.signed_in is not None:
            return
        # The answer has been sent: that a note of it could not be made is nobody's error.
        with contextlib.suppress(Unavailable):
            await request.app.state.runtime.authenticating.touch(caller)

    return Application(
        settings,
        clock,
        route_handlers=[
            # First, or Litestar would answer OPTIONS by itself, with the methods of whichever operation it was told of first.
            *preflights(OPERATIONS),
            *(handler(each) for each in OPERATIONS),
            *pages.HANDLERS,
            *entering.HANDLERS,
            *security.HANDLERS,
            *one_time_codes.HANDLERS,
            *passkey_pages.HANDLERS,
            *team.HANDLERS,
            *inspecting.HANDLERS,
            *linked.HANDLERS,
            *helping.HANDLERS,
            *theming.HANDLERS,
            *connecting.HANDLERS,
            *embed.HANDLERS,
            *health.HANDLERS,
            *contact.HANDLERS,
            *reference.handlers(OPERATIONS, base_url),
            *assets.HANDLERS,
        ],
        guards=[gate],
        exception_handlers={Exception: refused},
        after_response=touch,
        lifespan=[lifespan(runtime_factory or _opener(settings, clock, workers=workers))],
        request_max_body_size=MAX_BODY,
        openapi_config=None,
        logging_config=None,
        debug=False,
    )


def _opener(settings: Settings, clock: Clock, *, workers: bool) -> RuntimeFactory:
    from pepay_core.runtime import Runtime

    return lambda: Runtime.open(settings, workers=workers, clock=clock)
