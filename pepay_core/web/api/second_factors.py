"""The second factor: shown when signing in, and set up by whoever is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from pepay_core.domain.errors import Conflict, SignInFailed
from pepay_core.web.access import ENTERING, USER
from pepay_core.web.api.factor_objects import Answer, Code, FactorChanged, Passkey, WithPassword, WithPasswordAndFactor
from pepay_core.web.api.session import OwnSession, opened_view
from pepay_core.web.operations import operation
from pepay_core.web.schemas import Nothing, Seconds, Sent

if TYPE_CHECKING:
    from pepay_core.web.operations import Call

_TAG: Final = "Second factor"


class ShowSecondFactor(Sent):
    """A code, or the answer of a passkey."""

    code: Code | None = None
    passkey: Answer | None = None


class ConfirmCode(Sent):
    """The first code that the app shows."""

    code: Code


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


@operation("GET", "/api/v1/user/second-factors", tag=_TAG, access=USER, gives=SecondFactorsState)
async def get_second_factors(call: Call[Nothing, None]) -> dict[str, Any]:
    """Get which second factors one has."""
    return await call.runtime.people.second_factors.state(call.signed_in)


@operation("POST", "/api/v1/user/totp", tag=_TAG, access=USER, body=WithPassword, gives=CodesBegun, opens=True, refuses=(SignInFailed, Conflict))
async def begin_one_time_codes(call: Call[Nothing, WithPassword]) -> dict[str, Any]:
    """Begin to set up one-time codes: get a secret for an app."""
    return {"object": "one_time_codes", **await call.runtime.people.one_time_codes.begin(call.signed_in, call.body.password)}


@operation(
    "POST", "/api/v1/user/totp/confirm", tag=_TAG, access=USER, body=ConfirmCode, gives=FactorChanged, opens=True, refuses=(SignInFailed, Conflict)
)
async def confirm_one_time_codes(call: Call[Nothing, ConfirmCode]) -> dict[str, Any]:
    """Let one-time codes count, by the first one: every session ends, and a new one begins in place of this one."""
    opened, codes = await call.runtime.people.one_time_codes.confirm(call.signed_in, call.body.code)
    return {"object": "second_factor_changed", "session": await opened_view(call, opened), "recovery_codes": codes}


@operation(
    "POST", "/api/v1/user/totp/remove", tag=_TAG, access=USER, body=WithPasswordAndFactor, gives=OwnSession, opens=True, refuses=(SignInFailed,)
)
async def remove_one_time_codes(call: Call[Nothing, WithPasswordAndFactor]) -> dict[str, Any]:
    """Take one-time codes away: every session ends, and a new one begins in place of this one."""
    sent = call.body
    removed = await call.runtime.people.one_time_codes.remove(call.signed_in, sent.password, code=sent.code, passkey=sent.passkey)
    return await opened_view(call, removed)


@operation(
    "POST", "/api/v1/user/recovery-codes", tag=_TAG, access=USER, body=WithPassword, gives=RecoveryCodes, opens=True, refuses=(SignInFailed, Conflict)
)
async def make_recovery_codes(call: Call[Nothing, WithPassword]) -> dict[str, Any]:
    """Get ten new recovery codes in place of the old ones."""
    return {"object": "recovery_codes", "codes": await call.runtime.people.second_factors.new_recovery_codes(call.signed_in, call.body.password)}


OPERATIONS: Final = (
    show_second_factor,
    get_second_factors,
    begin_one_time_codes,
    confirm_one_time_codes,
    remove_one_time_codes,
    make_recovery_codes,
)
