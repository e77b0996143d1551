"""JSON-RPC 2.0 for chains: the errors, the hexadecimal forms, and a small client.

Quantities and data are written as the Ethereum JSON-RPC specification says: quantities without leading zeros, data with
two digits for each byte.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from typing import TYPE_CHECKING, Any, Final

from pepay_core.api import decode, encode

if TYPE_CHECKING:
    import aiohttp

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
SERVER_ERROR: Final = -32000
TRANSACTION_REJECTED: Final = -32003
EXECUTION_REVERTED: Final = 3

_QUANTITY: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")
_DATA: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*")


class RpcError(Exception):
    """An error as JSON-RPC writes it; ``data`` is left out when it is None."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def body(self) -> dict[str, Any]:
        """Return the error member of a response."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return error


def quantity(number: int) -> str:
    """Write a number."""
    return hex(number)


def data(octets: bytes) -> str:
    """Write bytes."""
    return "0x" + bytes(octets).hex()


def parse_quantity(value: Any) -> int:
    """Read a number; raises RpcError."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and _QUANTITY.fullmatch(value):
        return int(value, 16)
    raise RpcError(INVALID_PARAMS, f"invalid quantity {value!r:.80}")


def parse_data(value: Any, *, length: int | None = None) -> bytes:
    """Read bytes, of a certain length if one is given; raises RpcError."""
    if not isinstance(value, str) or not _DATA.fullmatch(value):
        raise RpcError(INVALID_PARAMS, f"invalid hexadecimal data {value!r:.80}")
    octets = bytes.fromhex(value[2:])
    if length is not None and len(octets) != length:
        raise RpcError(INVALID_PARAMS, f"{length} bytes are needed, not {len(octets)}")
    return octets


class RpcClient:
    """Calls the methods of one node. Raises RpcError for its errors, and aiohttp's or TimeoutError when it does not answer."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, timeout: float = 10) -> None:
        self.url = url
        self._session = session
        self._timeout = timeout
        self._ids = itertools.count(1)

    async def call(self, method: str, *params: Any) -> Any:
        """Return the result of a method."""
        request = encode({"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params})
        async with asyncio.timeout(self._timeout), self._session.post(self.url, data=request, headers={"content-type": "application/json"}) as answer:
            body = decode(await answer.read())
        if error := body.get("error"):
            raise RpcError(error.get("code", INTERNAL_ERROR), error.get("message", "no message"), error.get("data"))
        return body.get("result")
