"""The one engine that Piccolo knows: it runs every query in the unit of work of the running task, on whatever engine that is."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn

from piccolo.engine.base import Engine

from pepay_core.storage.sessions import current

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from piccolo.querystring import QueryString

# Tables that name no engine, as those of plugins and migrations do, are led to ours; a configuration of somebody else's must not catch them.
os.environ["PICCOLO_CONF"] = "pepay_core.storage.piccolo_conf"

# What Piccolo asks for before it writes ON CONFLICT and RETURNING; opening insists on the real version.
_VERSION: Final = 3.35


class UnitOfWorkEngine(Engine[Any]):
    """Has no connection of its own, and no transactions: both come with the unit of work."""

    def __init__(self) -> None:
        self.log_queries = False
        self.log_responses = False
        self.query_id = 0

    @property
    def engine_type(self) -> str:  # type: ignore[override]
        """The dialect of the open unit of work."""
        return current().dialect

    async def get_version(self) -> float:
        """Return what Piccolo wants to hear."""
        return _VERSION

    def get_version_sync(self) -> float:
        """Return what Piccolo wants to hear."""
        return _VERSION

    async def prep_database(self) -> None:
        """Need nothing."""

    async def run_querystring(self, querystring: QueryString, in_pool: bool = True) -> Any:  # noqa: ARG002
        """Run a query in the open unit of work."""
        session = current()
        return await session.execute(*querystring.compile_string(engine_type=session.dialect))

    async def run_ddl(self, ddl: str, in_pool: bool = True) -> Any:  # noqa: ARG002
        """Run a definition in the open unit of work."""
        return await current().execute(ddl)

    @asynccontextmanager
    async def transaction(self, *_: Any, **__: Any) -> AsyncIterator[None]:
        """Join the open unit of work: a migration asks for a transaction, and is in one."""
        current().check()
        yield

    def atomic(self) -> NoReturn:
        """Refuse: there is one way to be atomic."""
        raise RuntimeError("use a unit of work: `async with store.begin()`")

    async def batch(self, query: Any, batch_size: int = 100, node: str | None = None) -> NoReturn:  # noqa: ARG002
        """Refuse: pages are read by key."""
        raise RuntimeError("read pages by key instead")


ENGINE: Final = UnitOfWorkEngine()
