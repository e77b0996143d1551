"""A faucet: test money for whoever asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from pepay_core.api import InvalidInput, Unavailable, decode, encode, parse_amount, to_base_units
from pepay_sandbox import token
from pepay_sandbox.jsonrpc import RpcError, parse_data

if TYPE_CHECKING:
    from pepay_sandbox.local_chain import LocalChain
    from pepay_sandbox.token import TestToken
    from pepay_sandbox.wallet import TestWallet

_ETH_DECIMALS: Final = 18


def faucet(chain: LocalChain, wallet: TestWallet, usdc: TestToken) -> web.Application:
    """Return an application that answers ``POST / {"address", "eth", "usdc"}`` once the money is there; amounts are decimal text."""

    async def pour(request: web.Request) -> web.Response:
        try:
            address, eth, units = _wish(decode(await request.read()))
            sent = []
            if eth:
                sent.append(await wallet.send(to=address, value=eth))
            if units:
                sent.append(await wallet.send(to=usdc.address, data=token.mint(address, units)))
            for transaction in sent:
                await chain.receipt(transaction)
        except (InvalidInput, Unavailable, RpcError) as exc:
            return web.Response(status=422, body=encode({"error": exc.message}), content_type="application/json")
        return web.Response(body=encode({"transactions": sent}), content_type="application/json")

    app = web.Application(client_max_size=16_384)
    app.router.add_post("/", pour)
    return app


def _wish(body: Any) -> tuple[str, int, int]:
    if not isinstance(body, dict) or not set(body) <= {"address", "eth", "usdc"}:
        raise InvalidInput('send {"address": "0x…", "eth": "1", "usdc": "100"}')
    parse_data(body.get("address"), length=20)
    return body["address"], _units(body, "eth", _ETH_DECIMALS), _units(body, "usdc", token.DECIMALS)


def _units(body: dict[str, Any], field: str, decimals: int) -> int:
    wanted = body.get(field, "0")
    if not isinstance(wanted, str):
        raise InvalidInput("amounts are decimal text", field=field)
    return to_base_units(parse_amount(wanted, decimals=decimals, field=field), decimals)
