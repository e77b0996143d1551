"""From what is installed to what is running: every plugin on its way, and where each one stopped."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass, field, replace
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Final

from pepay_core import __version__
from pepay_core.contracts.chain import Chain
from pepay_core.contracts.check import Check
from pepay_core.contracts.converter import Converter
from pepay_core.contracts.notifier import Notifier
from pepay_core.contracts.pages import Page
from pepay_core.contracts.rates import RateProvider
from pepay_core.domain.assets import Token
from pepay_core.domain.errors import ConfigError, PluginError, PluginMissing
from pepay_core.plugins import contributions
from pepay_core.plugins.catalogue import Catalogue
from pepay_core.plugins.context import build_context
from pepay_core.plugins.host import PluginHost
from pepay_core.plugins.loader import NOT_BY_DEFAULT, STOCK, Candidate, discover, load
from pepay_core.plugins.problems import Problem, Stage, told
from pepay_core.plugins.validating import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pepay_core.contracts.context import Clock, Http, PluginContext
    from pepay_core.plugins.host import Contribution
    from pepay_core.plugins.loader import LoadReport
    from pepay_core.settings import Settings

log = logging.getLogger("pepay.plugins")


class PluginState(StrEnum):
    """How far a plugin came. ``refused`` is before its code was used, ``quarantined`` is after."""

    AVAILABLE = "available"
    ADMITTED = "admitted"
    LOADED = "loaded"
    CONFIGURED = "configured"
    MIGRATED = "migrated"
    RUNNING = "running"
    DEGRADED = "degraded"
    STOPPED = "stopped"
    REFUSED = "refused"
    QUARANTINED = "quarantined"


GONE: Final = frozenset({PluginState.AVAILABLE, PluginState.REFUSED, PluginState.QUARANTINED})
"""The states in which a plugin takes no part."""

_BEFORE_IMPORT: Final = frozenset({Stage.DISCOVER, Stage.COMPATIBILITY})


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """What people are told of one plugin. ``stage``, ``reason`` and ``hint`` are empty when all is well."""

    name: str
    distribution: str
    version: str
    state: PluginState
    stage: str = ""
    reason: str = ""
    hint: str = ""
    contributes: tuple[str, ...] = ()


@dataclass(slots=True)
class Assembly:
    """The plugins of one application, put together."""

    host: PluginHost
    catalogue: Catalogue
    statuses: dict[str, PluginStatus]
    contexts: dict[str, PluginContext] = field(default_factory=dict)
    piccolo_apps: dict[str, str] = field(default_factory=dict)
    """The module of the tables of each plugin that has some, for the storage to migrate."""

    def mark(self, name: str, state: PluginState, *, stage: str = "", reason: str = "", hint: str = "") -> None:
        """Say that a plugin has reached another state. A plugin that lost a part of what it contributes stays degraded until it is lost."""
        before = self.statuses[name]
        if before.state is PluginState.QUARANTINED:
            return
        if not reason and before.state is PluginState.DEGRADED and before.stage in {Stage.CONFLICT, Stage.CONTRIBUTE}:
            return
        self.statuses[name] = replace(before, state=state, stage=stage, reason=reason, hint=hint, contributes=self.catalogue.of(name))

    def quarantine(self, name: str, stage: Stage, reason: str, hint: str) -> None:
        """Go on without a plugin: its hooks are not called any more, and what it contributes is no longer offered."""
        self.host.quarantine(name, stage, reason, hint)

    def lost(self, problem: Problem) -> None:
        """Note that the host has stopped calling a plugin."""
        self.catalogue.drop(problem.plugin)
        self.piccolo_apps.pop(problem.plugin, None)
        self.note(problem, PluginState.QUARANTINED)

    def note(self, problem: Problem, state: PluginState) -> None:
        """Say that a plugin takes no part, and why."""
        before = self.statuses.get(problem.plugin) or PluginStatus(problem.plugin, "", "", state)
        self.statuses[problem.plugin] = replace(
            before, state=state, stage=problem.stage.value, reason=problem.reason, hint=problem.hint, contributes=()
        )


def default_enabled(candidates: Iterable[Candidate]) -> list[str]:
    """Return the plugins that are enabled when the configuration does not say: the stock ones that are installed."""
    installed = {each.name for each in candidates if each.is_stock}
    return [name for name in STOCK if name in installed and name not in NOT_BY_DEFAULT]


def assemble(settings: Settings, *, clock: Clock, http: Http, safe: bool = False, strict: bool = True) -> Assembly:
    """Return the plugins, put together; each that cannot take part is in ``statuses`` with a reason and a next step.

    ``safe`` leaves out all that are not stock. Raises PluginError when a required plugin does not take part, unless ``strict`` is off.
    """
    candidates = discover()
    _check_sections(settings, candidates)
    enabled = list(settings.plugins.enabled) if settings.plugins.enabled is not None else default_enabled(candidates)
    if safe:
        stock = {each.name for each in candidates if each.is_stock}
        enabled = [name for name in enabled if name in stock]
    report = load(enabled, __version__, candidates=candidates)

    assembly = Assembly(PluginHost(), Catalogue(settings.plugins.prefer), _first_look(candidates, enabled, report, safe=safe))
    assembly.host.on_quarantine = assembly.lost
    for problem in report.problems.values():
        assembly.note(problem, PluginState.REFUSED if problem.stage in _BEFORE_IMPORT else PluginState.QUARANTINED)
        log.error("plugin %s does not take part (%s): %s; next: %s", problem.plugin, problem.stage, problem.reason, problem.hint)
    _register(assembly, report, settings, clock, http)
    _contribute(assembly)
    if strict:
        _insist(assembly, settings.plugins.required)
    return assembly


def _check_sections(settings: Settings, candidates: Iterable[Candidate]) -> None:
    """Refuse a section that was meant for another plugin: the settings that somebody believes to be in force are not."""
    known = {each.name for each in candidates} | set(STOCK)
    for name in settings.plugin:
        if name in known or (settings.plugins.enabled and name in settings.plugins.enabled):
            continue
        meant = nearest(name, known)
        if meant:
            raise ConfigError(f"[plugin.{name}] is for a plugin that is not installed", hint=f"did you mean [plugin.{meant}]?")
        log.warning("[plugin.%s] has no effect: no plugin of that name is installed", name)


def _first_look(candidates: Sequence[Candidate], enabled: Sequence[str], report: LoadReport, *, safe: bool) -> dict[str, PluginStatus]:
    owners: dict[str, list[Candidate]] = defaultdict(list)
    for each in candidates:
        owners[each.name].append(each)
    statuses = {}
    for name in [*enabled, *(each for each in owners if each not in enabled)]:
        distribution = ", ".join(each.distribution for each in owners[name])
        version = ", ".join(each.version for each in owners[name])
        if name in report.loaded:
            statuses[name] = PluginStatus(name, distribution, version, PluginState.LOADED)
        else:
            reason = "safe mode leaves it out" if safe else "installed, and not enabled"
            hint = "start without --safe" if safe else f"pepay plugin enable {name}"
            statuses[name] = PluginStatus(name, distribution, version, PluginState.AVAILABLE, "", reason, hint)
    return statuses


def _register(assembly: Assembly, report: LoadReport, settings: Settings, clock: Clock, http: Http) -> None:
    for name, loaded in report.loaded.items():
        try:
            ctx = build_context(name, loaded.info, settings.plugin.get(name, {}), clock=clock, http=http, base_url=settings.server.base_url)
        except PluginError as exc:
            assembly.host.quarantine(name, Stage.SETTINGS, exc.reason, exc.hint)
            continue
        if assembly.host.register(name, loaded.module, ctx):
            assembly.contexts[name] = ctx
            if loaded.info.piccolo_app:
                wrong = _unimportable(loaded.info.piccolo_app)
                if wrong is not None:
                    assembly.host.quarantine(name, Stage.MIGRATE, f"its tables: {wrong}", f"`pepay plugin disable {name}`, or ask its author")
                    continue
                assembly.piccolo_apps[name] = loaded.info.piccolo_app
            assembly.mark(name, PluginState.CONFIGURED)


def _unimportable(module: str) -> str | None:
    """Return why a plugin's module of tables cannot be used, or None."""
    try:
        found = import_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as exc:  # noqa: BLE001 - as with the plugin itself
        return told(exc)
    return None if hasattr(found, "APP_CONFIG") else f"{module} has no APP_CONFIG"


