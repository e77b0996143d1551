"""``pepay listen``: events on a developer's own machine, as they happen and signed as webhooks are."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from pepay_core.cli.invocation import Invocation, pass_invocation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pepay_core.cli.following import Told
    from pepay_core.contracts.notifier import Notifier

KEY_VARIABLE: Final = "PEPAY_API_KEY"
_SCOPE: Final = "webhooks:read"


@click.command()
@click.option("--forward-to", metavar="URL", help="Where each event is POSTed, such as http://localhost:3000/hook; printed only when not given.")
@click.option("--events", "types", default="*", show_default=True, help="Which types, with commas between: invoice.paid,payment.*")
@click.option("--server", metavar="URL", help="Whose events; the server of this configuration when not given.")
@click.option("--api-key", metavar="KEY", help=f"A key with {_SCOPE}; better in {KEY_VARIABLE}. Without one, a key is made for the time being.")
@click.option("--secret", metavar="WHSEC", help="Sign with this secret in place of the one that is printed.")
@click.option("--merchant", metavar="ID", help="Whose events, where no key says it; may be left out while there is one merchant.")
@click.option("--json", "json_", is_flag=True, help="Print one JSON object a line.")
@pass_invocation
def listen(
    invocation: Invocation,
    *,
    forward_to: str | None,
    types: str,
    server: str | None,
    api_key: str | None,
    secret: str | None,
    merchant: str | None,
    json_: bool,
) -> int:
    """Follow events and forward them to a URL, as webhooks that need no public address.

    Each is signed with the secret that is printed at the beginning, which stays the same. Ends with Ctrl-C.
    """
    from pepay_core.domain.events import is_filter

    wanted = ",".join(filter(None, (each.strip() for each in types.split(","))))
    wrong = [each for each in wanted.split(",") if not is_filter(each)]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is neither an event type nor the first part of one with .*", param_hint="--events")
    key = api_key or invocation.environ.get(KEY_VARIABLE)
    _check(forward_to, server, key, secret)
    wishes = _Wishes(forward_to, wanted, server, key, secret, merchant, _Printer(json_=json_))
    return asyncio.run(_until_told_to_stop(_listen(invocation, wishes)))


@dataclass(frozen=True)
class _Wishes:
    forward_to: str | None
    types: str
    server: str | None
    key: str | None
    secret: str | None
    merchant: str | None
    printer: _Printer


def _check(forward_to: str | None, server: str | None, key: str | None, secret: str | None) -> None:
    from pepay_core.domain.errors import Refused
    from pepay_core.egress import check_url

    for name, url in (("--forward-to", forward_to), ("--server", server)):
        if url is not None:
            try:
                check_url(url, allow_private=True)
            except Refused as exc:
                raise click.BadParameter(exc.message, param_hint=name) from None
    if server is not None and key is None:
        raise click.UsageError(f"--server needs a key of that server, in {KEY_VARIABLE} or --api-key")
    if secret is not None and not _is_secret(secret):
        raise click.BadParameter("must be whsec_ followed by base64 of at least 16 bytes", param_hint="--secret")


def _is_secret(text: str) -> bool:
    try:
        return text.startswith("whsec_") and len(base64.b64decode(text.removeprefix("whsec_"), validate=True)) >= 16
    except ValueError:
        return False


async def _until_told_to_stop(work: Any) -> int:
    """Run until the work ends, or somebody says that it is enough, which is no failure."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return 0
    finally:
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(each)
    return 0


async def _listen(invocation: Invocation, wishes: _Wishes) -> None:
    from pepay_core.cli.following import Follower
    from pepay_core.clock import SystemClock
    from pepay_core.http import AiohttpClient

    clock, printer = SystemClock(), wishes.printer
    async with AiohttpClient(allow_private=True) as http, _key(invocation, wishes) as (key, secret):
        server = wishes.server or invocation.settings.server.base_url
        notifier = _notifier(http, clock)
        printer.begin(server, wishes.forward_to, secret)
        follower = Follower(http, clock, server, key, wishes.types, printer.remark)
        async with contextlib.aclosing(follower.events()) as events:  # type: ignore[type-var]
            async for told in events:
                if wishes.forward_to is None:
                    printer.told(told)
                else:
                    printer.forwarded(told, *await _forward(notifier, wishes.forward_to, told, secret))


