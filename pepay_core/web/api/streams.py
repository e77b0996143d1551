"""The events feed as a stream of server-sent events: the same envelopes, as they happen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pepay_core.domain.errors import InvalidInput, RateLimited, Refused
from pepay_core.domain.events import is_filter, matches
from pepay_core.domain.ids import EVENT, EventId, is_id
from pepay_core.web.api.webhooks import Event
from pepay_core.web.guards import still_admitted
from pepay_core.web.operations import Call, operation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pepay_core.domain import events

# Seconds after which something is sent all the same, less than the idle time that proxies allow, and after which the key is looked at again.
_SILENCE: Final = 15.0
_REMARK: Final = b": nothing new\n\n"
_BEGINNING: Final = b"retry: 2000\n"


class StreamFilter(msgspec.Struct, kw_only=True):
    """Which events, and from where."""

    types: Annotated[
        str, Meta(max_length=300, description="Types, or the first part of some with `.*`, separated by commas.", examples=["invoice.*"])
    ] = "*"
    starting_after: Annotated[str, Meta(max_length=64, description="The last event that is known; `Last-Event-ID` says the same.")] | UnsetType = (
        UNSET
    )


@operation(
    "GET", "/api/v1/events/stream", tag="Events", access="webhooks:read", query=StreamFilter, gives=Event, streams=True, refuses=(RateLimited,)
)
async def stream_events(call: Call[StreamFilter, None]) -> AsyncIterator[bytes]:
    """Follow events as they happen, as server-sent events.

    Each has the event's id as `id`, its type as `event` and its envelope as `data`. A client that comes back with `Last-Event-ID` misses
    nothing; one that comes without gets what happens from then on.
    """
    filters = tuple(filter(None, call.query.types.split(",")))
    for each in filters:
        if not is_filter(each):
            raise InvalidInput(f"{each[:40]!r} is neither an event type nor the first part of one with .*", field="types")
    feed = call.runtime.feed
    known = call.request.headers.get("last-event-id") or call.query.starting_after or None
    if known is not None and not is_id(EVENT, known):
        raise InvalidInput("is not the id of an event", field="starting_after")
    if known is None:
        last = await feed.latest(call.caller)
    else:
        last = EventId(known)
        await feed.get(call.caller, last)
    feed.check(call.caller)
    return _stream(call, last, filters)


async def _stream(call: Call[StreamFilter, None], last: EventId | None, filters: tuple[str, ...]) -> AsyncIterator[bytes]:
    feed, clock = call.runtime.feed, call.runtime.clock
    checked = clock.monotonic()
    with feed.follower(call.caller):
        yield _BEGINNING + _reached(last)
        while not feed.closed:
            found = await feed.after(call.caller, last, patience=_SILENCE)
            if found or clock.monotonic() - checked >= _SILENCE:
                # A key can be revoked, or expire, while its stream is open: nothing is told to it from then on.
                try:
                    await still_admitted(call.request)
                except Refused:
                    return
                checked = clock.monotonic()
            wanted = [each for each in found if matches(filters, each.type)]
            last = found[-1].id if found else last
            if found and (not wanted or wanted[-1] is not found[-1]):
                # What was not asked for need not be looked at again by a client that comes back.
                yield b"".join(map(_message, wanted)) + _reached(last)
            else:
                yield b"".join(map(_message, wanted)) or _REMARK


def _reached(last: EventId | None) -> bytes:
    """Return how far the stream has come, which is no message: a client says it when it comes back."""
    return b"\n" if last is None else b"id: %b\n\n" % last.encode()


def _message(event: events.Event) -> bytes:
    # An envelope is JSON in one line, so it is one data field.
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event.id.encode(), event.type.encode(), event.body)


OPERATIONS: Final = (stream_events,)
