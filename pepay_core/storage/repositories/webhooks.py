"""Webhook endpoints."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pepay_core.domain.endpoints import Endpoint
from pepay_core.domain.errors import ConfigError
from pepay_core.storage.codecs import from_json, to_json
from pepay_core.storage.repositories.rows import Repository, missing
from pepay_core.storage.sealed import TARGET
from pepay_core.storage.tables import EndpointRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from pepay_core.domain.ids import EndpointId, MerchantId
    from pepay_core.services.paging import Page, Slice
    from pepay_core.storage.sessions import Session

log = logging.getLogger(__name__)


class EndpointRepository(Repository):
    """Webhook endpoints."""

    async def add(self, endpoint: Endpoint) -> None:
        await self._insert(EndpointRow, _endpoint_row(endpoint, self._session))

    async def get(self, merchant: MerchantId, endpoint: EndpointId, *, livemode: bool, lock: bool = False) -> Endpoint:
        scope = _scope(merchant, livemode=livemode)
        return endpoint_of(await self._get(EndpointRow, "webhook endpoint", endpoint, *scope, lock=lock), self._session)

    async def find(self, endpoint: EndpointId, *, lock: bool = False) -> Endpoint | None:
        row = await self._find(EndpointRow, endpoint, lock=lock)
        return endpoint_of(row, self._session) if row else None

    async def page(self, merchant: MerchantId, *, livemode: bool, page: Page) -> Slice[Endpoint]:
        scope = _scope(merchant, livemode=livemode)
        return await self._page(EndpointRow, EndpointRow.id, page, lambda row: endpoint_of(row, self._session), scope=scope)

    async def active(self, merchant: MerchantId, *, livemode: bool) -> list[Endpoint]:
        where = [*_scope(merchant, livemode=livemode), EndpointRow.disabled_at.is_null()]
        return [endpoint_of(row, self._session) for row in await self._select(EndpointRow, *where, order=[EndpointRow.id], keep=True)]

    async def hold(self, endpoints: Collection[EndpointId]) -> dict[EndpointId, Endpoint]:
        # In the order of their ids, so that two who hold several never wait for each other.
        rows = await self._select(EndpointRow, EndpointRow.id.is_in(sorted(endpoints)), order=[EndpointRow.id], lock=True) if endpoints else []
        return {row["id"]: endpoint_of(row, self._session) for row in rows}

    async def among(self, endpoints: Collection[EndpointId]) -> dict[EndpointId, Endpoint]:
        return {row["id"]: endpoint_of(row, self._session) for row in await self._of(EndpointRow, EndpointRow.id, endpoints)}

    async def save(self, endpoint: Endpoint) -> None:
        if not await self._update(EndpointRow, _endpoint_row(endpoint, self._session), EndpointRow.id == endpoint.id):
            raise missing("webhook endpoint", endpoint.id)

    async def delete(self, merchant: MerchantId, endpoint: EndpointId, *, livemode: bool) -> None:
        """Delete it with its deliveries and their attempts."""
        sql = "DELETE FROM pepay_endpoint WHERE id = {} AND merchant = {} AND livemode = {} RETURNING id"
        if not await self._raw(sql, endpoint, merchant, livemode):
            raise missing("webhook endpoint", endpoint)


def _scope(merchant: MerchantId, *, livemode: bool) -> list[Any]:
    return [EndpointRow.merchant == merchant, EndpointRow.livemode.eq(livemode)]


def _endpoint_row(endpoint: Endpoint, session: Session) -> dict[str, Any]:
    row = {
        "id": endpoint.id,
        "merchant": endpoint.merchant,
        "livemode": endpoint.livemode,
        "scheme": endpoint.scheme,
        "events": to_json(endpoint.events),
        "secret": endpoint.secret,
        "created_at": endpoint.created_at,
        "description": endpoint.description,
        "previous_secret": endpoint.previous_secret,
        "previous_until": endpoint.previous_until,
        "failing_since": endpoint.failing_since,
        "disabled_at": endpoint.disabled_at,
        "disabled_reason": endpoint.disabled_reason,
    }
    # What could not be read is not written over.
    return {**row, "url": "", "target": session.seal(TARGET, endpoint.id, endpoint.url)} if endpoint.url else row


def endpoint_of(row: dict[str, Any], session: Session) -> Endpoint:
    """Return an endpoint from its row."""
    fields = {name: value for name, value in row.items() if name != "target"}
    try:
        url = session.opened(TARGET, row["id"], row["target"], row["url"])
    except ConfigError as exc:
        # Nothing can be sent there. What its merchant does otherwise, being paid above all, does not depend on it.
        log.error("where the endpoint %s is cannot be read: %s", row["id"], exc)  # noqa: TRY400 - where says nothing
        url = ""
    return Endpoint(**{**fields, "url": url, "events": tuple(from_json(row["events"]))})