@contextlib.asynccontextmanager
async def _key(invocation: Invocation, wishes: _Wishes) -> AsyncIterator[tuple[str, str]]:
    """Give the key that was given, or one that lives as long as the command, and the secret that belongs to it."""
    if wishes.key is not None:
        yield wishes.key, wishes.secret or _secret(wishes.key.encode())
        return
    from pepay_core.cli.keys import opened_keys, owner_of, whose
    from pepay_core.secrets import open_vault
    from pepay_core.services.keeping_keys import KeyRequest
    from pepay_core.services.unlocking import unlock

    async with opened_keys(invocation) as (store, keys):
        merchant = await whose(store, wishes.merchant)
        async with store.begin() as tx:
            made, text = await keys.issue(tx, merchant, KeyRequest("pepay listen", (_SCOPE,), 24 * 3600), livemode=False)
        vault = open_vault(invocation.settings, invocation.environ)
        await unlock(store, vault)
        seed = vault.derive("listen") + merchant.encode()
        try:
            yield text, wishes.secret or _secret(seed)
        finally:
            await asyncio.shield(keys.revoke(await owner_of(store, made.id, None), made.id))


def _secret(seed: bytes) -> str:
    """Return a signing secret that is the same for the same seed, and says nothing of it."""
    return f"whsec_{base64.b64encode(hmac.digest(seed, b'pepay listen', hashlib.sha256)).decode()}"


def _notifier(http: Any, clock: Any) -> Notifier:
    """Return the notifier that sends webhooks, so that what is forwarded differs in nothing from what a server sends."""
    from pepay_core.domain.errors import ConfigError
    from pepay_core.plugins.lifecycle import assemble
    from pepay_core.settings import PluginsSettings, Settings

    assembly = assemble(Settings(plugins=PluginsSettings(enabled=("webhook-hmac",))), clock=clock, http=http, strict=False)
    notifier = assembly.catalogue.notifiers.get("webhook")
    if notifier is None:
        raise ConfigError("the plugin webhook-hmac is not installed, and without it nothing is signed", hint="pip install pepay-webhook-hmac")
    return notifier


async def _forward(notifier: Notifier, url: str, told: Told, secret: str) -> tuple[int | None, str | None, int]:
    """POST an event; return the status, what went wrong, and the milliseconds that it took."""
    from pepay_core.clock import SystemClock
    from pepay_core.contracts.notifier import Delivery
    from pepay_core.domain.errors import GiveUp, Refused, Unavailable

    clock = SystemClock()
    delivery = Delivery(
        id=told.id,
        event_id=told.id,
        event_type=told.type,
        livemode=told.envelope()["livemode"],
        url=url,
        body=told.body,
        attempt=1,
        at=clock.now(),
        secrets=(secret,),
    )
    started, error, receipt = clock.monotonic(), None, None
    try:
        receipt = await notifier.deliver(delivery)
    except (Unavailable, Refused, GiveUp) as exc:
        error, receipt = str(exc), getattr(exc, "receipt", None)
    return getattr(receipt, "status", None), error, round((clock.monotonic() - started) * 1000)


class _Printer:
    """Says what happens: events on standard output, everything else on standard error."""

    def __init__(self, *, json_: bool) -> None:
        self._json = json_

    def begin(self, server: str, forward_to: str | None, secret: str) -> None:
        if self._json:
            self._line({"type": "listening", "server": server, "forward_to": forward_to, "secret": secret if forward_to else None})
            return
        click.echo(f"Following {server}", err=True)
        if forward_to:
            click.echo(f"Forwarding to {forward_to}, signed with {secret}", err=True)

    def remark(self, text: str) -> None:
        if self._json:
            self._line({"type": "connection", "message": text})
        else:
            click.echo(text.capitalize() if text == "ready" else text, err=True)

    def told(self, told: Told) -> None:
        if self._json:
            self._line({"type": "event", "event": told.envelope()})
        else:
            click.echo(f"{time.strftime('%H:%M:%S')}  {told.type.ljust(24)} {told.id}  {_subject(told)}")

    def forwarded(self, told: Told, status: int | None, error: str | None, milliseconds: int) -> None:
        if self._json:
            self._line({"type": "forwarded", "event": told.envelope(), "status": status, "error": error, "duration_ms": milliseconds})
            return
        outcome = f"[{status}]" if error is None else f"[{status}] {error}" if status else f"failed: {error}"
        click.echo(f"{time.strftime('%H:%M:%S')}  {told.type.ljust(24)} {told.id}  {_subject(told)} -> {outcome} {milliseconds} ms")

    @staticmethod
    def _line(value: dict[str, Any]) -> None:
        import json

        click.echo(json.dumps(value, ensure_ascii=False))


def _subject(told: Told) -> str:
    return str(told.envelope()["data"]["object"].get("id", ""))
