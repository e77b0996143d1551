from __future__ import annotations

import types

import pytest
from litestar import Router, get, post

from pepay_core.plugins.lifecycle import PluginState, PluginStatus


def plugin(routes):
    """Return a plugin module whose routes are what a test gives."""
    module = types.ModuleType("pepay_fake")
    from pepay_core.hookspecs import hookimpl

    @hookimpl
    def pepay_routes(ctx):
        return routes() if callable(routes) else routes

    module.pepay_routes = pepay_routes
    return module


@get("/hello", sync_to_thread=False)
def hello() -> str:
    return "hello"


@get("/hello", sync_to_thread=False)
def hello_again() -> str:
    return "again"


@get("/broken", sync_to_thread=False)
def unannotated(name) -> str:
    return name


@post("/echo")
async def failing() -> None:
    raise RuntimeError("the password is swordfish")


async def mounted(open_web, **plugins):
    """Open the application with plugins that bring routes."""

    def prepare(assembly):
        for name, routes in plugins.items():
            assembly.statuses[name] = PluginStatus(name, f"pepay-{name}", "1", PluginState.RUNNING)
            assert assembly.host.register(name, plugin(routes), None)

    return open_web(prepare=prepare)


async def test_a_plugins_routes_are_mounted_below_its_name(open_web):
    async with await mounted(open_web, acme=[hello, Router("/more", route_handlers=[hello])]) as web:
        assert (await web.client.get("/x/acme/hello")).text == "hello"
        assert (await web.client.get("/x/acme/more/hello")).text == "hello"
        answer = await web.client.get("/x/acme/hello")
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "routes",
    [
        [hello, hello_again],
        [unannotated],
        ["text"],
        [object()],
        lambda: 1 / 0,
        [Router("/a", route_handlers=[hello]), Router("/a", route_handlers=[hello_again])],
    ],
    ids=["twice", "unannotated", "text", "object", "raises", "twice below"],
)
async def test_routes_that_do_not_work_cost_their_plugin_and_nothing_else(open_web, routes):
    async with await mounted(open_web, bad=routes, good=[hello]) as web:
        assert (await web.client.get("/x/good/hello")).text == "hello"
        assert (await web.client.get("/x/bad/hello")).status_code == 404
        assert (await web.get("/api/v1/merchant")).status_code == 200
        status = web.runtime.assembly.host.quarantined["bad"]
        assert status.reason
        assert status.hint


async def test_a_route_that_fails_tells_nothing(open_web):
    async with await mounted(open_web, acme=[failing]) as web:
        answer = await web.client.post("/x/acme/echo")
        assert answer.status_code == 500
        assert "swordfish" not in answer.text
