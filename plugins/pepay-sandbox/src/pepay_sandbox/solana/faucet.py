"""A faucet on Solana: test money for whoever asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from pepay_core.api import InvalidInput, Unavailable, decode, encode, parse_amount, to_base_units
from pepay_sandbox.jsonrpc import RpcError
from pepay_sandbox.solana import params
from pepay_sandbox.solana.wallet import DECIMALS

if TYPE_CHECKING:
    from pepay_sandbox.solana.local_cluster import LocalCluster
    from pepay_sandbox.solana.wallet import SolanaToken, SolanaWallet

_SOL_DECIMALS: Final = 9


def faucet(cluster: LocalCluster, wallet: SolanaWallet, usdc: SolanaToken) -> web.Application:
    """Return an application that answers ``POST / {"address", "sol", "usdc"}`` once the money is there; amounts are decimal text.

    An owner's account for the token is created where there is none, also for ``"usdc": "0"``.
    """

    async def pour(request: web.Request) -> web.Response:
        try:
            address, lamports, units = _wish(decode(await request.read()))
            sent = []
            if lamports:
                sent.append(await cluster.fund(address, lamports))
            if units:
                sent.append(await wallet.mint(usdc, address, units))
            elif units == 0:
                sent.append(await wallet.open_account(usdc, address))
        except (InvalidInput, Unavailable, RpcError) as exc:
            return web.Response(status=422, body=encode({"error": exc.message}), content_type="application/json")
        return web.Response(body=encode({"transactions": sent}), content_type="application/json")

    app = web.Application(client_max_size=16_384)
    app.router.add_post("/", pour)
    return app


def _wish(body: Any) -> tuple[str, int, int | None]:
    if not isinstance(body, dict) or not set(body) <= {"address", "sol", "usdc"}:
        raise InvalidInput('send {"address": "…", "sol": "1", "usdc": "100"}')
    address = params.address(body.get("address"))
    return address, _units(body, "sol", _SOL_DECIMALS) or 0, _units(body, "usdc", DECIMALS)


def _units(body: dict[str, Any], field: str, decimals: int) -> int | None:
    wanted = body.get(field)
    if wanted is None:
        return None
    if not isinstance(wanted, str):
        raise InvalidInput("amounts are decimal text", field=field)
    return to_base_units(parse_amount(wanted, decimals=decimals, field=field), decimals)
