"""PePay's REST API, as much of it as a shop needs: what an integrator would write."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any, Final

from pepay_core.api import PePayError, Unavailable, decode, encode

if TYPE_CHECKING:
    import aiohttp

_TIMEOUT: Final = 15


class ApiRefused(PePayError):
    """The API declined; ``status`` and ``reason`` are its words."""

    code = "api_refused"

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason


class Api:
    """Speaks for one merchant by its key. Raises ApiRefused for a refusal, Unavailable when there is no usable answer."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, key: str) -> None:
        self._session = session
        self._base = f"{base_url}/api/v1"
        self._key = key

    def __repr__(self) -> str:
        return f"Api({self._base})"

    async def get(self, path: str) -> dict[str, Any]:
        """Read an object."""
        return await self._call("GET", path, None)

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create or do something, once however often the network repeats it."""
        return await self._call("POST", path, body)

    async def create_invoice(self, amount_usd: str, **fields: Any) -> dict[str, Any]:
        """Return a new invoice."""
        return await self.post("/invoices", {"amount_usd": amount_usd, **fields})

    async def invoice(self, invoice: str) -> dict[str, Any]:
        """Return an invoice as it is now."""
        return await self.get(f"/invoices/{invoice}")

    async def choose(self, invoice: str, asset: str) -> dict[str, Any]:
        """Ask for a quote and an address in an asset, and return the invoice."""
        await self.post(f"/invoices/{invoice}/payment-options", {"asset": asset})
        return await self.invoice(invoice)

    async def _call(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        import aiohttp

        headers = {"x-api-key": self._key}
        if body is not None:
            headers |= {"content-type": "application/json", "idempotency-key": secrets.token_hex(16)}
        try:
            async with (
                asyncio.timeout(_TIMEOUT),
                self._session.request(method, self._base + path, data=None if body is None else encode(body), headers=headers) as answer,
            ):
                status, text = answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise Unavailable(f"PePay does not answer ({type(exc).__name__})") from exc
        decoded = decode(text)
        if status >= 400:
            error = decoded.get("error") or {}
            raise ApiRefused(status, str(error.get("code", "unknown")), str(error.get("message", decoded.get("detail", ""))))
        return decoded
