"""Second factors as they go over the wire: what is shown of them, and what is sent to change them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pepay_core.web.api.session import OwnSession, Password  # noqa: TC001 - msgspec reads the annotations
from pepay_core.web.schemas import Seconds, Sent

Code = Annotated[str, Meta(min_length=1, max_length=100, description="A one-time code, or a recovery code.")]
Answer = Annotated[dict[str, Any], Meta(description="What the browser says for a passkey, as JSON (WebAuthn `toJSON()`).")]


class WithPassword(Sent):
    """The password, because this changes how one signs in."""

    password: Password


class WithPasswordAndFactor(Sent):
    """The password and a second factor, because this takes one away."""

    password: Password
    code: Code | None = None
    passkey: Answer | None = None


class Passkey(msgspec.Struct):
    """A passkey of the user."""

    object: Literal["passkey"]
    id: str
    name: str
    created_at: Seconds
    last_used_at: Seconds | None


class PasskeyOptions(msgspec.Struct):
    """What the browser is to ask the device: for `navigator.credentials`, as JSON."""

    object: Literal["passkey_options"]
    options: dict[str, Any]


class FactorChanged(msgspec.Struct):
    """The session that begins, and recovery codes where there were none: shown this once."""

    object: Literal["second_factor_changed"]
    session: OwnSession
    recovery_codes: list[str]
