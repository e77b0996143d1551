"""Replays: a range of events sent to an endpoint once more, and how far that has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from pepay_core.domain import ids
from pepay_core.domain.errors import Conflict, InvalidInput
from pepay_core.domain.ids import EndpointId, ReplayId
from pepay_core.web.operations import operation
from pepay_core.web.schemas import Nothing, Paging, Seconds, Sent, Time, moment

if TYPE_CHECKING:
    from pepay_core.services.paging import Slice
    from pepay_core.web.operations import Call

_TAG: Final = "Webhooks"
_READ: Final = "webhooks:read"
_WRITE: Final = "webhooks:write"
_ENDPOINT: Final = {"webhook": ids.ENDPOINT}
_REPLAY: Final = {"replay": ids.REPLAY}


class BeginReplay(Sent):
    """A range of time."""

    start: Time | int = msgspec.field(name="from")
    end: Time | int = msgspec.field(name="to")


class Replay(msgspec.Struct):
    """Events on their way to an endpoint once more, in the order in which they happened."""

    object: Literal["replay"]
    id: str
    livemode: bool
    endpoint: str
    state: Literal["running", "done", "stopped"]
    reason: Annotated[str, Meta(description="Why it was stopped.")] | None
    start: Seconds = msgspec.field(name="from")
    end: Seconds = msgspec.field(name="to")
    count: Annotated[int, Meta(description="How many events the endpoint listens to happened in the range.")]
    queued: Annotated[int, Meta(description="How many of them have a delivery by now.")]
    reached_at: Annotated[Seconds, Meta(description="When the last event happened that was gone through.")] | None
    created_at: Seconds
    finished_at: Seconds | None


@operation(
    "POST",
    "/api/v1/webhooks/{webhook}/replay",
    tag=_TAG,
    access=_WRITE,
    ids=_ENDPOINT,
    body=BeginReplay,
    gives=Replay,
    refuses=(Conflict, InvalidInput),
)
async def replay_events(call: Call[Nothing, BeginReplay]) -> dict[str, Any]:
    """Deliver every event of a range of time again.

    The work goes on by itself, through restarts, at most 100 events a second and no faster than the endpoint takes them.
    An endpoint has one replay at a time.
    """
    start, end = moment(str(call.body.start), "from"), moment(str(call.body.end), "to")
    return await call.runtime.resending.begin(call.caller, EndpointId(call.path["webhook"]), start, end)


@operation("GET", "/api/v1/webhooks/{webhook}/replays", tag=_TAG, access=_READ, ids=_ENDPOINT, query=Paging, gives=Replay, many=True)
async def list_replays(call: Call[Paging, None]) -> Slice[dict[str, Any]]:
    """List the replays of an endpoint, newest first."""
    return await call.runtime.resending.page(call.caller, EndpointId(call.path["webhook"]), call.query.page())


@operation("GET", "/api/v1/webhooks/replays/{replay}", tag=_TAG, access=_READ, ids=_REPLAY, gives=Replay)
async def get_replay(call: Call[Nothing, None]) -> dict[str, Any]:
    """Get a replay, and how far it has come."""
    return await call.runtime.resending.get(call.caller, ReplayId(call.path["replay"]))


@operation("POST", "/api/v1/webhooks/replays/{replay}/stop", tag=_TAG, access=_WRITE, ids=_REPLAY, gives=Replay, refuses=(Conflict,))
async def stop_replay(call: Call[Nothing, None]) -> dict[str, Any]:
    """Stop a replay: what has a delivery already is delivered, and nothing further."""
    return await call.runtime.resending.stop(call.caller, ReplayId(call.path["replay"]))


@operation("POST", "/api/v1/webhooks/replays/{replay}/resume", tag=_TAG, access=_WRITE, ids=_REPLAY, gives=Replay, refuses=(Conflict,))
async def resume_replay(call: Call[Nothing, None]) -> dict[str, Any]:
    """Go on with a replay that was stopped, from where it was."""
    return await call.runtime.resending.resume(call.caller, ReplayId(call.path["replay"]))


OPERATIONS: Final = (replay_events, list_replays, get_replay, stop_replay, resume_replay)
