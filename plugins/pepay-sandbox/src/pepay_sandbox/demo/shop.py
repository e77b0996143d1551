"""The demo shop: a product, its orders, a receiver for webhooks, and buttons that let the test wallet pay."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from aiohttp import web

from pepay_core.api import PePayError
from pepay_sandbox.demo import pages
from pepay_sandbox.demo.paying import Share, pay_invoice
from pepay_sandbox.jsonrpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pepay_sandbox.demo.api import Api
    from pepay_sandbox.demo.catcher import Catcher
    from pepay_sandbox.demo.purse import Payer

PRODUCT: Final = "Ethiopia Guji, 250 g"
PRICE: Final = "24.00"
HOOK: Final = "/webhooks"
_LIVE_MS: Final = 700
_SHOWN_ORDERS: Final = 8
_STATIC: Final = {"shop.css": "text/css", "live.js": "text/javascript", "icon.svg": "image/svg+xml", "coffee.svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Choice:
    """An asset that the shop offers; ``name`` is what the command line calls it."""

    asset: str
    symbol: str
    note: str
    name: str = ""
    decimals: int = 0


class Shop:
    """Answers visitors and PePay. It is given its API access by :meth:`open`, once PePay runs."""

    def __init__(self, catcher: Catcher, wallet: Payer, choices: Sequence[Choice]) -> None:
        self._catcher = catcher
        self._wallet = wallet
        self._choices = choices
        self._api: Api | None = None
        self._gateway = ""
        self._orders: list[dict[str, Any]] = []

    def open(self, api: Api, gateway: str) -> None:
        """Sell from now on: ``gateway`` is the URL to which buyers are sent."""
        self._api = api
        self._gateway = gateway

    def app(self) -> web.Application:
        """Return the application."""
        app = web.Application(middlewares=[self._guard], client_max_size=1024 * 1024)
        app.router.add_get("/", self._front)
        app.router.add_post("/orders", self._buy)
        app.router.add_get("/orders/{invoice}", self._order)
        app.router.add_post("/demo/pay/{invoice}", self._pay)
        app.router.add_get(HOOK, self._webhooks)
        app.router.add_post(HOOK, self._catch)
        app.router.add_get("/static/{name}", _static)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
        if not _is_own(request):
            raise web.HTTPForbidden(text="This shop answers to its own address only.\n")
        try:
            response = await handler(request)
        except (PePayError, RpcError) as exc:
            response = self._page("Sorry", pages.problem(str(exc)), here="", status=502)
        response.headers.update(
            {
                # A form's target may redirect to the payment page, and browsers hold that redirect against form-action.
                "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
                f"form-action 'self' {self._gateway}; base-uri 'none'; frame-ancestors 'none'",
                "Referrer-Policy": "same-origin",
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "no-store",
            }
        )
        return response

    # --- what visitors see ------------------------------------------------------------

    async def _front(self, _request: web.Request) -> web.Response:
        newest = [self._catcher.invoice(each["id"]) or each for each in self._orders[: -_SHOWN_ORDERS - 1 : -1]]
        return self._page(PRODUCT, pages.shop(PRODUCT, PRICE, self._choices, newest), here="/")

    async def _buy(self, request: web.Request) -> web.Response:
        form = await request.post()
        wanted = form.get("asset", self._choices[0].asset)
        if wanted not in {each.asset for each in self._choices}:
            raise web.HTTPBadRequest(text="The shop does not offer that asset.\n")
        number = len(self._orders) + 1
        invoice = await self._access().create_invoice(
            PRICE,
            description=f"{PRODUCT} (order {number})",
            metadata={"order": number},
            pay_with=wanted,
            return_url=f"{_origin(request)}/",
        )
        self._orders.append(invoice)
        return _see(invoice["payment_url"] if form.get("go") == "page" else f"/orders/{invoice['id']}")

    async def _order(self, request: web.Request) -> web.Response:
        number = request.match_info["invoice"]
        told = self._catcher.invoice(number)
        invoice = told or await self._access().invoice(number)
        # A webhook's copy may be older than the quote that was asked for since; what is paid comes from the webhook.
        body = pages.order(PRODUCT, invoice, self._catcher.about(number), told=told is not None)
        return self._page("Order", body, here="", live=_LIVE_MS if invoice["status"] in pages.OPEN else 0)

    async def _pay(self, request: web.Request) -> web.Response:
        form = await request.post()
        try:
            share = Share(str(form.get("amount", "full")))
        except ValueError:
            raise web.HTTPBadRequest(text="Pay full, under or over.\n") from None
        number = request.match_info["invoice"]
        await pay_invoice(self._access(), self._wallet, number, share, preferred=self._choices[0].asset)
        return _see(f"/orders/{number}")

    async def _webhooks(self, _request: web.Request) -> web.Response:
        return self._page("Webhooks", pages.webhooks(self._catcher.received), here=HOOK, live=_LIVE_MS)

    def _page(self, title: str, body: str, *, here: str, live: int = 0, status: int = 200) -> web.Response:
        return web.Response(status=status, text=pages.page(title, body, here=here, live=live), content_type="text/html")

    # --- what PePay sends -------------------------------------------------------------

    async def _catch(self, request: web.Request) -> web.Response:
        return web.Response(status=self._catcher.take(request.headers, await request.read()))

    def _access(self) -> Api:
        if self._api is None:
            raise web.HTTPServiceUnavailable(text="The shop opens in a moment.\n", headers={"Retry-After": "1"})
        return self._api


def _is_own(request: web.Request) -> bool:
    """Tell whether a request is for this machine, and, where a browser sends a form, from this shop's own pages."""
    name = urlsplit(f"//{request.host}").hostname
    origin = request.headers.get("Origin")
    return name in {"127.0.0.1", "localhost"} and origin in {None, _origin(request)}


def _origin(request: web.Request) -> str:
    return f"http://{request.host}"


def _see(location: str) -> web.Response:
    return web.Response(status=303, headers={"Location": location})


async def _static(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    if name not in _STATIC:
        raise web.HTTPNotFound
    return web.Response(body=(files("pepay_sandbox.demo") / "static" / name).read_bytes(), content_type=_STATIC[name])
