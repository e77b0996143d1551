"""Reading what was sent, strictly: one meaning for every body, and a name for every field that is wrong."""

from __future__ import annotations

import json
import re
from decimal import InvalidOperation
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import msgspec

from pepay_core.domain.errors import InvalidAmount, InvalidInput
from pepay_core.domain.jsontext import Number
from pepay_core.domain.money import AMOUNT_PATTERN
from pepay_core.web.problems import InvalidJson, WrongMediaType

if TYPE_CHECKING:
    from litestar.datastructures import MultiDict

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

MAX_DEPTH: Final = 32
MAX_METADATA: Final = 16_384

_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_AT: Final = re.compile(r"^(?P<what>.*?)(?: - at `(?P<where>[^`]*)`)?$", re.DOTALL)
_NAMED: Final = re.compile(r"^Object (?P<how>contains unknown|missing required) field `(?P<name>.*)`$", re.DOTALL)
_AMOUNT: Final = re.compile(AMOUNT_PATTERN.strip("^$"), re.ASCII)
_WORDS: Final = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


class _Constant:
    """NaN or an infinity, which JSON does not have."""


def decode_body(body: bytes, content_type: str | None, into: type[T]) -> T:
    """Return a request's body as a struct.

    Raises WrongMediaType, InvalidJson (not JSON, a name twice in one object, too deep) or InvalidInput with the field's name.
    """
    if (content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise WrongMediaType("send JSON, with content-type: application/json")
    check_json(body)
    try:
        return _decoder(into).decode(body)
    except msgspec.ValidationError as exc:
        raise _invalid(str(exc)) from None
    except msgspec.DecodeError as exc:
        raise InvalidJson(f"the body is not JSON: {exc}") from None


def decode_query(query: MultiDict[str], into: type[S]) -> S:
    """Return a query as a struct; names that it does not have are ignored. Raises InvalidInput with the parameter's name."""
    known = {field.encode_name for field in msgspec.structs.fields(into)}
    given: dict[str, str] = {}
    for name, value in query.multi_items():
        if name in given and name in known:
            raise InvalidInput("is given twice", field=name)
        given[name] = value
    try:
        return msgspec.convert(given, into, strict=False)
    except msgspec.ValidationError as exc:
        raise _invalid(str(exc)) from None


@cache
def _decoder(into: type[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(into)


# --- JSON as such ----------------------------------------------------------------------


def check_json(body: bytes) -> None:
    """Raise InvalidJson unless the bytes are JSON that can be read in one way only, with text that every database can hold."""
    _check_depth(body)
    try:
        tree = json.loads(
            body.decode("utf-8"), object_pairs_hook=_object, parse_constant=lambda _: _Constant(), parse_float=str.__len__, parse_int=_length
        )
    except UnicodeDecodeError:
        raise InvalidJson("the body is not UTF-8") from None
    except (ValueError, RecursionError) as exc:
        raise InvalidJson(f"the body is not JSON: {exc}" if isinstance(exc, json.JSONDecodeError) else "the body is not JSON") from None
    _check_texts(tree, "")


def _length(text: str) -> int:
    """Stand in for a whole number, which here need not be read."""
    return len(text)


def _check_depth(body: bytes) -> None:
    depth = 0
    for byte in re.findall(rb"[\[\]{}]", _STRING.sub(b"", body)):
        depth += 1 if byte in b"[{" else -1
        if depth > MAX_DEPTH:
            raise InvalidJson(f"the body is nested more than {MAX_DEPTH} deep")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidJson("stands twice in one object", field=_plain(name))
        found[name] = value
    return found


def _check_texts(value: Any, where: str) -> None:
    if isinstance(value, _Constant):
        raise InvalidJson("NaN and infinities are not JSON", field=where or None)
    if isinstance(value, str) and not is_storable(value):
        raise InvalidInput("must not contain NUL or half a surrogate pair", field=where or None)
    if isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            below = f"{where}.{_plain(name)}" if where else _plain(name)
            _check_texts(name, below)
            _check_texts(inner, below)
    elif isinstance(value, list):
        for place, inner in enumerate(cast("list[Any]", value)):
            _check_texts(inner, f"{where}.{place}" if where else str(place))


def is_storable(text: str) -> bool:
    """Tell whether every database and every receiver can hold a text."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _plain(name: str) -> str:
    """Return a field's name as it may stand in an answer."""
    return name.encode("ascii", "backslashreplace").decode().replace("\0", "\\x00")[:60]


# --- what a schema says ------------------------------------------------------------------


def _invalid(text: str) -> InvalidInput:
    """Return what a decoder's message says, as the field and what is wrong with it."""
    found = cast("re.Match[str]", _AT.match(text))
    what, field = found["what"], _path(found["where"] or "")
    if named := _NAMED.match(what):
        field = f"{field}.{_plain(named['name'])}" if field else _plain(named["name"])
        what = "there is no such field" if named["how"] == "contains unknown" else "is required"
    return InvalidInput(_told(what), field=field or None)


def _path(where: str) -> str:
    """Return ``$.a[0].b`` as ``a.0.b``."""
    return re.sub(r"\[(\d+)\]", r".\1", where.removeprefix("$")).replace("[...]", "").strip(".")


_LIMITS: Final = ((" of length >= ", "at least {} long"), (" of length <= ", "at most {} long"), (" >= ", "at least {}"), (" <= ", "at most {}"))


def _told(what: str) -> str:
    if expected := re.match(r"^Expected `([^`]*)`([^,`]*)(?:, got `([^`]*)`)?", what):
        wanted, got = ([_WORDS.get(each, each) for each in (group or "").split(" | ")] for group in expected.group(1, 3))
        for sign, words in _LIMITS:
            # The type is right then, and what is wrong is its size.
            if expected[2].startswith(sign):
                return f"must be {words.format(expected[2].removeprefix(sign).strip())}"
        if expected[2].startswith(" matching regex"):
            return "does not have the form that it must have"
        return f"must be {' or '.join(wanted)}" + (f", not {' or '.join(got)}" if got != [""] else "")
    return what[:1].lower() + what[1:].replace("`", "")


# --- values that are read from their own text -----------------------------------------------


def amount_text(raw: msgspec.Raw | None, field: str) -> str | None:
    """Return an amount as it was written, as a string or as a number, or None where there is none; raises InvalidAmount.

    The text never passes through a float.
    """
    token = bytes(raw or b"")
    if token in {b"", b"null"}:
        return None
    text = json.loads(token) if token.startswith(b'"') else token.decode()
    if not isinstance(text, str) or not _AMOUNT.fullmatch(text):
        raise InvalidAmount(f"{str(text)[:60]!r} is not a plain decimal amount such as 49.99", field=field)
    return text


def metadata_object(raw: msgspec.Raw | None) -> dict[str, Any]:
    """Return metadata with each number as it was written; raises InvalidInput when it is not an object, or larger than 16 KB."""
    token = bytes(raw or b"")
    if token in {b"", b"null"}:
        return {}
    if not token.startswith(b"{"):
        raise InvalidInput("must be an object", field="metadata")
    if len(token) > MAX_METADATA:
        raise InvalidInput(f"must be at most {MAX_METADATA} bytes of JSON", field="metadata")
    try:
        return json.loads(token, parse_float=Number)
    except (ValueError, InvalidOperation):
        raise InvalidInput("has a number that is too long; send it as a string", field="metadata") from None