def rehearse(assembly: Assembly) -> None:
    """Ask the plugins also for what is only needed while the server runs, so that what is wrong with it is known before."""
    expected: dict[str, type] = {"pepay_routes": object, "pepay_pages": Page, "pepay_checks": Check, "pepay_commands": object}
    for hook, kind in expected.items():
        assembly.host.collect(hook, kind)
    assembly.host.ask("pepay_lifespan")
    for name, reason in assembly.host.skipped.items():
        if name in assembly.host.plugins:
            hint = f"the rest of it runs; `pepay plugin disable {name}`, or ask its author"
            assembly.mark(name, PluginState.DEGRADED, stage=Stage.CONTRIBUTE.value, reason=reason, hint=hint)


def _contribute(assembly: Assembly) -> None:
    """Ask every plugin what it contributes, chains first, because tokens are told of all of them."""
    host, catalogue = assembly.host, assembly.catalogue
    problems = catalogue.add_chains(_sound(host, host.collect("pepay_chains", Chain), contributions.chain_fault))
    tokens = host.collect("pepay_tokens", Token, chains=dict(catalogue.chains))
    problems += catalogue.add_tokens(_sound(host, tokens, contributions.token_fault))
    problems += catalogue.add_rate_providers(_sound(host, host.collect("pepay_rate_providers", RateProvider), contributions.name_fault("name")))
    problems += catalogue.add_converters(_sound(host, host.collect("pepay_converters", Converter), contributions.name_fault("name")))
    problems += catalogue.add_notifiers(_sound(host, host.collect("pepay_notifiers", Notifier), contributions.name_fault("scheme")))
    for name in host.plugins:
        assembly.mark(name, PluginState.CONFIGURED)
    by_plugin: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        by_plugin[problem.plugin].append(problem)
        log.error("plugin %s (%s): %s; next: %s", problem.plugin, problem.stage, problem.reason, problem.hint)
    for name, several in by_plugin.items():
        first = several[0]
        reason = "; ".join(dict.fromkeys(each.reason for each in several))
        hint = "; ".join(dict.fromkeys(each.hint for each in several))
        assembly.mark(name, PluginState.DEGRADED, stage=first.stage.value, reason=reason, hint=hint)


def _sound(host: PluginHost, given: Sequence[Contribution], fault: Callable[[object], str | None]) -> list[Contribution]:
    """Return what comes from plugins all of whose contributions are sound; the others are quarantined."""
    for each in given:
        wrong = contributions.looked_at(fault, each.value)
        if wrong is not None and each.plugin in host.plugins:
            host.quarantine(each.plugin, Stage.CONTRIBUTE, wrong, f"`pepay plugin disable {each.plugin}`, or ask its author")
    # Whoever was lost in a later hook has lost what it gave in an earlier one: the host says so to the catalogue.
    return [each for each in given if each.plugin in host.plugins]


def _insist(assembly: Assembly, required: Iterable[str]) -> None:
    for name in required:
        status = assembly.statuses.get(name)
        if name in assembly.host.plugins:
            continue
        if status is None:
            raise PluginMissing(name, "is required, but not installed", hint=f"pip install pepay-{name}, or take it out of [plugins] required")
        raise PluginError(name, f"is required, but does not take part: {status.reason or status.state.value}", hint=status.hint)
