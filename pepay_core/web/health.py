"""Whether the server lives and is ready, and its numbers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

from litestar import Request, Response, get

from pepay_core.domain.coverage import ChainHealth
from pepay_core.domain.errors import PePayError
from pepay_core.domain.jsontext import encode
from pepay_core.plugins.lifecycle import PluginState
from pepay_core.web.operations import ANYBODY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pepay_core.runtime import Runtime

_PATIENCE: Final = 5.0
_WORKING: Final = frozenset({PluginState.RUNNING, PluginState.DEGRADED, PluginState.CONFIGURED, PluginState.MIGRATED})


@get("/health/live", opt={"access": ANYBODY}, sync_to_thread=False)
def live() -> dict[str, str]:
    """Tell that the process answers."""
    return {"status": "live"}


@get("/health/ready", opt={"access": ANYBODY})
async def ready(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Tell whether requests can be served: 503 while the database or a required plugin is not there; the body lists every part."""
    found = await _health(cast("Runtime", request.app.state.runtime))
    return Response(encode(found), status_code=200 if found["status"] == "ready" else 503, media_type="application/json")


async def _health(runtime: Runtime) -> dict[str, Any]:
    database = await _database(runtime)
    plugins = {name: str(status.state) for name, status in runtime.assembly.statuses.items()}
    missing = [name for name in runtime.settings.plugins.required if plugins.get(name) not in _WORKING]
    states = {chain: runtime.heads.get(chain) for chain in runtime.catalogue.chains}
    return {
        "status": "ready" if database == "ready" and not missing else "not_ready",
        "database": database,
        "plugins": plugins,
        "missing_plugins": missing,
        "chains": {chain: str(state.health) if state else str(ChainHealth.STARTING) for chain, state in states.items()},
    }


async def _database(runtime: Runtime) -> str:
    try:
        async with asyncio.timeout(_PATIENCE), runtime.store.read() as tx:
            await tx.merchants.all()
    except (PePayError, TimeoutError, OSError):
        return "unreachable"
    return "ready"


@get("/metrics", opt={"access": ANYBODY}, sync_to_thread=False)
def metrics(request: Request[Any, Any, Any]) -> Response[str]:
    """Return numbers for Prometheus."""
    runtime = cast("Runtime", request.app.state.runtime)
    lines = [*_requests(request.app.state.counted), *_chains(runtime), *_plugins(runtime)]
    return Response("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


def _requests(counted: Mapping[tuple[str, int], int]) -> Iterator[str]:
    yield from _family("pepay_requests_total", "counter", "Requests answered by this process.")
    for (method, status), count in sorted(counted.items()):
        yield f'pepay_requests_total{{method="{method}",status="{status}"}} {count}'


def _chains(runtime: Runtime) -> Iterator[str]:
    states = {chain: state for chain in runtime.catalogue.chains if (state := runtime.heads.get(chain))}
    yield from _family("pepay_chain_healthy", "gauge", "Whether the chain's watcher reaches a healthy node.")
    for chain, state in states.items():
        yield f'pepay_chain_healthy{{chain="{chain}"}} {int(state.health.usable)}'
    yield from _family("pepay_chain_tip", "gauge", "The height of the newest block seen.")
    for chain, state in states.items():
        if state.tip is not None:
            yield f'pepay_chain_tip{{chain="{chain}"}} {state.tip}'


def _plugins(runtime: Runtime) -> Iterator[str]:
    yield from _family("pepay_plugin_running", "gauge", "Whether the plugin takes part.")
    for name, status in runtime.assembly.statuses.items():
        yield f'pepay_plugin_running{{plugin="{name}"}} {int(status.state in _WORKING)}'


def _family(name: str, kind: str, told: str) -> Iterable[str]:
    return (f"# HELP {name} {told}", f"# TYPE {name} {kind}")


HANDLERS: Final = (live, ready, metrics)
