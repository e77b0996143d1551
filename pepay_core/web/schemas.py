"""The building blocks of what goes over the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pepay_core.domain.errors import InvalidInput
from pepay_core.domain.ids import ALPHABET
from pepay_core.domain.money import AMOUNT_PATTERN
from pepay_core.services.paging import Page


def id_pattern(prefix: str) -> str:
    """Return the pattern of the ids of a kind."""
    return f"^{prefix}_[{ALPHABET}]{{26}}$"


_TIME: Final = r"^([0-9]{1,11}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2}))$"
_DIGITS: Final = AMOUNT_PATTERN.replace(r"\d", "[0-9]")

# --- what is sent in -----------------------------------------------------------------------

Amount: TypeAlias = Annotated[
    msgspec.Raw,
    Meta(
        description="A decimal amount, best as a string. A number is read as it is written, and never rounded.",
        extra_json_schema={
            "anyOf": [{"type": "string", "pattern": _DIGITS}, {"type": "number", "minimum": 0}, {"type": "null"}],
            "examples": ["49.99"],
        },
    ),
]
AnyObject: TypeAlias = Annotated[
    msgspec.Raw,
    Meta(description="Any JSON object of at most 16 KB; it comes back as it was sent.", extra_json_schema={"type": ["object", "null"]}),
]
AssetText: TypeAlias = Annotated[str, Meta(min_length=1, max_length=171, description="A CAIP-19 asset id.", examples=["eip155:1/slip44:60"])]
Text255: TypeAlias = Annotated[str, Meta(max_length=255)]
Time: TypeAlias = Annotated[
    str, Meta(pattern=_TIME, description="Epoch seconds, or RFC 3339 with an offset.", examples=["1766321400", "2026-11-01T00:00:00Z"])
]

# --- what is sent back ---------------------------------------------------------------------

Money: TypeAlias = Annotated[str, Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?$", description="A decimal amount.", examples=["49.99"])]
BaseUnits: TypeAlias = Annotated[str, Meta(pattern="^-?[0-9]+$", description="A whole number of base units.", examples=["50000000"])]
Seconds: TypeAlias = Annotated[int, Meta(description="Epoch seconds.", examples=[1766321400])]


class Sent(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a request's body may hold: nothing that is not named."""


class Nothing(msgspec.Struct):
    """No query parameters."""


class Paging(msgspec.Struct, kw_only=True):
    """Which page of a list."""

    limit: Annotated[int, Meta(ge=1, le=100, description="How many, at most.")] = 10
    starting_after: Annotated[str, Meta(max_length=64, description="The id of the last object of the page before.")] | UnsetType = UNSET
    ending_before: Annotated[str, Meta(max_length=64, description="The id of the first object of the page after.")] | UnsetType = UNSET

    def page(self) -> Page:
        """Return the page; raises InvalidInput when it is asked for from both sides."""
        if self.starting_after and self.ending_before:
            raise InvalidInput("give starting_after or ending_before, not both", field="ending_before")
        return Page(self.limit, self.starting_after or None, self.ending_before or None)


class Detail(msgspec.Struct):
    """One field that is wrong."""

    field: Annotated[str, Meta(description="The field's name, dotted where it is nested.")]
    message: str


class Reason(msgspec.Struct):
    """What is wrong, for programs."""

    code: Annotated[str, Meta(description="The stable name of the error.", examples=["invalid_amount"])]
    message: str
    details: list[Detail]


class ProblemDocument(msgspec.Struct):
    """A refusal (RFC 9457)."""

    type: Annotated[str, Meta(description="A page that explains the error.")]
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str
    success: Annotated[bool, Meta(extra_json_schema={"const": False})]
    error: Reason
    request_id: str


def moment(text: str, field: str) -> datetime:
    """Return the moment that a text names; raises InvalidInput when there is none such."""
    try:
        return datetime.fromtimestamp(int(text), UTC) if text.isdecimal() else datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise InvalidInput("must be epoch seconds, or RFC 3339 such as 2026-11-01T00:00:00Z", field=field) from None


def given(query: msgspec.Struct, *names: str, **times: str) -> dict[str, Any]:
    """Return the filters that a query gives: ``names`` as they are, ``times`` (filter = name of the parameter) as moments."""
    found = {name: value for name in names if (value := getattr(query, name)) is not UNSET}
    return found | {name: moment(text, parameter) for name, parameter in times.items() if (text := getattr(query, parameter)) is not UNSET}
