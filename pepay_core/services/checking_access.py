"""What `pepay doctor` looks at where people and shops come in: keys that are about to expire, letters that did not arrive."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pepay_core.contracts.check import Check, Finding, Verdict
from pepay_core.domain.mails import MailState

if TYPE_CHECKING:
    from pepay_core.contracts.context import Clock
    from pepay_core.services.ports import Store

_SOON: Final = timedelta(days=14)
_IN_USE: Final = timedelta(days=30)


class KeysCheck(Check):
    """Whether a key that is in use is about to expire: a shop would stop selling."""

    name = "keys"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def run(self) -> list[Finding]:
        """Look for keys that were used lately and expire soon."""
        now = self._clock.now()
        async with self._store.read() as tx:
            expiring = await tx.keys.expiring(now, now + _SOON)
        used = [key for key in expiring if key.last_used_at is not None and now - key.last_used_at <= _IN_USE]
        return [
            Finding(
                Verdict.WARNING,
                f"key {key.id}",
                f"{key.name} is in use and expires {key.expires_at:%Y-%m-%d %H:%M} UTC",
                f"replace it with `pepay key rotate {key.id}`",
            )
            for key in used
        ] or [Finding(Verdict.OK, "keys", f"none that is in use expires within {_SOON.days} days")]


class MailCheck(Check):
    """Whether letters arrive."""

    name = "letters"

    def __init__(self, store: Store, *, can_send: bool) -> None:
        self._store = store
        self._can_send = can_send

    async def run(self) -> list[Finding]:
        """Count those that wait and those that were given up."""
        async with self._store.read() as tx:
            numbers = await tx.mails.numbers()
        findings: list[Finding] = []
        if numbers[MailState.FAILED]:
            findings.append(
                Finding(
                    Verdict.WARNING,
                    "letters",
                    f"{numbers[MailState.FAILED]} could not be sent",
                    "`pepay mail list --failed` says why; `pepay mail retry` sends one again",
                )
            )
        if numbers[MailState.PENDING] and not self._can_send:
            findings.append(
                Finding(
                    Verdict.WARNING, "letters", f"{numbers[MailState.PENDING]} wait, and no running plugin sends mail", "configure [plugin.email]"
                )
            )
        return findings or [
            Finding(Verdict.OK, "letters", f"{numbers[MailState.SENT]} sent in the last month, {numbers[MailState.PENDING]} on the way")
        ]
