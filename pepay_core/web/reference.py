"""The API's own description: the OpenAPI document, a page that shows it, and a page for each error."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar import Response, get
from litestar.params import FromPath  # noqa: TC002 - Litestar reads the annotations

from pepay_core.domain.errors import NotFound
from pepay_core.web.openapi import build
from pepay_core.web.operations import ANYBODY
from pepay_core.web.problems import kinds, title
from pepay_core.web.templating import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from litestar.handlers import HTTPRouteHandler

    from pepay_core.web.operations import Operation

_OPEN: Final = {"access": ANYBODY}
_HTML: Final = "text/html"


def handlers(operations: Sequence[Operation], base_url: str) -> list[HTTPRouteHandler]:
    """Return the handlers; what they answer is made once, when somebody asks for it, so that a server starts without it."""
    errors = kinds()

    @cache
    def document() -> dict[str, Any]:
        return build(operations, base_url)

    @cache
    def encoded() -> bytes:
        return msgspec.json.encode(document())

    @cache
    def page() -> str:
        return render("reference.html", groups=_groups(document()), document=document(), spaced=_spaced)

    @get("/schema/openapi.json", opt=_OPEN, sync_to_thread=False)
    def openapi() -> Response[bytes]:
        return Response(encoded(), media_type="application/json")

    @get("/schema", opt=_OPEN, sync_to_thread=False)
    def reading() -> Response[str]:
        return Response(page(), media_type=_HTML)

    @get("/errors/{code:str}", opt=_OPEN, sync_to_thread=False)
    def explained(code: FromPath[str]) -> Response[str]:
        kind = errors.get(code)
        if kind is None:
            raise NotFound("there is no such error")
        return Response(render("error_kind.html", kind=kind, name=title(kind.code)), media_type=_HTML)

    @get("/errors", opt=_OPEN, sync_to_thread=False)
    def every_error() -> Response[str]:
        return Response(
            render("error_kinds.html", kinds=sorted(errors.values(), key=lambda each: (each.status, each.code)), title=title), media_type=_HTML
        )

    return [openapi, reading, explained, every_error]


def _groups(document: dict[str, Any]) -> dict[str, list[tuple[str, str, dict[str, Any]]]]:
    """Return the operations by their tag, as method, path and description."""
    found: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            found.setdefault(described["tags"][0], []).append((method.upper(), path, described))
    return found


def _spaced(schema: dict[str, Any]) -> str:
    """Return a schema's type in a few words."""
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_spaced(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return " · ".join(str(each) for each in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_spaced(schema.get('items', {}))}"
    return re.sub(r"[\[\]']", "", str(kind)) if not isinstance(kind, list) else " or ".join(kind)
