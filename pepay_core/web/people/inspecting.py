"""The webhook inspector: what was sent, what was answered, what is probably wrong, and sending it again."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from litestar import Request, Response, get, post

from pepay_core.domain.errors import Refused, Unavailable
from pepay_core.domain.ids import DeliveryId, EndpointId, EventId
from pepay_core.domain.jsontext import encode
from pepay_core.services.likely_causes import likely_cause
from pepay_core.services.paging import Page
from pepay_core.web.access import USER
from pepay_core.web.forms import form
from pepay_core.web.people.answers import lead, present, show
from pepay_core.web.sessions import runtime_of
from pepay_core.web.timing import within_deadline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pepay_core.services.callers import Caller

PATH: Final = "/app/webhooks"
_OPT: Final = {"access": USER, "page": True}
_SHOWN: Final = 50


@get(PATH, opt=_OPT)
async def webhooks_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show what was delivered to an endpoint, and one delivery in full."""
    return await _page(request, request.query_params)


@post(f"{PATH}/resend", opt=_OPT, status_code=200)
async def resend(request: Request[Any, Any, Any]) -> Response[str]:
    """Deliver an event again."""
    sent = await form(request)
    try:
        async with within_deadline():
            caller = await _caller(request, sent)
            caller.need("webhooks:write")
            await runtime_of(request).endpoints.redeliver(caller, DeliveryId(sent.get("delivery", "")))
    except (Refused, Unavailable) as exc:
        return await _page(request, sent, exc)
    return lead(request, f"{PATH}?{urlencode({**_kept(sent), 'done': 'resent'})}")


async def _page(request: Request[Any, Any, Any], asked: Mapping[str, str], refusal: Refused | Unavailable | None = None) -> Response[str]:
    endpoints: tuple[dict[str, Any], ...] = ()
    deliveries: tuple[dict[str, Any], ...] = ()
    chosen = endpoint = event = None
    sees = True
    merchants = await runtime_of(request).people.memberships.of_user(present(request).user)
    if len(merchants) > 1 and not asked.get("merchant"):
        asked = {**asked, "merchant": merchants[0]["merchant"]}
    try:
        async with within_deadline():
            caller, service = await _caller(request, asked), runtime_of(request).endpoints
            sees = caller.may("webhooks:read")
            if sees:
                endpoints = (await service.page(caller, Page(limit=100))).items
            endpoint = next((each for each in endpoints if each["id"] == asked.get("endpoint")), endpoints[0] if endpoints else None)
            if endpoint is not None:
                deliveries = (await service.deliveries(caller, EndpointId(endpoint["id"]), Page(limit=_SHOWN))).items
            chosen = next((each for each in deliveries if each["id"] == asked.get("delivery")), deliveries[0] if deliveries else None)
            if chosen is not None:
                event = await runtime_of(request).feed.get(caller, EventId(chosen["event"]))
    except (Refused, Unavailable) as exc:
        refusal = refusal or exc
    return show(
        request,
        "webhooks.html",
        refusal=refusal,
        done="It is on its way again." if asked.get("done") == "resent" else None,
        merchants=merchants,
        sees=sees,
        endpoints=endpoints,
        endpoint=endpoint,
        deliveries=deliveries,
        chosen=chosen,
        cause=likely_cause(chosen) if chosen else None,
        body=json.dumps(json.loads(encode(event)), indent=2, ensure_ascii=False) if event else "",
        curl=_curl(endpoint, chosen, event) if endpoint and chosen and event else "",
        failing=sum(each["state"] != "delivered" for each in deliveries),
        kept=_kept(asked),
        link=lambda **more: f"{PATH}?{urlencode({**_kept(asked), **more})}",
    )


def _curl(endpoint: Mapping[str, Any], delivery: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """Return a line that sends the same event, unsigned: for trying out a receiver."""
    headers = {"content-type": "application/json", "webhook-id": delivery["event"], "x-pepay-event": delivery["event_type"]}
    parts = ["curl", "-i", endpoint["url"], *(part for name, value in headers.items() for part in ("-H", f"{name}: {value}"))]
    return shlex.join([*parts, "--data-raw", encode(event).decode()])


def _kept(asked: Mapping[str, str]) -> dict[str, str]:
    return {name: asked[name] for name in ("merchant", "environment", "endpoint", "delivery") if asked.get(name)}


async def _caller(request: Request[Any, Any, Any], asked: Mapping[str, str]) -> Caller:
    memberships = runtime_of(request).people.memberships
    return await memberships.caller(present(request).user, asked.get("merchant") or None, livemode=asked.get("environment") == "live")


HANDLERS: Final = (webhooks_page, resend)
