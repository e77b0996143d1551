"""Letters to the owners of a merchant when something of theirs has stopped."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pepay_core.domain.errors import ConfigError, InvalidInput
from pepay_core.domain.roles import Role
from pepay_core.services.people.addressing import Emails

if TYPE_CHECKING:
    from pepay_core.domain.endpoints import Endpoint
    from pepay_core.secrets import Vault
    from pepay_core.services.mailing import Mailing
    from pepay_core.services.ports import Transaction

log = logging.getLogger(__name__)

_REASONS: Final = {
    "gone": "it answered that it wants no more deliveries (410)",
    "failing": "every delivery to it has failed for 72 hours",
}


class Noticing:
    """Writes to owners, in the transaction of what they are told. Where nothing sends mail, nothing is written."""

    def __init__(self, mailing: Mailing, vault: Vault) -> None:
        self._mailing = mailing
        self._emails = Emails(vault)

    async def endpoint_disabled(self, tx: Transaction, endpoint: Endpoint) -> None:
        """Tell every owner that an endpoint was disabled, and how it comes back."""
        if not self._mailing.can_send:
            return
        merchant = await tx.merchants.get(endpoint.merchant)
        values = {
            "merchant": merchant.name,
            "url": _shown(endpoint),
            "endpoint": endpoint.id,
            "reason": _REASONS.get(endpoint.disabled_reason or "", "it cannot be delivered to"),
            "environment": "live" if endpoint.livemode else "test",
        }
        for member in await tx.members.of(endpoint.merchant):
            user = await tx.users.find(member.user) if member.role is Role.OWNER else None
            if user is None or user.suspended_at is not None:
                continue
            try:
                await self._mailing.queue(tx, self._emails.open(user.id, user.email), "endpoint_disabled", values)
            except (InvalidInput, ConfigError):
                # What becomes of the endpoint does not depend on whether somebody can be written to.
                log.warning("user %s has no address that mail can be sent to", user.id)


def _shown(endpoint: Endpoint) -> str:
    """Return where an endpoint is, without what in its URL may be a secret."""
    parts = urlsplit(endpoint.url)
    return f"{parts.scheme}://{parts.hostname}" if parts.hostname else "a mail address"
