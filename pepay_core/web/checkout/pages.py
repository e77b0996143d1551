"""The hosted page's addresses. The client token in the query opens one invoice, and nothing else; there are no cookies."""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qs

from litestar import Request, Response, get, post
from litestar.params import FromPath  # noqa: TC002 - Litestar reads the annotations

from pepay_core.domain.errors import InvalidInput, NotFound, Refused, Unavailable
from pepay_core.log import bound
from pepay_core.services.revisions import Networks
from pepay_core.web.checkout import languages
from pepay_core.web.checkout.framing import embedded
from pepay_core.web.checkout.parts import parts_of
from pepay_core.web.checkout.receipts import receipt
from pepay_core.web.checkout.states import HELPED
from pepay_core.web.checkout.themes import theme
from pepay_core.web.checkout.view import View, Visit, view
from pepay_core.web.guards import BUYER_PAGE
from pepay_core.web.policies import scripted
from pepay_core.web.problems import WrongMediaType, problem_of
from pepay_core.web.templating import render
from pepay_core.web.timing import within_deadline

if TYPE_CHECKING:
    from pepay_core.runtime import Runtime
    from pepay_core.web.checkout.framing import Embedded
    from pepay_core.web.checkout.themes import Theme

_HTML: Final = "text/html"
_FORM: Final = "application/x-www-form-urlencoded"
_HEADERS: Final = {"X-Robots-Tag": "noindex, nofollow", "Content-Security-Policy": scripted()}
_HASH: Final = re.compile(r"[0-9A-Za-z]{32,128}", re.ASCII)


@get("/pay/{invoice:str}", opt={"access": BUYER_PAGE})
async def pay(request: Request[Any, Any, Any], invoice: FromPath[str]) -> Response[str]:
    """Show an invoice to its buyer; with ``fragment=1`` only the part that changes, and nothing where the buyer has it already."""
    seen = await look(request, invoice)
    if "fragment" not in request.query_params:
        return shown(seen, whole(request, seen))
    body = render("pay/body.html", view=seen, notice=None)
    # The moment is not what the buyer looks at.
    mark = f'"{sha256(body.replace(f"{seen.visit.now}", "").encode()).hexdigest()[:24]}"'
    headers = {"ETag": mark, "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == mark:
        return shown(seen, "", 304, headers)
    return shown(seen, body, 200, headers)


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
        seen = await look(request, invoice)
        return shown(seen, whole(request, seen, told(exc, seen)), problem_of(exc).status)
    seen = await look(request, invoice)
    return shown(seen, "", 303, {"Location": seen.here})


@get("/pay/{invoice:str}/receipt", opt={"access": BUYER_PAGE})
async def show_receipt(request: Request[Any, Any, Any], invoice: FromPath[str]) -> Response[str]:
    """Show the receipt of a paid invoice."""
    seen = await look(request, invoice)
    return shown(seen, render("pay/receipt.html", view=seen, receipt=receipt(seen)))


@get("/pay/{invoice:str}/receipt.pdf", opt={"access": BUYER_PAGE})
async def download_receipt(request: Request[Any, Any, Any], invoice: FromPath[str]) -> Response[bytes]:
    """Return the receipt as a file; in English where the buyer's language has letters that the file's font has not."""
    seen = await look(request, invoice)
    made = receipt(seen)
    if made is None:
        raise NotFound("there is no receipt: the invoice is not paid")
    if not made.printable:
        english = languages.language("en")
        made = receipt(replace(seen, t=english)) or made
    headers = {"X-Robots-Tag": "noindex, nofollow", "Content-Disposition": f'inline; filename="{invoice}.pdf"', "Cache-Control": "private, no-store"}
    return Response(made.pdf(), media_type="application/pdf", headers=headers)


async def look(request: Request[Any, Any, Any], invoice: str) -> View:
    """Return an invoice as this visit shows it; raises NotFound."""
    runtime = cast("Runtime", request.app.state.runtime)
    with bound(invoice=invoice):
        async with within_deadline():
            found, merchant = await runtime.invoicing.for_page(invoice)
            framed = await embedded(request, runtime, invoice)
        look_ = theme(merchant.id, merchant.branding)
        visit = _visit(request, int(runtime.clock.now().timestamp()), look_, framed)
        seen = view(found, visit, Networks.of(runtime.catalogue, runtime.heads))
        return replace(seen, help=await runtime.self_serving.help_for(invoice)) if seen.state in HELPED else seen


def _visit(request: Request[Any, Any, Any], now: int, look_: Theme, framed: Embedded | None) -> Visit:
    query = request.query_params
    asked = query.get("lang") if query.get("lang") in languages.LANGUAGES else None
    sent, sent_at = query.get("sent", ""), query.get("sent_at", "")
    return Visit(
        token=query.get("token") or request.headers["x-pepay-token"],
        now=now,
        language=languages.choose(asked, request.headers.get("accept-language", ""), look_.languages),
        theme=look_,
        asked_language=asked,
        changing="change" in query,
        sent=sent if _HASH.fullmatch(sent) else None,
        sent_at=int(sent_at) if re.fullmatch(r"\d{1,12}", sent_at, re.ASCII) else None,
        framed=framed,
        scheme=query.get("theme") if query.get("theme") in {"light", "dark"} else None,
    )


def _field(body: bytes, name: str) -> str:
    try:
        values = parse_qs(body.decode("ascii"), strict_parsing=True, max_num_fields=10, errors="strict")
    except ValueError:
        values = {}
    given = values.get(name, [])
    if len(given) != 1:
        raise InvalidInput("is required", field=name)
    return given[0]


def whole(request: Request[Any, Any, Any], seen: View, notice: str | None = None) -> str:
    """Return the whole page, with what plugins put above it."""
    parts = parts_of(cast("Runtime", request.app.state.runtime), seen.invoice, seen.visit.token)
    return render("pay.html", view=seen, notice=notice, parts=parts)


def shown(seen: View, body: str, status: int = 200, headers: dict[str, str] | None = None) -> Response[str]:
    """Return an answer that may be framed where the visit may."""
    framing = seen.visit.framed.headers if seen.visit.framed else {}
    return Response(body, status_code=status, media_type=_HTML, headers={**_HEADERS, **framing, **(headers or {})})


def told(problem: Refused | Unavailable, seen: View) -> str:
    """Return in words why something could not be done."""
    return str(seen.t("notice.unavailable")) if isinstance(problem, Unavailable) else problem.message


HANDLERS: Final = (pay, choose, show_receipt, download_receipt)
