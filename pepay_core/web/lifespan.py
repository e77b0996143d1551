"""The runtime lives as long as the server does."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

from pepay_core.services.idempotency import Remembering
from pepay_core.web.browsers import Browsers
from pepay_core.web.mount import mount

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from litestar import Litestar

    from pepay_core.runtime import Runtime

RuntimeFactory: TypeAlias = "Callable[[], AbstractAsyncContextManager[Runtime]]"


def lifespan(factory: RuntimeFactory) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """Return what enters the runtime when the server starts, and leaves it when the server stops."""

    @asynccontextmanager
    async def running(app: Litestar) -> AsyncIterator[None]:
        async with factory() as runtime:
            app.state.runtime = runtime
            app.state.remembering = Remembering(runtime.store, runtime.clock, runtime.vault)
            app.state.browsers = Browsers(runtime.vault, runtime.settings.server.base_url)
            app.state.allowances.share(runtime.store.shared_counts())
            mount(app, runtime.assembly)
            yield

    return running
