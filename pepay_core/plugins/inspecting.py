"""Whether a plugin's hooks are well formed: looked at before it is registered, and told in its author's words."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pepay_core.hookspecs import PROJECT, Hooks, specs
from pepay_core.plugins.validating import nearest

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_MARK: Final = f"{PROJECT}_impl"
# Which plugin comes first is configuration, so no plugin may ask to be first, last, or around the others.
_NOT_ALLOWED: Final = ("hookwrapper", "wrapper", "optionalhook", "tryfirst", "trylast", "specname")


class Fault(NamedTuple):
    """What is wrong, and what to do about it."""

    reason: str
    hint: str


def fault_of(module: ModuleType) -> Fault | None:
    """Return what is wrong with a plugin's hooks, or None when they are as their specs ask."""
    known = specs()
    for name, value in vars(module).items():
        options = _options(value)
        if options is None:
            if name in known and inspect.isfunction(value) and value.__module__ == module.__name__:
                return Fault(f"{name} is not marked as a hook", "put @hookimpl above it")
            continue
        if name not in known:
            meant = nearest(name, known)
            return Fault(f"{name} is not a hook", f"did you mean {meant}?" if meant else f"the hooks are {', '.join(known)}")
        fault = _fault_of_hook(name, value, options, is_async=known[name].is_async)
        if fault is not None:
            return fault
    return None


def _fault_of_hook(name: str, function: Callable[..., Any], options: dict[str, Any], *, is_async: bool) -> Fault | None:
    asked = [option for option in _NOT_ALLOWED if options.get(option)]
    if asked:
        return Fault(f"{name} asks for {', '.join(asked)}", "use @hookimpl without arguments; the order of plugins is configuration")
    if inspect.isasyncgenfunction(function) or inspect.iscoroutinefunction(function) != is_async:
        colour = "async def" if is_async else "def"
        return Fault(f"{name} must be `{colour}`", "hooks that contribute do no I/O; what they return may")
    given = _arguments(getattr(Hooks, name))[1:]
    unknown = [argument for argument in _arguments(function) if argument not in given]
    if unknown:
        return Fault(f"{name} asks for {', '.join(unknown)}", f"it may take: {', '.join(given) or 'nothing'}")
    return None


def _options(value: object) -> dict[str, Any] | None:
    # Read from the function's own dictionary: objects that answer to every attribute are not implementations.
    options = vars(value).get(_MARK) if inspect.isroutine(value) and hasattr(value, "__dict__") else None
    return options if isinstance(options, dict) else None


def _arguments(function: Callable[..., Any]) -> list[str]:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [each.name for each in inspect.signature(function).parameters.values() if each.kind in positional and each.default is each.empty]
