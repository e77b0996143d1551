"""Turns what pydantic says about a configuration into sentences that name the key, its section and the nearest valid one."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_M = TypeVar("_M", bound=BaseModel)
_LISTS: Final = frozenset({"list_type", "tuple_type", "set_type", "frozen_set_type"})


class EnvironmentText(str):
    """A value that came from an environment variable: it may stand for a list, with commas."""

    __slots__ = ("variable",)
    variable: str

    def __new__(cls, value: str, variable: str) -> Self:
        """Keep the name of the variable beside the value, for error messages."""
        self = super().__new__(cls, value)
        self.variable = variable
        return self


class Invalid(ValueError):
    """The sentences, one per problem, and what to do about them."""

    def __init__(self, problems: Sequence[str], hint: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
        self.hint = hint


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that somebody who wrote this one most likely meant, or None."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def validate(model: type[_M], given: Mapping[str, Any], *, section: str = "") -> _M:
    """Return the model made of what was given, or raise Invalid; no value that was given appears in the message."""
    try:
        return model.model_validate(given)
    except ValidationError as exc:
        split = _with_lists(given, exc)
        if split is None:
            raise _explained(exc, model, given, section) from None
    try:
        return model.model_validate(split)
    except ValidationError as exc:
        raise _explained(exc, model, given, section) from None


def _with_lists(given: Mapping[str, Any], error: ValidationError) -> dict[str, Any] | None:
    """Return what was given with comma lists from the environment split, or None when there is none to split."""
    wanted = {each["loc"] for each in error.errors(include_url=False) if each["type"] in _LISTS and isinstance(each["input"], EnvironmentText)}
    if not wanted:
        return None

    def rebuilt(value: Any, path: tuple[str | int, ...]) -> Any:
        if isinstance(value, EnvironmentText) and path in wanted:
            return [part.strip() for part in value.split(",") if part.strip()]
        if isinstance(value, Mapping):
            return {key: rebuilt(item, (*path, key)) for key, item in value.items()}
        return value

    return rebuilt(given, ())


def _explained(error: ValidationError, model: type[BaseModel], given: Mapping[str, Any], section: str) -> Invalid:
    problems: list[str] = []
    hints: list[str] = []
    for each in error.errors(include_url=False, include_input=False, include_context=False):
        path = [str(part) for part in each["loc"]]
        *above, key = path or [""]
        where = ".".join(part for part in [section, *above] if part)
        place = f"[{where}]" if where else "the configuration"
        came = _origin(given, each["loc"])
        if each["type"] == "extra_forbidden":
            valid = _keys_at(model, above)
            meant = nearest(key, valid)
            problems.append(f"{place} has no key {key!r}{came}")
            hints.append(f"did you mean {meant!r}?" if meant else f"valid keys: {', '.join(valid) or 'none'}")
        elif each["type"] == "missing":
            problems.append(f"{place} needs the key {key!r}")
            hints.append(f"set {key} in {place}")
        else:
            text = "must be a list" if each["type"] in _LISTS else each["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
            problems.append(f"{place} {key}: {text}{came}" if key else f"{place}: {text}")
            hints.append(f"correct {key or 'it'} in {place}")
    return Invalid(problems, "; ".join(dict.fromkeys(hints)))


def _origin(given: Any, path: tuple[str | int, ...]) -> str:
    value = given
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            return ""
        value = value[part]
    return f" (set by {value.variable})" if isinstance(value, EnvironmentText) else ""


def _keys_at(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    """Return the keys that are valid where a path leads, or none when it leads to something without fixed keys."""
    current: Any = model
    for part in path:
        inside = _model_in(current)
        if inside is not None and part in inside.model_fields:
            current = inside.model_fields[part].annotation
        else:
            # A key of a mapping, an index of a list, or the name that pydantic gives to a member of a union.
            current = next((each for each in get_args(current) if _model_in(each) is not None), current)
    inside = _model_in(current)
    return list(inside.model_fields) if inside is not None else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) is not None:
        return next((found for each in get_args(annotation) if (found := _model_in(each)) is not None), None)
    return None
