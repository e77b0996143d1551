"""``pepay doctor``: everything that could be wrong, each with what to do about it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from pepay_core.cli.invocation import Invocation, as_json, pass_invocation
from pepay_core.contracts.check import Finding, Verdict
from pepay_core.domain.errors import ConfigError, PePayError

if TYPE_CHECKING:
    from pepay_core.contracts.check import Check
    from pepay_core.plugins.lifecycle import Assembly
    from pepay_core.settings import Settings

_SIGNS = {Verdict.OK: ("ok", "green"), Verdict.WARNING: ("warning", "yellow"), Verdict.PROBLEM: ("PROBLEM", "red")}


@click.command()
@click.option("--json", "json_", is_flag=True, help="Print for machines.")
@pass_invocation
@click.pass_context
def doctor(ctx: click.Context, invocation: Invocation, *, json_: bool) -> None:
    """Look at the configuration, database, plugins, chains, rates, merchants and ledger; exit with 1 when there is a problem."""
    # What goes wrong is told below, once, with its remedy.
    logging.getLogger("pepay_core").addHandler(logging.NullHandler())
    logging.getLogger("pepay").addHandler(logging.NullHandler())
    findings = asyncio.run(_examine(invocation))
    if json_:
        as_json([{**asdict(each), "verdict": str(each.verdict)} for each in findings])
    else:
        for each in findings:
            word, colour = _SIGNS[each.verdict]
            click.echo(f"{click.style(word.ljust(8), fg=colour)} {each.subject}: {each.message}")
            if each.remedy:
                click.echo(f"         -> {each.remedy}")
    if any(each.verdict is Verdict.PROBLEM for each in findings):
        ctx.exit(1)


async def _examine(invocation: Invocation) -> list[Finding]:
    try:
        settings = invocation.settings
    except ConfigError as exc:
        return [Finding(Verdict.PROBLEM, "configuration", exc.message, exc.hint or "correct the file")]
    name = str(settings.config_path) if settings.config_path else "defaults and environment, there is no pepay.toml here"
    findings = [Finding(Verdict.OK, "configuration", name)]
    findings += _secrets(settings, invocation)

    from pepay_core.clock import SystemClock
    from pepay_core.http import AiohttpClient
    from pepay_core.plugins.lifecycle import assemble, rehearse
    from pepay_core.services.checking import examine

    clock = SystemClock()
    async with AiohttpClient(allow_private=settings.webhooks.allow_private) as http:
        try:
            assembly = assemble(settings, clock=clock, http=http, strict=False)
        except ConfigError as exc:
            return [*findings, Finding(Verdict.PROBLEM, "plugins", exc.message, exc.hint or "see `pepay plugin list`")]
        rehearse(assembly)
        findings += _plugins(assembly, settings)
        findings += await examine(_checks(assembly, settings))
        findings += await _stored(assembly, settings, invocation)
    return findings


def _secrets(settings: Settings, invocation: Invocation) -> list[Finding]:
    from pepay_core.secrets import open_vault

    try:
        open_vault(settings, invocation.environ)
    except ConfigError as exc:
        return [Finding(Verdict.PROBLEM, "secrets", exc.message, exc.hint or "run `pepay init`")]
    return [Finding(Verdict.OK, "secrets", f"the master key comes from the {settings.secrets.driver} driver")]


def _plugins(assembly: Assembly, settings: Settings) -> list[Finding]:
    findings: list[Finding] = []
    for status in assembly.statuses.values():
        if status.reason and status.state != "available":
            required = status.name in settings.plugins.required
            verdict = Verdict.PROBLEM if required or status.state in {"refused", "quarantined"} else Verdict.WARNING
            findings.append(Finding(verdict, f"plugin {status.name}", status.reason, status.hint or "see `pepay plugin show`"))
    running = ", ".join(assembly.host.plugins)
    return [
        *findings,
        Finding(
            Verdict.OK if assembly.host.plugins else Verdict.PROBLEM,
            "plugins",
            f"taking part: {running}",
            "" if assembly.host.plugins else "pip install pepay",
        ),
    ]


def _checks(assembly: Assembly, settings: Settings) -> list[Check]:
    from pepay_core.clock import SystemClock
    from pepay_core.contracts.check import Check
    from pepay_core.runtime import rate_rules
    from pepay_core.services.checking import ChainsCheck, RatesCheck, ServerCheck
    from pepay_core.services.checking_exposure import ExposureCheck
    from pepay_core.services.pricing import RateDesk

    rules = rate_rules(settings)
    desk = RateDesk(assembly.catalogue.rate_providers, clock=SystemClock(), settings=rules)
    server = ServerCheck(settings.server.base_url, allow_private=settings.webhooks.allow_private)
    own: list[Check] = [server, ExposureCheck(settings), ChainsCheck(assembly.catalogue), RatesCheck(rules, assembly.catalogue, desk)]
    return own + [given.value for given in assembly.host.collect("pepay_checks", Check)]


async def _stored(assembly: Assembly, settings: Settings, invocation: Invocation) -> list[Finding]:
    from pepay_core.clock import SystemClock
    from pepay_core.secrets import open_vault
    from pepay_core.services.checking import DatabaseCheck, LedgerCheck, MerchantsCheck, examine
    from pepay_core.services.checking_access import KeysCheck, MailCheck
    from pepay_core.services.checking_processes import ProcessesCheck
    from pepay_core.services.mailing import SCHEME
    from pepay_core.services.unlocking import unlock
    from pepay_core.storage.migrating import is_empty, pending
    from pepay_core.storage.opening import open_store, sqlite_path

    try:
        if await is_empty(settings.database_url):
            return [Finding(Verdict.PROBLEM, "database", f"{settings.database_name} is empty", "run `pepay init`, or `pepay migrate`")]
        missing = await pending(settings.database_url, assembly.piccolo_apps)
        if missing:
            return [Finding(Verdict.PROBLEM, "database", f"{len(missing)} migrations are pending: {', '.join(missing)}", "run `pepay migrate`")]
        async with open_store(settings.database_url, SystemClock()) as store:
            await unlock(store, open_vault(settings, invocation.environ))
            return await examine(
                [
                    DatabaseCheck(store, settings.database_name),
                    *([ProcessesCheck(sqlite_path(settings.database_url))] if settings.database_url.startswith("sqlite") else []),
                    MerchantsCheck(store, assembly.catalogue),
                    LedgerCheck(store),
                    KeysCheck(store, SystemClock()),
                    MailCheck(store, can_send=SCHEME in assembly.catalogue.notifiers),
                ]
            )
    except ConfigError as exc:
        return [Finding(Verdict.PROBLEM, "database", exc.message, exc.hint or "correct [database] url")]
    except PePayError as exc:
        return [Finding(Verdict.PROBLEM, "database", str(exc), "start the database, or correct [database] url")]
