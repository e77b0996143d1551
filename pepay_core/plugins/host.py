"""How core calls what plugins contribute: one plugin at a time, so that each answer has an owner and each failure a price."""

from __future__ import annotations

import asyncio
import inspect
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

import pluggy

from pepay_core.domain.errors import PluginBroken, Refused, Unavailable
from pepay_core.hookspecs import PROJECT, Hooks, OnError, specs
from pepay_core.plugins.problems import Problem, Stage, told
from pepay_core.plugins.validating import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import ModuleType

    from pepay_core.contracts.context import PluginContext

T = TypeVar("T")

DEADLINE: Final = 10.0
"""How long core waits for a coroutine hook, in seconds."""

_MARK: Final = f"{PROJECT}_impl"
# Which plugin comes first is configuration, so no plugin may ask to be first, last, or around the others.
_NOT_ALLOWED: Final = ("hookwrapper", "wrapper", "optionalhook", "tryfirst", "trylast", "specname")

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
        self.quarantined: dict[str, Problem] = {}
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
        fault = self._fault(module)
        if fault is None:
            try:
                self._manager.register(module, name=name)
            except (pluggy.PluginValidationError, ValueError) as exc:
                fault = (told(exc), "see the reference of the hooks, or ask its author")
        if fault is not None:
            self.quarantine(name, Stage.REGISTER, *fault)
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
        found: list[Contribution[T]] = []
        for name in self.plugins:
            implementation = self._implementation(hook, name)
            if implementation is None:
                continue
            try:
                values = list(cast("Iterable[T]", self._call(implementation, name, given) or ()))
            except KeyboardInterrupt:
                raise
            except BaseException as exc:  # noqa: BLE001 - sys.exit in a hook must not end the server
                self._failed(hook, name, f"raised {told(exc)}", exc)
                continue
            wrong = next((each for each in values if not isinstance(each, expect)), None)
            if any(not isinstance(each, expect) for each in values):
                self._failed(hook, name, f"gave a {type(wrong).__name__} where a {expect.__name__} belongs")
                continue
            found += [Contribution(name, value) for value in values]
        return found

    def ask(self, hook: str, **given: object) -> list[Contribution[Any]]:
        """Return the one answer that each plugin gives; used where a hook answers with a single thing."""
        found = []
        for name in self.plugins:
            implementation = self._implementation(hook, name)
            if implementation is None:
                continue
            try:
                answer = self._call(implementation, name, given)
            except KeyboardInterrupt:
                raise
            except BaseException as exc:  # noqa: BLE001 - as in collect
                self._failed(hook, name, f"raised {told(exc)}", exc)
                continue
            if hook == "pepay_lifespan" and not (hasattr(answer, "__aenter__") and hasattr(answer, "__aexit__")):
                self._failed(hook, name, f"gave a {type(answer).__name__} where an asynchronous context manager belongs")
                continue
            found.append(Contribution(name, answer))
        return found

    async def notify(self, hook: str, **given: object) -> None:
        """Tell every plugin, at once; one that fails or takes too long misses the news, and nobody else notices."""
        async with asyncio.TaskGroup() as group:
            for name in self.plugins:
                implementation = self._implementation(hook, name)
                if implementation is not None:
                    group.create_task(self._notify_one(hook, implementation, name, given))

    async def _notify_one(self, hook: str, implementation: pluggy.HookImpl, name: str, given: dict[str, object]) -> None:
        try:
            await self._await(implementation, name, given)
        except (Exception, SystemExit, asyncio.CancelledError) as exc:  # noqa: BLE001 - as in collect
            _reraise_if_cancelled(exc)
            self._failed(hook, name, _unanswered(exc, self._deadline), exc)

    async def chain(self, hook: str, argument: str, value: T, *, fixed: Sequence[str] = (), **given: object) -> T:
        """Return the value as the plugins leave it, each seeing what the one before returned.

        ``fixed`` names the attributes that none of them may change. Refused is the plugin's decision and is raised as it is;
        any other failure raises Unavailable, because an answer that is missing could have been a no.
        """
        for name in self.plugins:
            implementation = self._implementation(hook, name)
            if implementation is None:
                continue
            try:
                answer = await self._await(implementation, name, {**given, argument: value})
            except Refused:
                raise
            except (Exception, SystemExit, asyncio.CancelledError) as exc:  # noqa: BLE001 - as in collect
                _reraise_if_cancelled(exc)
                self._failed(hook, name, _unanswered(exc, self._deadline), exc)
                continue
            if answer is None:
                continue
            if not isinstance(answer, type(value)):
                self._failed(hook, name, f"gave a {type(answer).__name__} where a {type(value).__name__} belongs")
            changed = [each for each in fixed if getattr(answer, each) != getattr(value, each)]
            if changed:
                self._failed(hook, name, f"changed {', '.join(changed)}, which no plugin may")
            value = cast("T", answer)
        return value

    # --- inside ----------------------------------------------------------------------

    def _implementation(self, hook: str, plugin: str) -> pluggy.HookImpl | None:
        return next((each for each in getattr(self._manager.hook, hook).get_hookimpls() if each.plugin_name == plugin), None)

    def _call(self, implementation: pluggy.HookImpl, name: str, given: dict[str, object]) -> Any:
        known = {**given, "ctx": self._contexts[name]}
        return implementation.function(*(known[argument] for argument in implementation.argnames))

    async def _await(self, implementation: pluggy.HookImpl, name: str, given: dict[str, object]) -> Any:
        async with asyncio.timeout(self._deadline):
            return await self._call(implementation, name, given)

    def _failed(self, hook: str, name: str, reason: str, exc: BaseException | None = None) -> None:
        on_error = self._specs[hook].on_error
        if on_error is OnError.QUARANTINE:
            self.quarantine(name, Stage.CONTRIBUTE, f"{hook} {reason}", f"`pepay plugin disable {name}`, or ask its author")
        else:
            log.warning("plugin %s: %s %s", name, hook, reason)
        log.debug("plugin %s: %s failed", name, hook, exc_info=exc)
        if on_error is OnError.ABORT:
            raise Unavailable(f"the plugin {name} could not answer") from exc

    def _fault(self, module: ModuleType) -> tuple[str, str] | None:
        """Return what is wrong with a plugin's hooks before pluggy sees it, and what to do."""
        for attribute, value in vars(module).items():
            options = _options(value)
            if options is None:
                if attribute in self._specs and inspect.isfunction(value) and value.__module__ == module.__name__:
                    return f"{attribute} is not marked as a hook", "put @hookimpl above it"
                continue
            if attribute not in self._specs:
                meant = nearest(attribute, self._specs)
                return f"{attribute} is not a hook", f"did you mean {meant}?" if meant else f"the hooks are {', '.join(self._specs)}"
            asked = [option for option in _NOT_ALLOWED if options.get(option)]
            if asked:
                return f"{attribute} asks for {', '.join(asked)}", "use @hookimpl without arguments; the order of plugins is configuration"
            colour = "async def" if self._specs[attribute].is_async else "def"
            wrong = inspect.isasyncgenfunction(value) or inspect.iscoroutinefunction(value) != self._specs[attribute].is_async
            if wrong:
                return f"{attribute} must be `{colour}`", "hooks that contribute do no I/O; what they return may"
            given = _arguments(getattr(Hooks, attribute))[1:]
            unknown = [argument for argument in _arguments(value) if argument not in given]
            if unknown:
                return f"{attribute} asks for {', '.join(unknown)}", f"it may take: {', '.join(given) or 'nothing'}"
        return None


def _options(value: object) -> dict[str, Any] | None:
    # Read from the function's own dictionary: objects that answer to every attribute are not implementations.
    options = vars(value).get(_MARK) if inspect.isroutine(value) and hasattr(value, "__dict__") else None
    return options if isinstance(options, dict) else None


def _arguments(function: Callable[..., Any]) -> list[str]:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [each.name for each in inspect.signature(function).parameters.values() if each.kind in positional and each.default is each.empty]


def _unanswered(exc: BaseException, deadline: float) -> str:
    return f"did not answer within {deadline:g} seconds" if isinstance(exc, TimeoutError) else f"raised {told(exc)}"


def _reraise_if_cancelled(exc: BaseException) -> None:
    """Tell our own cancellation, which goes on, from a plugin that raises CancelledError by itself."""
    task = asyncio.current_task()
    if isinstance(exc, asyncio.CancelledError) and task is not None and task.cancelling():
        raise exc
