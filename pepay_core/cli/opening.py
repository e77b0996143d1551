"""The engine for one command: nothing of it works in the background, and its database is one that this code can read."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pepay_core.cli.invocation import Invocation
    from pepay_core.runtime import Runtime


@contextlib.asynccontextmanager
async def opened(invocation: Invocation) -> AsyncIterator[Runtime]:
    """Open the engine for the time of the block; raises ConfigError where `pepay migrate` has to come first."""
    from pepay_core.runtime import Runtime
    from pepay_core.storage.migrating import insist_migrated

    settings = invocation.settings
    await insist_migrated(settings.database_url, settings.database_name)
    async with Runtime.open(settings, workers=False, environ=invocation.environ) as runtime:
        yield runtime
