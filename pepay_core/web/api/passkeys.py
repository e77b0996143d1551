"""Passkeys: signing in with one, alone or after the password, and the passkeys that a user has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta

from pepay_core.domain import ids
from pepay_core.domain.errors import Conflict, InvalidInput, PasskeyUnknown, SignInFailed
from pepay_core.web.access import DOOR, ENTERING, USER
from pepay_core.web.api.factor_objects import Answer, FactorChanged, Passkey, PasskeyOptions, WithPassword, WithPasswordAndFactor
from pepay_core.web.api.session import OwnSession, opened_view
from pepay_core.web.asgi.facts import facts
from pepay_core.web.operations import operation
from pepay_core.web.problems import ForgedRequest
from pepay_core.web.schemas import Nothing, Sent
from pepay_core.web.sessions import browsers_of

if TYPE_CHECKING:
    from pepay_core.web.operations import Call

_TAG: Final = "Passkeys"
_PASSKEY: Final = {"passkey": ids.PASSKEY}


class PasskeyAnswer(Sent):
    """What the browser says for a passkey that the user has chosen."""

    passkey: Answer


class NewPasskey(Sent):
    """What the device has made, and what the user calls it."""

    passkey: Answer
    name: Annotated[str, Meta(max_length=60)] = ""


class RenamePasskey(Sent):
    """What the user calls it from now on."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]


@operation("POST", "/api/v1/session/by-passkey/begin", tag=_TAG, access=DOOR, gives=PasskeyOptions, refuses=(Conflict, ForgedRequest))
async def begin_sign_in_by_passkey(call: Call[Nothing, None]) -> dict[str, Any]:
    """Get what a passkey of whoever wants to sign in is to sign; the answer is good for five minutes, and once."""
    return {"object": "passkey_options", "options": call.runtime.people.signing_in.begin_with_passkey()}


@operation(
    "POST",
    "/api/v1/session/by-passkey",
    tag=_TAG,
    access=DOOR,
    status=201,
    body=PasskeyAnswer,
    gives=OwnSession,
    refuses=(SignInFailed, PasskeyUnknown, ForgedRequest),
)
async def sign_in_by_passkey(call: Call[Nothing, PasskeyAnswer]) -> dict[str, Any]:
    """Sign in with a passkey alone: no password and no other factor is owed, because the device has asked its user who they are.

    The session comes as a cookie, in place of the one that the browser had.
    """
    request = call.request
    opened = await call.runtime.people.signing_in.with_passkey(
        call.body.passkey,
        address=facts(request.scope).address or None,
        agent=request.headers.get("user-agent"),
        instead_of=browsers_of(request).session_of(request),
    )
    return await opened_view(call, opened)


@operation("POST", "/api/v1/session/passkey", tag=_TAG, access=ENTERING, gives=PasskeyOptions, refuses=(Conflict,))
async def ask_for_passkey(call: Call[Nothing, None]) -> dict[str, Any]:
    """Get what a passkey of the signed-in user is to sign; the answer is good for five minutes, and once."""
    return {"object": "passkey_options", "options": await call.runtime.people.passkeys.challenge(call.signed_in)}


@operation(
    "POST",
    "/api/v1/user/passkeys/begin",
    tag=_TAG,
    access=USER,
    body=WithPassword,
    gives=PasskeyOptions,
    opens=True,
    refuses=(SignInFailed, Conflict),
)
async def begin_passkey(call: Call[Nothing, WithPassword]) -> dict[str, Any]:
    """Begin to add a passkey: get what the device is to make."""
    return {"object": "passkey_options", "options": await call.runtime.people.passkeys.begin(call.signed_in, call.body.password)}


@operation(
    "POST",
    "/api/v1/user/passkeys",
    tag=_TAG,
    access=USER,
    status=201,
    body=NewPasskey,
    gives=FactorChanged,
    opens=True,
    refuses=(Conflict, InvalidInput),
)
async def add_passkey(call: Call[Nothing, NewPasskey]) -> dict[str, Any]:
    """Add the passkey that the device has made: every session ends, and a new one begins in place of this one."""
    opened, codes = await call.runtime.people.passkeys.finish(call.signed_in, call.body.passkey, call.body.name)
    return {"object": "second_factor_changed", "session": await opened_view(call, opened), "recovery_codes": codes}


@operation(
    "PATCH", "/api/v1/user/passkeys/{passkey}", tag=_TAG, access=USER, ids=_PASSKEY, body=RenamePasskey, gives=Passkey, refuses=(InvalidInput,)
)
async def rename_passkey(call: Call[Nothing, RenamePasskey]) -> dict[str, Any]:
    """Call a passkey something else."""
    return await call.runtime.people.passkeys.rename(call.signed_in, call.path["passkey"], call.body.name)


@operation(
    "POST",
    "/api/v1/user/passkeys/{passkey}/remove",
    tag=_TAG,
    access=USER,
    ids=_PASSKEY,
    body=WithPasswordAndFactor,
    gives=OwnSession,
    opens=True,
    refuses=(SignInFailed,),
)
async def remove_passkey(call: Call[Nothing, WithPasswordAndFactor]) -> dict[str, Any]:
    """Take a passkey away: every session ends, and a new one begins in place of this one."""
    sent, passkeys = call.body, call.runtime.people.passkeys
    removed = await passkeys.remove(call.signed_in, call.path["passkey"], sent.password, code=sent.code, passkey=sent.passkey)
    return await opened_view(call, removed)


OPERATIONS: Final = (
    begin_sign_in_by_passkey,
    sign_in_by_passkey,
    ask_for_passkey,
    begin_passkey,
    add_passkey,
    rename_passkey,
    remove_passkey,
)
