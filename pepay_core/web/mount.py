"""Plugins' routes below ``/x/<plugin>``: each tried on an application of its own first, so that a broken one costs its plugin only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Litestar, Router
from litestar.handlers import BaseRouteHandler
from litestar.openapi.config import OpenAPIConfig

from pepay_core.plugins.problems import Stage, told
from pepay_core.web.guards import PLUGIN

if TYPE_CHECKING:
    from pepay_core.plugins.lifecycle import Assembly


class Misfit(Exception):
    """What a plugin gave cannot be mounted; the text says why."""


def mount(app: Litestar, assembly: Assembly) -> None:
    """Mount what the plugins' ``pepay_routes`` give, and quarantine those whose routes do not work."""
    given: dict[str, list[object]] = {}
    for contribution in assembly.host.collect("pepay_routes", object):
        given.setdefault(contribution.plugin, []).append(contribution.value)
    for plugin, routes in given.items():
        try:
            probe(plugin, routes)
            app.register(_router(plugin, routes))
        except KeyboardInterrupt:
            raise
        except BaseException as exc:  # noqa: BLE001 - somebody else's code may raise anything, SystemExit included
            reason = str(exc) if isinstance(exc, Misfit) else f"its routes cannot be mounted: {told(exc)}"
            assembly.quarantine(plugin, Stage.CONTRIBUTE, reason, "annotate every parameter of its handlers, or take the routes out")


def probe(plugin: str, routes: list[object]) -> None:
    """Raise unless the routes make a working application, schema included, with one handler for each path and method."""
    for each in routes:
        if not isinstance(each, BaseRouteHandler | Router):
            raise Misfit(f"pepay_routes gave a {type(each).__name__}, which is neither a Litestar handler nor a router")
    throwaway = Litestar([_router(plugin, routes)], openapi_config=OpenAPIConfig(title=plugin, version="0"))
    throwaway.openapi_schema.to_schema()
    taken: set[tuple[str, str]] = set()
    for route in throwaway.routes:
        for handler in _handlers(route):
            for method in sorted(getattr(handler, "http_methods", {"ASGI"})):
                if route.path.startswith(f"/x/{plugin}") and (route.path, method) in taken and method != "OPTIONS":
                    raise Misfit(f"two handlers answer {method} {route.path}")
                taken.add((route.path, method))


def _handlers(route: Any) -> list[Any]:
    return list(getattr(route, "route_handlers", None) or [route.route_handler])


def _router(plugin: str, routes: list[Any]) -> Router:
    """Return a router that may be made more than once: Litestar copies what it registers."""
    return Router(f"/x/{plugin}", route_handlers=routes, opt={"access": PLUGIN})
