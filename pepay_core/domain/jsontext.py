"""JSON without floats: numbers with a fraction are read as Decimal, and what PePay writes has money as strings."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from pepay_core.domain.errors import Unavailable


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def decode(body: bytes | str) -> Any:
    """Return the decoded JSON of something that answered us; raises Unavailable when it is none."""
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, ArithmeticError, RecursionError) as exc:  # Decimal's errors are arithmetic ones
        raise Unavailable("the answer is not JSON") from exc


def encode(value: Any) -> bytes:
    """Return compact UTF-8 JSON; raises ValueError for NaN and infinities."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
