"""The audit log of a merchant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pepay_core.web.operations import operation
from pepay_core.web.schemas import Paging, Seconds, Time, given

if TYPE_CHECKING:
    from pepay_core.services.paging import Slice
    from pepay_core.web.operations import Call


class AuditFilter(Paging):
    """Which entries."""

    actor: Annotated[str, Meta(max_length=64, description="An id, as `actor.name` shows it.")] | UnsetType = UNSET
    action: Annotated[str, Meta(max_length=64, examples=["key.created"])] | UnsetType = UNSET
    subject: Annotated[str, Meta(max_length=128, description="The id of what was changed.")] | UnsetType = UNSET
    created_from: Time | UnsetType = UNSET
    created_to: Time | UnsetType = UNSET


class AuditActor(msgspec.Struct):
    """Who did it: a user or a key by its id, whoever had the command line by their account, or PePay itself."""

    kind: Literal["user", "key", "operator", "system"]
    name: str


class AuditEntry(msgspec.Struct):
    """Something that was done. What belongs to no environment has a null ``livemode``, and is shown in both."""

    object: Literal["audit_entry"]
    id: str
    livemode: bool | None
    merchant: str
    actor: AuditActor
    action: str
    subject: str
    details: Annotated[dict[str, Any] | None, Meta(description="What changed; null where the entry was damaged.")]
    created_at: Seconds


@operation("GET", "/api/v1/audit", tag="Merchant", access="audit:read", query=AuditFilter, gives=AuditEntry, many=True)
async def list_audit_entries(call: Call[AuditFilter, None]) -> Slice[dict[str, Any]]:
    """List who did what, newest first."""
    where = given(call.query, "actor", "action", "subject", created_from="created_from", created_to="created_to")
    return await call.runtime.attesting.page(call.caller, call.query.page(), where)


OPERATIONS: Final = (list_audit_entries,)
