"""Users, members and merchants as they go over the wire."""

from __future__ import annotations

from typing import Literal

import msgspec

from pepay_core.web.schemas import Seconds  # noqa: TC001 - msgspec reads the annotations


class User(msgspec.Struct):
    """Somebody who signs in. ``is_admin``: of the whole platform."""

    object: Literal["user"]
    id: str
    name: str
    email: str
    is_admin: bool
    has_one_time_codes: bool
    created_at: Seconds
    suspended_at: Seconds | None


class Membership(msgspec.Struct):
    """A merchant of the signed-in user, and what they may do there."""

    object: Literal["membership"]
    merchant: str
    name: str
    role: Literal["owner", "admin", "developer", "accountant", "viewer"]
    scopes: list[str]


class Member(msgspec.Struct):
    """A user who is a member of the merchant."""

    object: Literal["member"]
    user: str
    name: str
    email: str
    role: Literal["owner", "admin", "developer", "accountant", "viewer"]
    created_at: Seconds
    suspended_at: Seconds | None


class Invitation(msgspec.Struct):
    """The right to register once, or to become a member. ``link`` is there where nothing sends mail: pass it on, it is shown this once."""

    object: Literal["invitation"]
    id: str
    email: str
    merchant: str | None
    role: Literal["owner", "admin", "developer", "accountant", "viewer"] | None
    is_admin: bool
    created_at: Seconds
    expires_at: Seconds
    link: str | None = None
