"""Plugins' routes below ``/x/<plugin>``: each tried on an application of its own first, so that a broken one costs its plugin only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from litestar import Litestar, Router
from litestar.handlers import BaseRouteHandler
from litestar.openapi.config import OpenAPIConfig

from pepay_core.plugins.problems import Stage, told
from pepay_core.web.guards import PLUGIN

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    # Litestar keeps the last of two handlers for the same thing, and says nothing.
    taken: set[tuple[str, str]] = set()
    for claim in (claim for each in routes for claim in _claims(each)):
        if claim in taken:
            raise Misfit(f"two handlers answer {claim[1]} {claim[0]}")
        taken.add(claim)
    throwaway = Litestar([_router(plugin, routes)], openapi_config=OpenAPIConfig(title=plugin, version="0"), logging_config=None)
    throwaway.openapi_schema.to_schema()


def _claims(given: Any) -> Iterator[tuple[str, str]]:
    """Return the paths and methods that a handler or a router answers."""
    if isinstance(given, Router):
        for route in given.routes:
            handlers = getattr(route, "route_handlers", None) or [cast("Any", route).route_handler]
            # OPTIONS is Litestar's own, for each path.
            methods = {method for handler in handlers for method in getattr(handler, "http_methods", {"ANY"})} - {"OPTIONS"}
            yield from ((route.path, method) for method in methods)
    else:
        yield from ((path, method) for path in given.paths for method in getattr(given, "http_methods", {"ANY"}))


def _router(plugin: str, routes: list[Any]) -> Router:
    """Return a router that may be made more than once: Litestar copies what it registers."""
    return Router(f"/x/{plugin}", route_handlers=routes, opt={"access": PLUGIN})
