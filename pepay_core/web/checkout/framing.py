"""The hosted page in a frame of the shop's own page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pepay_core.services.framing import framers
from pepay_core.web.policies import scripted

if TYPE_CHECKING:
    from litestar import Request

    from pepay_core.runtime import Runtime

# For pages that isolate themselves: they take only what says that it may be there, and load nothing that does not say so.
_ISOLATED: Final = {"Cross-Origin-Resource-Policy": "cross-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
_MAX_PARENT: Final = 300


@dataclass(frozen=True, slots=True)
class Embedded:
    """A page made for a frame, by whom it may be framed, and the saved origin that it speaks to; where that is None, it speaks to nobody."""

    framers: tuple[str, ...]
    named: str

    @property
    def parent(self) -> str | None:
        """The origin of the page around this one."""
        return self.named if self.named in self.framers else None

    @property
    def handed(self) -> dict[str, str]:
        """What the page's own links hand on, so that the next page is made for the frame as well."""
        return {"embed": "1", "parent": self.named}

    @property
    def headers(self) -> dict[str, str]:
        """What tells browsers who may frame the page: nobody, where the merchant saved no origin."""
        if not self.framers:
            return {}
        return {"Content-Security-Policy": scripted(" ".join(self.framers)), **_ISOLATED}


async def embedded(request: Request[Any, Any, Any], runtime: Runtime, invoice: str) -> Embedded | None:
    """Return how a page is embedded, or None where it is not asked for, and then nobody may frame it.

    Who may is the merchant's to say, and the page that names itself in ``parent`` is looked up there: where a request seems to come from
    is no proof, and a page that names another one than itself is kept out by the browser.
    """
    if request.query_params.get("embed") != "1":
        return None
    return Embedded(await framers(runtime.store, invoice), request.query_params.get("parent", "")[:_MAX_PARENT])
