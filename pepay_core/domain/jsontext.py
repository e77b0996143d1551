"""JSON without floats: numbers with a fraction are read as Decimal, and what PePay writes has money as strings."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from pepay_core.domain.errors import Unavailable

# NUL is refused in every text that is taken in, so no string of anybody's looks like a marked number.
_MARKED: Final = re.compile(r'"\\u0000([-+.0-9E]+)\\u0000"')


class Number(Decimal):
    """A number with a fraction or an exponent in somebody else's JSON: written back as the number it was.

    Other Decimals are money, which is a string in JSON; :func:`encode` refuses them.
    """

    __slots__ = ()


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def decode(body: bytes | str) -> Any:
    """Return the decoded JSON of something that answered us; raises Unavailable when it is none."""
    try:
        return json.loads(body, parse_float=Number, parse_constant=_refuse_constant)
    except (ValueError, RecursionError, InvalidOperation) as exc:
        raise Unavailable("the answer is not JSON") from exc


def encode(value: Any) -> bytes:
    """Return compact UTF-8 JSON; raises ValueError for NaN and infinities, TypeError for money that is not a string."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_marked)
    return _MARKED.sub(r"\1", text).encode()


def _marked(value: Any) -> str:
    if isinstance(value, Number) and value.is_finite():
        return f"\0{value}\0"
    raise TypeError(f"{type(value).__name__} has no form in JSON")
