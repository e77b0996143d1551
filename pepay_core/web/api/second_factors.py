"""The second factor: shown when signing in, and set up by whoever is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from pepay_core.domain import ids
from pepay_core.domain.errors import Conflict, InvalidInput, SignInFailed
from pepay_core.web.access import ENTERING, USER
from pepay_core.web.api.session import OwnSession, Password, opened_view
from pepay_core.web.operations import operation
from pepay_core.web.schemas import Nothing, Seconds, Sent

if TYPE_CHECKING:
    from pepay_core.web.operations import Call

_TAG: Final = "Second factor"
_PASSKEY: Final = {"passkey": ids.PASSKEY}

Code = Annotated[str, Meta(min_length=1, max_length=100, description="A one-time code, or a recovery code.")]
Answer = Annotated[dict[str, Any], Meta(description="What the browser says for a passkey, as JSON (WebAuthn `toJSON()`).")]


class ShowSecondFactor(Sent):
    """A code, or the answer of a passkey."""

    code: Code | None = None
    passkey: Answer | None = None


class WithPassword(Sent):
    """The password, because this changes how one signs in."""

    password: Password


class WithPasswordAndFactor(Sent):
    """The password and a second factor, because this takes one away."""

    password: Password
    code: Code | None = None
    passkey: Answer | None = None


class ConfirmCode(Sent):
    """The first code that the app shows."""

    code: Code


class NewPasskey(Sent):
    """What the device has made, and what the user calls it."""

    passkey: Answer
    name: Annotated[str, Meta(max_length=60)] = ""


class Passkey(msgspec.Struct):
    """A passkey of the user."""

    object: Literal["passkey"]
    id: str
    name: str
    created_at: Seconds
    last_used_at: Seconds | None


class SecondFactorsState(msgspec.Struct):
    """Which second factors a user has."""

    object: Literal["second_factors"]
    one_time_codes_since: Seconds | None
    passkeys: list[Passkey]
    recovery_codes_left: int
    can_have_passkeys: bool


class CodesBegun(msgspec.Struct):
    """The secret for an app, as text and as a link for its QR code; it counts once a code of it was shown."""

    object: Literal["one_time_codes"]
    secret: str
    link: str


class FactorChanged(msgspec.Struct):
    """The session that begins, and recovery codes where there were none: shown this once."""

    object: Literal["second_factor_changed"]
    session: OwnSession
    recovery_codes: list[str]


class PasskeyOptions(msgspec.Struct):
    """What the browser is to ask the device: for `navigator.credentials`, as JSON."""

    object: Literal["passkey_options"]
    options: dict[str, Any]


class RecoveryCodes(msgspec.Struct):
    """New recovery codes, shown this once; each signs in once."""

    object: Literal["recovery_codes"]
    codes: list[str]


@operation(
    "POST", "/api/v1/session/second-factor", tag=_TAG, access=ENTERING, body=ShowSecondFactor, gives=OwnSession, refuses=(SignInFailed, Conflict)
)
async def show_second_factor(call: Call[Nothing, ShowSecondFactor]) -> dict[str, Any]:
    """Finish signing in: with a one-time code, a recovery code, or a passkey."""
    sent = call.body
    return await opened_view(call, await call.runtime.people.signing_in.with_second_factor(call.signed_in, code=sent.code, passkey=sent.passkey))


@operation("POST", "/api/v1/session/passkey", tag=_TAG, access=ENTERING, gives=PasskeyOptions, refuses=(Conflict,))
async def ask_for_passkey(call: Call[Nothing, None]) -> dict[str, Any]:
    """Get what a passkey is to sign; the answer is good for five minutes, and once."""
    return {"object": "passkey_options", "options": await call.runtime.people.second_factors.challenge(call.signed_in)}


@operation("GET", "/api/v1/user/second-factors", tag=_TAG, access=USER, gives=SecondFactorsState)
async def get_second_factors(call: Call[Nothing, None]) -> dict[str, Any]:
    """Get which second factors one has."""
    return await call.runtime.people.second_factors.state(call.signed_in)


@operation("POST", "/api/v1/user/totp", tag=_TAG, access=USER, body=WithPassword, gives=CodesBegun, opens=True, refuses=(SignInFailed, Conflict))
async def begin_one_time_codes(call: Call[Nothing, WithPassword]) -> dict[str, Any]:
    """Begin to set up one-time codes: get a secret for an app."""
    return {"object": "one_time_codes", **await call.runtime.people.second_factors.begin_codes(call.signed_in, call.body.password)}


@operation(
    "POST", "/api/v1/user/totp/confirm", tag=_TAG, access=USER, body=ConfirmCode, gives=FactorChanged, opens=True, refuses=(SignInFailed, Conflict)
)
async def confirm_one_time_codes(call: Call[Nothing, ConfirmCode]) -> dict[str, Any]:
    """Let one-time codes count, by the first one: every session ends, and a new one begins in place of this one."""
    opened, codes = await call.runtime.people.second_factors.confirm_codes(call.signed_in, call.body.code)
    return {"object": "second_factor_changed", "session": await opened_view(call, opened), "recovery_codes": codes}


@operation(
    "POST", "/api/v1/user/totp/remove", tag=_TAG, access=USER, body=WithPasswordAndFactor, gives=OwnSession, opens=True, refuses=(SignInFailed,)
)
async def remove_one_time_codes(call: Call[Nothing, WithPasswordAndFactor]) -> dict[str, Any]:
    """Take one-time codes away: every session ends, and a new one begins in place of this one."""
    sent = call.body
    removed = await call.runtime.people.second_factors.remove_codes(call.signed_in, sent.password, code=sent.code, passkey=sent.passkey)
    return await opened_view(call, removed)


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
    return {"object": "passkey_options", "options": await call.runtime.people.second_factors.begin_passkey(call.signed_in, call.body.password)}


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
    opened, codes = await call.runtime.people.second_factors.finish_passkey(call.signed_in, call.body.passkey, call.body.name)
    return {"object": "second_factor_changed", "session": await opened_view(call, opened), "recovery_codes": codes}


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
    sent, factors = call.body, call.runtime.people.second_factors
    removed = await factors.remove_passkey(call.signed_in, call.path["passkey"], sent.password, code=sent.code, passkey=sent.passkey)
    return await opened_view(call, removed)


@operation(
    "POST", "/api/v1/user/recovery-codes", tag=_TAG, access=USER, body=WithPassword, gives=RecoveryCodes, opens=True, refuses=(SignInFailed, Conflict)
)
async def make_recovery_codes(call: Call[Nothing, WithPassword]) -> dict[str, Any]:
    """Get ten new recovery codes in place of the old ones."""
    return {"object": "recovery_codes", "codes": await call.runtime.people.second_factors.new_recovery_codes(call.signed_in, call.body.password)}


OPERATIONS: Final = (
    show_second_factor,
    ask_for_passkey,
    get_second_factors,
    begin_one_time_codes,
    confirm_one_time_codes,
    remove_one_time_codes,
    begin_passkey,
    add_passkey,
    remove_passkey,
    make_recovery_codes,
)
