"""The pages on which a buyer helps himself: going on with an order, looking for a transaction, asking money back. Plain forms, no script needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qs

from litestar import Request, Response, get, post
from litestar.params import FromPath  # noqa: TC002 - Litestar reads the annotations

from pepay_core.domain.errors import InvalidInput, NotFound, Refused, Unavailable
from pepay_core.web.checkout.pages import look, shown, told, whole
from pepay_core.web.guards import BUYER_PAGE
from pepay_core.web.problems import WrongMediaType, problem_of
from pepay_core.web.templating import render
from pepay_core.web.timing import within_deadline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pepay_core.runtime import Runtime
    from pepay_core.web.checkout.view import View

_FORM: Final = "application/x-www-form-urlencoded"
_GOOD: Final = frozenset({"counting", "finalizing", "counted"})
_CALM: Final = frozenset({"waiting", "looking", "not_found", "unreachable", "reverted"})


@dataclass(frozen=True, slots=True)
class Told:
    """What there is to say after a form was sent; ``tone`` is that of the page's badges."""

    text: str
    tone: str


@post("/pay/{invoice:str}/again", opt={"access": BUYER_PAGE})
async def again(request: Request[Any, Any, Any], invoice: FromPath[str]) -> Response[Any]:
    """Go on with an order whose time is over; what stands against it is told on the page."""
    asset = (await _form(request)).get("asset", "")
    try:
        async with within_deadline():
            await _runtime(request).self_serving.new_quote(invoice, asset)
    except (Refused, Unavailable) as exc:
        seen = await look(request, invoice)
        return shown(seen, whole(request, seen, told(exc, seen)), problem_of(exc).status)
    seen = await look(request, invoice)
    return shown(seen, "", 303, {"Location": seen.here})


@get("/pay/{invoice:str}/sent", opt={"access": BUYER_PAGE})
async def sent(request: Request[Any, Any, Any], invoice: FromPath[str]) -> Response[str]:
    """Ask for the transaction that was sent."""
    return await _sent(request, invoice, "", None)


@post("/pay/{invoice:str}/sent", opt={"access": BUYER_PAGE}, status_code=200)
async def look_up(request: Request[Any, Any, Any], invoice: FromPath[str]) -> Response[str]:
    """Say what became of it."""
    text = (await _form(request)).get("hash", "").strip()[:200]
    try:
        async with within_deadline():
            found = await _runtime(request).self_serving.look_up(invoice, text)
    except InvalidInput:
        return await _sent(request, invoice, text, {"answer": "unreadable"}, 422)
    return await _sent(request, invoice, text, found)


@get("/pay/{invoice:str}/claim", opt={"access": BUYER_PAGE})
async def claims(request: Request[Any, Any, Any], invoice: FromPath[str]) -> Response[str]:
    """Show what can be asked back, and what was."""
    return await _claims(request, invoice)


@post("/pay/{invoice:str}/claim", opt={"access": BUYER_PAGE}, status_code=303)
async def claim(request: Request[Any, Any, Any], invoice: FromPath[str]) -> Response[str]:
    """Ask it back, and show what was asked for."""
    fields = await _form(request)
    if fields.get("sure") != "yes":
        return await _claims(request, invoice, fields.get("address", ""), unsure=True)
    try:
        async with within_deadline():
            await _runtime(request).refunding.claim(invoice, fields.get("asset", ""), fields.get("address", ""))
    except (Refused, Unavailable) as exc:
        return await _claims(request, invoice, fields.get("address", ""), problem=exc)
    seen = await look(request, invoice)
    return shown(seen, "", 303, {"Location": seen.address("/claim")})


async def _sent(request: Request[Any, Any, Any], invoice: str, text: str, found: Mapping[str, Any] | None, status: int = 200) -> Response[str]:
    seen = await look(request, invoice)
    if not (await _runtime(request).self_serving.help_for(invoice))["lookup"]:
        raise NotFound("there is no such page")
    return shown(seen, render("pay/sent.html", view=seen, text=text, told=_sighted(seen, found) if found else None), status)


def _sighted(seen: View, found: Mapping[str, Any]) -> Told:
    kind = found["answer"]
    amount = f"{found['amount']} {found['symbol']}" if found.get("amount") else ""
    values = {**found, "amount": amount, "merchant": seen.invoice["merchant_name"], "network": found.get("network") or seen.t("network.any")}
    tone = "good" if kind in _GOOD else "calm" if kind in _CALM else "warn"
    return Told(seen.t(f"help.sight.{kind}", **{name: value or "" for name, value in values.items()}), tone)


async def _claims(
    request: Request[Any, Any, Any], invoice: str, text: str = "", *, unsure: bool = False, problem: Refused | Unavailable | None = None
) -> Response[str]:
    seen = await look(request, invoice)
    help_ = await _runtime(request).self_serving.help_for(invoice)
    status = problem_of(problem).status if problem else 422 if unsure else 200
    notice = seen.t("help.claim.sure") if unsure else told(problem, seen) if problem else None
    return shown(seen, render("pay/claim.html", view=seen, help=help_, text=text, notice=notice), status)


async def _form(request: Request[Any, Any, Any]) -> dict[str, str]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise WrongMediaType("send the page's own form")
    try:
        fields = parse_qs((await request.body()).decode("ascii"), max_num_fields=10)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


def _runtime(request: Request[Any, Any, Any]) -> Runtime:
    return cast("Runtime", request.app.state.runtime)


HANDLERS: Final = (again, sent, look_up, claims, claim)
