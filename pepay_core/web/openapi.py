"""The OpenAPI document, made from the operations themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pepay_core import __version__
from pepay_core.domain import errors
from pepay_core.domain.ids import EVENT
from pepay_core.web import problems
from pepay_core.web.access import ADMIN, ANYBODY, BUYER, DOOR, ENTERING, USER, is_scope
from pepay_core.web.operations import EVENT_STREAM, MAX_PATH_TEXT
from pepay_core.web.schemas import ProblemDocument, id_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pepay_core.web.operations import Operation

_REF: Final = "#/components/schemas/{name}"
_SEGMENT: Final = "^[^/]+$"
_BUYER: Final = [{"clientToken": []}, {"clientTokenHeader": []}]
_SAFE: Final = frozenset({"GET", "HEAD"})
_ALWAYS: Final = (errors.RateLimited, errors.StorageUnavailable, problems.InvalidRequestLine, problems.WrongHost)
_WITH_KEY: Final = (errors.Unauthenticated, errors.KeyExpired, errors.KeyNotYetValid, errors.KeyRevoked, errors.Forbidden)
_WITH_SESSION: Final = (errors.Unauthenticated, problems.SecondFactorRequired, errors.Forbidden, problems.ForgedRequest)
_WITH_BODY: Final = (problems.InvalidJson, problems.TooLarge, problems.WrongMediaType, errors.InvalidInput)
_WITH_KEY_REPEATED: Final = (errors.IdempotencyConflict, errors.RequestInProgress, errors.InvalidInput)

_HEADERS: Final = {
    "X-Request-ID": {"description": "Names the request in the logs.", "schema": {"type": "string"}},
    "RateLimit": {"description": "What is left, and in how many seconds there is more.", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "How many requests a window has.", "schema": {"type": "string"}},
}
_RETRY: Final = {
    "Retry-After": {"description": "After how many seconds to try again.", "required": True, "schema": {"type": "integer", "minimum": 1}}
}
_IDEMPOTENCY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A repeated request with the same key has no second effect, and gets the first one's answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    "example": "order-1042",
}
_LAST_EVENT: Final = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "description": "The last event that was received; browsers send it by themselves.",
    "schema": {"type": "string", "pattern": id_pattern(EVENT)},
}


def build(operations: Sequence[Operation], base_url: str) -> dict[str, Any]:
    """Return the document."""
    types = [*dict.fromkeys(_types(operations))]
    references, components = msgspec.json.schema_components(types, ref_template=_REF)
    schemas = dict(zip(types, references, strict=True))
    known = problems.kinds()
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, schemas, components, known)
    used = {name for types in (components[_name(schemas[each.query])] for each in operations) for name in [types["title"]]}
    for name in used:
        components.pop(name, None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "PePay",
            "version": __version__,
            "description": "Create invoices, let them be paid in crypto, and be told. Money is written in decimal strings, time in epoch seconds.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": base_url}],
        "tags": [{"name": tag} for tag in dict.fromkeys(each.tag for each in operations)],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "An API key."},
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key."},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-pepay_session",
                    "description": "A signed-in user (without `__Host-` where there is no TLS). `x-pepay-merchant` names the merchant, and may be "
                    "left out by a member of exactly one; `x-pepay-environment` is `live` or `test`, and `test` where it is left out.",
                },
                "csrf": {"type": "apiKey", "in": "header", "name": "x-csrf-token", "description": "The session's `csrf_token`."},
                "clientToken": {"type": "apiKey", "in": "query", "name": "token", "description": "The invoice's client token."},
                "clientTokenHeader": {"type": "apiKey", "in": "header", "name": "x-pepay-token", "description": "The invoice's client token."},
            },
        },
    }


def _types(operations: Iterable[Operation]) -> Iterator[type[Any]]:
    yield ProblemDocument
    for each in operations:
        yield from (each.query, each.gives)
        if each.body:
            yield each.body


def _name(reference: dict[str, Any]) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _operation(
    each: Operation, schemas: dict[type[Any], dict[str, Any]], components: dict[str, Any], known: dict[str, problems.Kind]
) -> dict[str, Any]:
    written: dict[str, Any] = {
        "operationId": each.name,
        "summary": each.summary,
        "tags": [each.tag],
        "security": _security(each),
        "parameters": [*_path_parameters(each), *_query_parameters(components[_name(schemas[each.query])])],
        "responses": _responses(each, schemas, known),
    }
    if each.description:
        written["description"] = each.description
    if each.streams:
        written["parameters"].append(_LAST_EVENT)
    if needs := _needs(each):
        written["description"] = f"{each.description}\n\n{needs}".strip()
    if each.idempotent:
        written["parameters"].append(_IDEMPOTENCY)
    if each.body:
        written["requestBody"] = {"required": _is_required(each.body), "content": {"application/json": {"schema": schemas[each.body]}}}
    return written


def _security(each: Operation) -> list[dict[str, list[str]]]:
    if each.access in {ANYBODY, DOOR}:
        return []
    if each.access == BUYER:
        return _BUYER
    session: dict[str, list[str]] = {"session": []} if each.method in _SAFE else {"session": [], "csrf": []}
    return [{"apiKey": []}, {"bearer": []}, session] if is_scope(each.access) else [session]


def _needs(each: Operation) -> str:
    said = {
        ENTERING: "Needs a session, also one that still owes the second factor.",
        USER: "Needs a session.",
        ADMIN: "Needs the session of an admin of the platform.",
    }.get(each.access, f"Needs the scope `{each.access}`." if is_scope(each.access) else "")
    return f"{said} Users are asked for a sign-in that is at most five minutes old.".strip() if each.fresh else said


def _is_required(body: type[Any]) -> bool:
    return any(field.required for field in msgspec.structs.fields(body))


def _path_parameters(each: Operation) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", each.path):
        prefix = each.ids.get(name)
        pattern = id_pattern(prefix) if prefix else _SEGMENT
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": pattern, "minLength": 1, "maxLength": MAX_PATH_TEXT},
        }


def _query_parameters(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, described in schema["properties"].items():
        plain = dict(described)
        parameter = {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": plain}
        if description := plain.pop("description", None):
            parameter["description"] = description
        yield parameter


def _responses(each: Operation, schemas: dict[type[Any], dict[str, Any]], known: dict[str, problems.Kind]) -> dict[str, Any]:
    reference = schemas[each.gives]
    if each.many:
        schema: dict[str, Any] = {
            "type": "object",
            "required": ["object", "data", "has_more"],
            "properties": {"object": {"const": "list"}, "data": {"type": "array", "items": reference}, "has_more": {"type": "boolean"}},
        }
    else:
        schema = reference
    headers = dict(_HEADERS)
    if each.idempotent:
        headers["Idempotency-Replayed"] = {"description": "Set when the answer is a repeated one.", "schema": {"type": "string", "const": "true"}}
    # A stream's schema is that of the data of each of its events, for which OpenAPI 3.1 has no word of its own.
    content = {EVENT_STREAM: {"schema": {"type": "string"}}} if each.streams else {"application/json": {"schema": schema}}
    responses: dict[str, Any] = {str(each.status): {"description": each.summary, "headers": headers, "content": content}}
    refused: dict[int, list[str]] = {}
    for cls in dict.fromkeys(_refusals(each)):
        refused.setdefault(cls.status, []).append(cls.code)
    for status, codes in sorted(refused.items()):
        responses[str(status)] = {
            "description": "; ".join(f"`{code}`: {known[code].meaning.rstrip('.')}" for code in dict.fromkeys(codes)),
            "headers": {**_HEADERS, **(_RETRY if status in {429, 503} else {})},
            "content": {problems.MEDIA_TYPE: {"schema": schemas[ProblemDocument]}},
        }
    return responses


def _refusals(each: Operation) -> Iterator[Any]:
    yield from each.refuses
    yield from _ALWAYS
    if each.access == BUYER:
        yield errors.Unauthenticated
    elif is_scope(each.access):
        yield from _WITH_KEY
        yield from _WITH_SESSION
    elif each.access == DOOR:
        yield problems.ForgedRequest
    elif each.access != ANYBODY:
        yield from _WITH_SESSION
    if each.fresh:
        yield problems.SignInAgain
    if "{" in each.path:
        yield errors.NotFound
    if each.body:
        yield from _WITH_BODY
    if each.idempotent:
        yield from _WITH_KEY_REPEATED
    if msgspec.structs.fields(each.query):
        yield errors.InvalidInput
        yield errors.NotFound
