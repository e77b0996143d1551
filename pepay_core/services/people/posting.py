"""Links for people: by mail where a plugin sends it, else to whoever asked. Their address comes from the configuration alone."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from pepay_core.services.mailing import Mailing
    from pepay_core.services.ports import Transaction


class Posting:
    """Makes links, and has them sent."""

    def __init__(self, mailing: Mailing | None, base_url: str) -> None:
        self._mailing = mailing
        self._base_url = base_url.rstrip("/")
        self.server = urlsplit(base_url).netloc.rpartition("@")[2]
        """What this server is called in letters."""

    @property
    def can_send(self) -> bool:
        """Whether a running plugin sends mail."""
        return self._mailing is not None and self._mailing.can_send

    async def post(self, tx: Transaction, to: str, kind: str, path: str, token: str, values: Mapping[str, object], good_for: timedelta) -> str | None:
        """Have a link sent if the transaction commits; return it where nothing sends mail, to be passed on."""
        link = f"{self._base_url}{path}?token={token}"
        if self._mailing is None or not self._mailing.can_send:
            return link
        await self._mailing.queue(tx, to, kind, {**values, "link": link}, good_for=good_for)
        return None

    async def tell(self, tx: Transaction, to: str, kind: str, values: Mapping[str, object]) -> None:
        """Have a letter without a link sent, where something sends mail."""
        if self._mailing is not None and self._mailing.can_send:
            await self._mailing.queue(tx, to, kind, values)
