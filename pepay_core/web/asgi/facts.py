"""What the layers know of a request and tell each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litestar.datastructures import Cookie

    from pepay_core.services.callers import Caller
    from pepay_core.services.people.sessions import SignedIn
    from pepay_core.web.limiting import Standing

_KEY: Final = "pepay.facts"


@dataclass(slots=True)
class Facts:
    """One request: its id, whom it comes from, and how its allowance stands once somebody was charged for it.

    ``admitted``: the gate has let it in. ``cookies`` go back with the answer.
    """

    request_id: str = ""
    address: str = ""
    caller: Caller | None = None
    signed_in: SignedIn | None = None
    standing: Standing | None = None
    admitted: bool = False
    cookies: list[Cookie] = field(default_factory=list["Cookie"])

    @property
    def name(self) -> str:
        """Who asks, as the log has it."""
        return self.caller.name if self.caller else self.signed_in.user.id if self.signed_in else "-"


def facts(scope: Mapping[str, Any]) -> Facts:
    """Return the facts of a request, the same object at every call."""
    return cast("Facts", cast("dict[str, Any]", scope).setdefault(_KEY, Facts()))


def header(scope: Mapping[str, Any], name: bytes) -> str | None:
    """Return the first header of a name (lower case), or None."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)
