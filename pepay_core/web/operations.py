"""What an API operation is: a function, with everything said about it that routing, permission, reading and the document need.

A controller states path, scope, query, body and answer once, in :func:`operation`; the handler that Litestar routes to and the OpenAPI
document are both made from that, so neither can say what the other does not do.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar, cast

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from pepay_core.domain.errors import NotFound, PePayError
from pepay_core.domain.ids import is_id
from pepay_core.domain.jsontext import encode
from pepay_core.services.idempotency import Remember, asked_under, check_key, fingerprint
from pepay_core.services.paging import Slice
from pepay_core.web.access import ANYBODY, BUYER, DOOR, ENTERING, is_scope
from pepay_core.web.asgi.facts import facts
from pepay_core.web.decoding import decode_body, decode_query
from pepay_core.web.schemas import Nothing
from pepay_core.web.timing import within_deadline

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

    from pepay_core.runtime import Runtime
    from pepay_core.services.callers import Caller
    from pepay_core.services.idempotency import Remembering
    from pepay_core.services.people.sessions import SignedIn

Q = TypeVar("Q")
B = TypeVar("B")

Answer: TypeAlias = "dict[str, Any] | list[dict[str, Any]] | Slice[dict[str, Any]] | AsyncIterator[bytes]"

MAX_PATH_TEXT: Final = 200
EVENT_STREAM: Final = "text/event-stream"

ANY_ORIGIN: Final = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}


@dataclass(frozen=True, slots=True)
class Call(Generic[Q, B]):
    """One call of an operation: who calls, and what was asked, already read."""

    runtime: Runtime
    caller: Caller
    path: Mapping[str, str]
    query: Q
    body: B
    request: Request[Any, Any, Any]

    @property
    def signed_in(self) -> SignedIn:
        """Whose session the call was made with; only of what is for people who sign in."""
        found = facts(self.request.scope).signed_in
        assert found is not None
        return found


@dataclass(frozen=True, slots=True)
class Operation:
    """Everything that is to be known about an operation, except what it does."""

    method: str
    path: str
    name: str
    summary: str
    description: str
    tag: str
    access: str
    """A scope, or one of the markers of :mod:`pepay_core.web.access`."""
    fresh: bool
    """Whether a user must have signed in within the last minutes; keys are not asked."""
    status: int
    ids: Mapping[str, str]
    """The prefixes of the ids in the path; other path parameters are free text."""
    query: type[Any]
    body: type[Any] | None
    gives: type[Any]
    many: bool
    refuses: tuple[type[PePayError], ...]
    streams: bool
    opens: bool
    """Whether it puts another session in the place of the caller's."""
    open_to_origins: bool
    """Whether pages of other origins may call it."""
    run: Callable[[Call[Any, Any]], Awaitable[Answer]] = field(repr=False)

    @property
    def idempotent(self) -> bool:
        """Whether it takes an Idempotency-Key. What opens a session does not: a stored answer would open it twice."""
        return self.method == "POST" and self.access not in {ANYBODY, DOOR, ENTERING} and not self.opens


def operation(
    method: str,
    path: str,
    *,
    tag: str,
    access: str,
    gives: type[Any],
    status: int = 200,
    ids: Mapping[str, str] | None = None,
    query: type[Any] = Nothing,
    body: type[Any] | None = None,
    many: bool = False,
    refuses: tuple[type[PePayError], ...] = (),
    streams: bool = False,
    fresh: bool = False,
    opens: bool = False,
    open_to_origins: bool = False,
) -> Callable[[Callable[[Call[Any, Any]], Awaitable[Answer]]], Operation]:
    """Make an operation of an async function; its docstring is its summary and description in the document.

    ``streams``: it answers with server-sent events, each of which holds what it ``gives``, for as long as both sides like.
    ``fresh``: it can do much, so users are asked to have signed in within the last minutes.
    ``opens``: it gives the caller another session, so its answer is not kept for repetition.
    ``open_to_origins``: pages of other origins may call it and read what it gives; only for what a token in the address protects.
    """

    def make(run: Callable[[Call[Any, Any]], Awaitable[Answer]]) -> Operation:
        summary, _, description = (inspect.getdoc(run) or "").partition("\n")
        return Operation(
            method=method,
            path=path,
            name=run.__name__,
            summary=summary.rstrip("."),
            description=description.strip(),
            tag=tag,
            access=access,
            fresh=fresh,
            status=status,
            ids=ids or {},
            query=query,
            body=body,
            gives=gives,
            many=many,
            refuses=refuses,
            streams=streams,
            opens=opens,
            open_to_origins=open_to_origins,
            run=run,
        )

    return make


