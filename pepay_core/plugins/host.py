"""How core calls what plugins contribute: one plugin at a time, so that each answer has an owner and each failure a price."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import pluggy

from pepay_core.domain.errors import PluginBroken, Refused, Unavailable
from pepay_core.hookspecs import PROJECT, Hooks, OnError, specs
from pepay_core.plugins.inspecting import Fault, fault_of
from pepay_core.plugins.problems import Problem, Stage, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

    from pepay_core.contracts.context import PluginContext

T = TypeVar("T")

DEADLINE: Final = 10.0
"""How long core waits for a coroutine hook, in seconds."""

log = logging.getLogger("pepay.plugins")


@dataclass(frozen=True, slots=True)
class Contribution(Generic[T]):
    """One thing, and the plugin it came from."""

    plugin: str
    value: T


class PluginHost:
    """The plugins of one application. They are called in the order in which they were registered."""

    def __init__(self, *, deadline: float = DEADLINE, on_quarantine: Callable[[Problem], None] | None = None) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(Hooks)
        self._specs = specs()
        self._contexts: dict[str, PluginContext | None] = {}
        self._deadline = deadline
        self.on_quarantine = on_quarantine
        """Told of every plugin that is lost, at the moment when it is."""
        self.quarantined: dict[str, Problem] = {}
        self.skipped: dict[str, str] = {}
        """What went wrong last with a plugin that was kept, by its name."""
        """Why each plugin that was lost is lost."""

    @property
    def plugins(self) -> tuple[str, ...]:
        """The names of the plugins that are in use, in order."""
        return tuple(self._contexts)

    def hooks_of(self, plugin: str) -> tuple[str, ...]:
        """Return the hooks that a registered plugin implements, in the order of the specs."""
        return tuple(hook for hook in self._specs if self._implementation(hook, plugin) is not None)

    def register(self, name: str, module: ModuleType, ctx: PluginContext | None) -> bool:
        """Take a plugin in when it is well formed; quarantine it, and return False, when it is not."""
        fault = fault_of(module)
        if fault is None:
            try:
                self._manager.register(module, name=name)
            except (pluggy.PluginValidationError, ValueError) as exc:
                fault = Fault(told(exc), "see the reference of the hooks, or ask its author")
        if fault is not None:
            self.quarantine(name, Stage.REGISTER, fault.reason, fault.hint)
            return False
        self._contexts[name] = ctx
        return True

    def quarantine(self, name: str, stage: Stage, reason: str, hint: str) -> None:
        """Stop calling a plugin for as long as this application runs, and say why."""
        problem = Problem(name, stage, PluginBroken, reason, hint)
        self._contexts.pop(name, None)
        if self._manager.has_plugin(name):
            self._manager.unregister(name=name)
        self.quarantined[name] = problem
        log.error("plugin %s is quarantined (%s): %s; next: %s", name, stage, reason, hint)
        if self.on_quarantine is not None:
            self.on_quarantine(problem)

    # --- calling ---------------------------------------------------------------------

    def collect(self, hook: str, expect: type[T], **given: object) -> list[Contribution[T]]:
        """Return what every plugin contributes. One rubbish value costs its plugin all of its values, and nobody else anything."""
        lists = self._call_each(hook, given, lambda answer: [_expected(each, expect) for each in answer or ()])
        return [Contribution(several.plugin, value) for several in lists for value in several.value]

    def ask(self, hook: str, **given: object) -> list[Contribution[AbstractAsyncContextManager[None]]]:
        """Return the one context manager that each plugin gives: for hooks that answer with something to enter."""
        return self._call_each(hook, given, lambda answer: _expected(answer, AbstractAsyncContextManager))

    async def notify(self, hook: str, **given: object) -> None:
        """Tell every plugin, at once; one that fails or takes too long misses the news, and nobody else notices."""
        async with asyncio.TaskGroup() as group:
            for name, implementation in self._implementations(hook):
                group.create_task(self._tell(hook, implementation, name, given))

    async def chain(self, hook: str, argument: str, value: T, *, fixed: Sequence[str] = (), **given: object) -> T:
        """Return the value as the plugins leave it, each seeing what the one before returned.

        ``fixed`` names the attributes that none of them may change. Refused is the plugin's decision and is raised as it is;
        any other failure raises Unavailable, because an answer that is missing could have been a no.
        """
        for name, implementation in self._implementations(hook):
            try:
                answer = await self._await(implementation, name, {**given, argument: value})
                value = value if answer is None else _unchanged(_expected(answer, type(value)), value, fixed)
            except Refused:
                raise
            except (Exception, SystemExit, asyncio.CancelledError) as exc:  # noqa: BLE001 - as in _call_each
                self._failed_awaiting(hook, name, exc)
        return value

    # --- inside ----------------------------------------------------------------------

    def _implementations(self, hook: str) -> Iterator[tuple[str, pluggy.HookImpl]]:
        for name in self.plugins:
            implementation = self._implementation(hook, name)
            if implementation is not None:
                yield name, implementation

    def _implementation(self, hook: str, plugin: str) -> pluggy.HookImpl | None:
        return next((each for each in getattr(self._manager.hook, hook).get_hookimpls() if each.plugin_name == plugin), None)

    def _call(self, implementation: pluggy.HookImpl, name: str, given: dict[str, object]) -> Any:
        known = {**given, "ctx": self._contexts[name]}
        return implementation.function(*(known[argument] for argument in implementation.argnames))

    def _call_each(self, hook: str, given: dict[str, object], read: Callable[[Any], T]) -> list[Contribution[T]]:
        found: list[Contribution[T]] = []
        for name, implementation in self._implementations(hook):
            try:
                # Read at once: an answer may be a generator, which fails only when it is run.
                found.append(Contribution(name, read(self._call(implementation, name, given))))
            except KeyboardInterrupt:
                raise
            except BaseException as exc:  # noqa: BLE001 - sys.exit in a hook must not end the server
                self._failed(hook, name, exc)
        return found

    async def _await(self, implementation: pluggy.HookImpl, name: str, given: dict[str, object]) -> Any:
        async with asyncio.timeout(self._deadline):
            return await self._call(implementation, name, given)

    async def _tell(self, hook: str, implementation: pluggy.HookImpl, name: str, given: dict[str, object]) -> None:
        try:
            await self._await(implementation, name, given)
        except (Exception, SystemExit, asyncio.CancelledError) as exc:  # noqa: BLE001 - as in _call_each
            self._failed_awaiting(hook, name, exc)

    def _failed_awaiting(self, hook: str, name: str, exc: BaseException) -> None:
        # Our own cancellation goes on; a plugin that raises CancelledError by itself has failed like any other.
        task = asyncio.current_task()
        if isinstance(exc, asyncio.CancelledError) and task is not None and task.cancelling():
            raise exc
        self._failed(hook, name, exc)

    def _failed(self, hook: str, name: str, exc: BaseException) -> None:
        if isinstance(exc, _Rubbish):
            reason = str(exc)
        elif isinstance(exc, TimeoutError):
            reason = f"did not answer within {self._deadline:g} seconds"
        else:
            reason = f"raised {told(exc)}"
        log.debug("plugin %s: %s failed", name, hook, exc_info=exc)
        on_error = self._specs[hook].on_error
        if on_error is OnError.QUARANTINE:
            self.quarantine(name, Stage.CONTRIBUTE, f"{hook} {reason}", f"`pepay plugin disable {name}`, or ask its author")
            return
        log.warning("plugin %s: %s %s", name, hook, reason)
        self.skipped[name] = f"{hook} {reason}"
        if on_error is OnError.ABORT:
            raise Unavailable(f"the plugin {name} could not answer") from exc


class _Rubbish(Exception):
    """A hook's answer is not what the hook asks for."""


def _expected(value: Any, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise _Rubbish(f"gave a {type(value).__name__} where a {kind.__name__.removeprefix('Abstract')} belongs")
    return value


def _unchanged(value: T, before: object, fixed: Sequence[str]) -> T:
    changed = [each for each in fixed if getattr(value, each) != getattr(before, each)]
    if changed:
        raise _Rubbish(f"changed {', '.join(changed)}, which no plugin may")
    return value
