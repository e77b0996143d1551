"""Signing in and out, and the sessions that a user has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from pepay_core.domain import ids
from pepay_core.domain.errors import InvalidInput, SignInFailed
from pepay_core.services.people.sessions import FRESH, SignedIn
from pepay_core.services.presenting import seconds
from pepay_core.web.access import DOOR, ENTERING, USER
from pepay_core.web.api.people_objects import Membership, User  # noqa: TC001 - msgspec reads the annotations
from pepay_core.web.asgi.facts import facts
from pepay_core.web.operations import operation
from pepay_core.web.problems import ForgedRequest
from pepay_core.web.schemas import Nothing, Seconds, Sent
from pepay_core.web.sessions import browsers_of, drop_session, keep_session

if TYPE_CHECKING:
    from pepay_core.services.people.sessions import Opened
    from pepay_core.web.operations import Call

_TAG: Final = "Sessions"
_SESSION: Final = {"session": ids.SESSION}

Password = Annotated[str, Meta(min_length=1, max_length=2_000)]


class SignIn(Sent):
    """Who somebody is, and how they show it."""

    email: Annotated[str, Meta(min_length=1, max_length=320)]
    password: Password


class SignInOnceMore(Sent):
    """The password of whoever is signed in, and their second factor where they have one; or the answer of a passkey alone."""

    password: Password | None = None
    code: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    passkey: dict[str, Any] | None = None


class OwnSession(msgspec.Struct):
    """The session of the caller. While its ``level`` is ``pending``, the second factor is owed, and nothing else is open.

    Send ``csrf_token`` as ``x-csrf-token`` with everything but GET; it changes with the session. Until ``fresh_until`` the sign-in is
    new enough for what asks for a new one.
    """

    object: Literal["session"]
    id: str
    level: Literal["pending", "full"]
    csrf_token: str
    created_at: Seconds
    expires_at: Seconds
    fresh_until: Seconds
    user: User | None
    memberships: list[Membership]


class Session(msgspec.Struct):
    """A sign-in that has not ended; ``is_present`` marks the one that asks."""

    object: Literal["session"]
    id: str
    is_present: bool
    level: Literal["pending", "full"]
    created_at: Seconds
    seen_at: Seconds
    expires_at: Seconds
    address: str | None
    agent: str | None


class SignedOut(msgspec.Struct):
    """A session that is over."""

    object: Literal["session"]
    id: str
    ended: bool


class OthersEnded(msgspec.Struct):
    """How many sessions were ended."""

    object: Literal["sessions_ended"]
    count: int


@operation("POST", "/api/v1/session", tag=_TAG, access=DOOR, status=201, body=SignIn, gives=OwnSession, refuses=(SignInFailed, ForgedRequest))
async def sign_in(call: Call[Nothing, SignIn]) -> dict[str, Any]:
    """Sign in with a password.

    The session comes as a cookie, in place of the one that the browser had. Where the user has a second factor, it is owed next.
    """
    request = call.request
    opened = await call.runtime.people.signing_in.with_password(
        call.body.email,
        call.body.password,
        address=facts(request.scope).address or None,
        agent=request.headers.get("user-agent"),
        instead_of=browsers_of(request).session_of(request),
    )
    return await opened_view(call, opened)


@operation("GET", "/api/v1/session", tag=_TAG, access=ENTERING, gives=OwnSession)
async def get_own_session(call: Call[Nothing, None]) -> dict[str, Any]:
    """Get who is signed in, and what they may do for which merchant."""
    return await _view(call, call.signed_in, browsers_of(call.request).session_of(call.request) or "")


@operation(
    "POST", "/api/v1/session/again", tag=_TAG, access=USER, body=SignInOnceMore, gives=OwnSession, opens=True, refuses=(SignInFailed, InvalidInput)
)
async def sign_in_again(call: Call[Nothing, SignInOnceMore]) -> dict[str, Any]:
    """Show once more who one is, by all that signing in asks of one: for what asks for a sign-in that is minutes old."""
    sent = call.body
    if sent.password is None and sent.passkey is None:
        raise InvalidInput("is required where no passkey answers", field="password")
    return await opened_view(call, await call.runtime.people.signing_in.step_up(call.signed_in, sent.password, code=sent.code, passkey=sent.passkey))


@operation("DELETE", "/api/v1/session", tag=_TAG, access=ENTERING, gives=SignedOut)
async def sign_out(call: Call[Nothing, None]) -> dict[str, Any]:
    """Sign out: the session ends at once, also for requests that are still on their way."""
    await call.runtime.people.sessions.close(browsers_of(call.request).session_of(call.request) or "")
    drop_session(call.request)
    return {"object": "session", "id": call.signed_in.session.id, "ended": True}


@operation("GET", "/api/v1/sessions", tag=_TAG, access=USER, gives=Session, many=True)
async def list_sessions(call: Call[Nothing, None]) -> list[dict[str, Any]]:
    """List where one is signed in."""
    return await call.runtime.people.sessions.list(call.signed_in)


@operation("DELETE", "/api/v1/sessions/{session}", tag=_TAG, access=USER, ids=_SESSION, gives=SignedOut)
async def revoke_session(call: Call[Nothing, None]) -> dict[str, Any]:
    """End one of one's own sessions."""
    await call.runtime.people.sessions.revoke(call.signed_in, call.path["session"])
    return {"object": "session", "id": call.path["session"], "ended": True}


@operation("POST", "/api/v1/sessions/end-others", tag=_TAG, access=USER, gives=OthersEnded)
async def end_other_sessions(call: Call[Nothing, None]) -> dict[str, Any]:
    """End every session of one's own but this one."""
    return {"object": "sessions_ended", "count": await call.runtime.people.sessions.revoke_others(call.signed_in)}


async def opened_view(call: Call[Any, Any], opened: Opened) -> dict[str, Any]:
    """Give the browser a new session, and return it as its owner sees it."""
    keep_session(call.request, opened)
    return await _view(call, SignedIn(opened.session, opened.user), opened.token)


async def _view(call: Call[Any, Any], signed_in: SignedIn, token: str) -> dict[str, Any]:
    people, session = call.runtime.people, signed_in.session
    return {
        "object": "session",
        "id": session.id,
        "level": session.level.value,
        "csrf_token": browsers_of(call.request).csrf(token),
        "created_at": seconds(session.created_at),
        "expires_at": seconds(session.expires_at),
        "fresh_until": seconds(session.authenticated_at + FRESH),
        # Who has shown a password only, is told nothing yet.
        "user": people.accounts.view(signed_in.user) if signed_in.is_full else None,
        "memberships": await people.memberships.of_user(signed_in.user) if signed_in.is_full else [],
    }


OPERATIONS: Final = (sign_in, get_own_session, sign_in_again, sign_out, list_sessions, revoke_session, end_other_sessions)