def handler(made: Operation) -> HTTPRouteHandler:
    """Return the handler that Litestar routes to."""

    async def handle(request: Request[Any, Any, Any]) -> Response[bytes] | Stream:
        response = await _answer(made, request)
        for cookie in facts(request.scope).cookies:
            response.set_cookie(cookie)
        return response

    handle.__name__ = made.name
    litestar_path = made.path.replace("}", ":str}")
    return HTTPRouteHandler(
        litestar_path,
        http_method=cast("Any", made.method),
        name=made.name,
        status_code=made.status,
        opt={"access": made.access, "fresh": made.fresh, "open_to_origins": made.open_to_origins},
    )(handle)


def preflights(operations: Iterable[Operation]) -> list[HTTPRouteHandler]:
    """Return a handler of OPTIONS for each path, which names the methods of all its operations; other origins are let in where they say so."""
    allowed: dict[str, set[str]] = {}
    opened: dict[str, str] = {}
    for each in operations:
        allowed.setdefault(each.path, {"OPTIONS"}).add(each.method)
        if each.open_to_origins:
            opened[each.path] = each.access
    return [_preflight(path, methods | ({"HEAD"} if "GET" in methods else set()), opened.get(path)) for path, methods in allowed.items()]


def _preflight(path: str, methods: set[str], opened: str | None) -> HTTPRouteHandler:
    # Browsers ask without headers of their own, and with the address: a token in it counts here as well.
    opt = {} if opened is None else {"access": opened}
    headers = {"Allow": ", ".join(sorted(methods))}
    if opened is not None:
        headers |= {**ANY_ORIGIN, "Access-Control-Allow-Methods": headers["Allow"], "Access-Control-Allow-Headers": "Content-Type"}

    def options() -> Response[None]:
        return Response(None, status_code=204, headers=headers)

    return HTTPRouteHandler(path.replace("}", ":str}"), http_method="OPTIONS", status_code=204, sync_to_thread=False, opt=opt)(options)


async def _answer(made: Operation, request: Request[Any, Any, Any]) -> Response[bytes] | Stream:
    path = cast("Mapping[str, str]", request.path_params)
    for name, prefix in made.ids.items():
        if not is_id(prefix, path[name]):
            raise NotFound(f"there is no such {name}")
    if any(len(value) > MAX_PATH_TEXT for value in path.values()):
        raise NotFound("there is nothing of such a long name")
    runtime = cast("Runtime", request.app.state.runtime)
    raw = await request.body()
    query = decode_query(request.query_params, made.query)
    body = decode_body(raw, request.headers.get("content-type"), made.body) if made.body and (raw or _requires(made.body)) else None
    if made.body and body is None:
        body = made.body()
    caller = facts(request.scope).caller
    call: Call[Any, Any] = Call(runtime, cast("Caller", caller), path, query, body, request)
    key = request.headers.get("idempotency-key")
    if not made.idempotent or key is None:
        async with within_deadline():
            answer = await made.run(call)
        if made.streams:
            return Stream(cast("AsyncIterator[bytes]", answer), status_code=made.status, media_type=EVENT_STREAM, headers={"X-Accel-Buffering": "no"})
        return _respond(made.status, encode(_enveloped(answer)), ANY_ORIGIN if made.open_to_origins else None)
    return await _once(made, call, key, raw)


async def _once(made: Operation, call: Call[Any, Any], key: str, raw: bytes) -> Response[bytes]:
    """Answer a request that has an idempotency key: with what it does, or with what it did."""
    check_key(key)
    remembering = cast("Remembering", call.request.app.state.remembering)
    owner = _owner(made, call)
    mark = fingerprint(made.method, call.request.scope["path"], raw)
    begun = await remembering.begin(f"{owner}:{made.method} {made.path}", key, mark, made.status)
    if not isinstance(begun, Remember):
        return _respond(begun.status, begun.body, {"Idempotency-Replayed": "true"})
    try:
        with asked_under(begun):
            async with within_deadline():
                answer = await made.run(call)
        body = begun.kept
        if body is None:
            body = encode(_enveloped(answer))
            await remembering.complete(begun, body)
    except BaseException:
        await remembering.release(begun)
        raise
    finally:
        remembering.finish(begun)
    return _respond(made.status, body)


def _owner(made: Operation, call: Call[Any, Any]) -> str:
    """Return whose an idempotency key is."""
    if is_scope(made.access):
        return f"{call.caller.merchant}:{'live' if call.caller.livemode else 'test'}"
    # A buyer's key is the invoice's own: there is no merchant who would keep buyers' keys apart.
    return call.path["invoice"] if made.access == BUYER else call.signed_in.user.id


def _enveloped(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, Slice):
        return {"object": "list", "data": list(answer.items), "has_more": answer.has_more}
    if isinstance(answer, list):
        return {"object": "list", "data": answer, "has_more": False}
    return cast("dict[str, Any]", answer)


def _requires(body: type[Any]) -> bool:
    """Tell whether a body has a field that must be given, so that an empty one is a mistake."""
    return any(each.required for each in msgspec.structs.fields(body))


def _respond(status: int, body: bytes, headers: dict[str, str] | None = None) -> Response[bytes]:
    return Response(body, status_code=status, media_type="application/json", headers=headers)
