"""The hosted page's addresses. The client token in the query opens one invoice, and nothing else; there are no cookies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qs, quote

from litestar import Request, Response, get, post
from litestar.params import FromPath  # noqa: TC002 - Litestar reads the annotations

from pepay_core.domain.errors import InvalidInput, Refused, Unavailable
from pepay_core.log import bound
from pepay_core.web.checkout.framing import embedded
from pepay_core.web.checkout.parts import parts_of
from pepay_core.web.checkout.views import view
from pepay_core.web.guards import BUYER_PAGE
from pepay_core.web.policies import scripted
from pepay_core.web.problems import WrongMediaType, problem_of
from pepay_core.web.templating import render
from pepay_core.web.timing import within_deadline

if TYPE_CHECKING:
    from pepay_core.runtime import Runtime

_HTML: Final = "text/html"
_FORM: Final = "application/x-www-form-urlencoded"
_HEADERS: Final = {"X-Robots-Tag": "noindex, nofollow", "Content-Security-Policy": scripted()}


@get("/pay/{invoice:str}", opt={"access": BUYER_PAGE})
async def pay(request: Request[Any, Any, Any], invoice: FromPath[str]) -> Response[str]:
    """Show an invoice to its buyer."""
    return await _page(request, invoice, notice=None)


@post("/pay/{invoice:str}/choose", opt={"access": BUYER_PAGE})
async def choose(request: Request[Any, Any, Any], invoice: FromPath[str]) -> Response[Any]:
    """Quote the asset that the buyer chose, and show the page again; what is wrong is told on the page."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise WrongMediaType("send the page's own form")
    asset = _field(await request.body(), "asset")
    runtime = cast("Runtime", request.app.state.runtime)
    try:
        async with within_deadline():
            await runtime.invoicing.choose_for_buyer(invoice, asset)
    except (Refused, Unavailable) as exc:
        return await _page(request, invoice, notice=exc)
    framed = await embedded(request, runtime, invoice)
    here = f"/pay/{invoice}?token={quote(_token(request))}{framed.carried if framed else ''}"
    return Response("", status_code=303, headers={**_HEADERS, "Location": here}, media_type=_HTML)


def _token(request: Request[Any, Any, Any]) -> str:
    return request.query_params.get("token") or request.headers["x-pepay-token"]


def _field(body: bytes, name: str) -> str:
    try:
        values = parse_qs(body.decode("ascii"), strict_parsing=True, max_num_fields=10, errors="strict")
    except ValueError:
        values = {}
    given = values.get(name, [])
    if len(given) != 1:
        raise InvalidInput("is required", field=name)
    return given[0]


async def _page(request: Request[Any, Any, Any], invoice: str, *, notice: Refused | Unavailable | None) -> Response[str]:
    runtime = cast("Runtime", request.app.state.runtime)
    with bound(invoice=invoice):
        async with within_deadline():
            found = await runtime.invoicing.for_buyer(invoice)
            framed = await embedded(request, runtime, invoice)
        shown = view(
            found,
            _token(request),
            now=int(runtime.clock.now().timestamp()),
            changing="change" in request.query_params,
            carried=framed.carried if framed else "",
            natives={chain.native for chain in runtime.catalogue.chains.values()},
        )
    status = problem_of(notice).status if notice else 200
    html = render("pay.html", view=shown, notice=_told(notice), scripted=True, embedded=framed, parts=parts_of(runtime, found, _token(request)))
    return Response(html, status_code=status, media_type=_HTML, headers={**_HEADERS, **(framed.headers if framed else {})})


def _told(notice: Refused | Unavailable | None) -> str | None:
    if notice is None:
        return None
    if isinstance(notice, Unavailable):
        return "This way to pay is not available right now. Try again in a moment, or choose another."
    return notice.message


HANDLERS: Final = (pay, choose)
