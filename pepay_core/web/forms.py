"""What a page's own form sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from pepay_core.domain.errors import InvalidInput
from pepay_core.web.decoding import is_storable
from pepay_core.web.problems import WrongMediaType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litestar import Request

MEDIA_TYPE: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 30


def is_form(request: Request[Any, Any, Any]) -> bool:
    """Tell whether a request brings a form."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == MEDIA_TYPE


async def form(request: Request[Any, Any, Any]) -> Mapping[str, str]:
    """Return a form's fields; raises WrongMediaType, or InvalidInput for what is not one, or has a field twice."""
    if not is_form(request):
        raise WrongMediaType("send the page's own form")
    try:
        body = (await request.body()).decode("ascii")
        pairs = parse_qsl(body, keep_blank_values=True, strict_parsing=bool(body), max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise InvalidInput("the form cannot be read") from None
    found = dict(pairs)
    if len(found) != len(pairs) or not all(is_storable(text) for pair in pairs for text in pair):
        raise InvalidInput("the form cannot be read")
    return found
