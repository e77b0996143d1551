"""The addresses below ``/x/sandbox``: the bar's forms, the test wallet, and a receiver of webhooks."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote

from litestar import Request, Response, get, post
from litestar.params import FromPath  # noqa: TC002 - Litestar reads the annotations

from pepay_core.api import InvalidInput, Refused, Unavailable, decode, family_of
from pepay_core.testing.wallets.scripts import ICON, script
from pepay_sandbox.jsonrpc import RpcError

if TYPE_CHECKING:
    from pepay_sandbox.simulator.acting import Simulator
    from pepay_sandbox.simulator.catching import Catching

_NAMES: Final = {"eip155": "Test wallet", "solana": "Test wallet (Solana)"}
_MOST: Final = 20_000


def routes(simulator: Simulator, catching: Catching) -> list[Any]:
    """Return the handlers."""

    @post("/simulate/{invoice:str}", status_code=303)
    async def simulate(request: Request[Any, Any, Any], invoice: FromPath[str]) -> Response[str]:
        """Do what a button of the bar says, and go back to the page."""
        token = request.query_params.get("token", "")
        fields = parse_qs((await request.body())[:_MOST].decode("ascii", "replace"))
        await simulator.act(fields.get("action", [""])[0], invoice, token)
        return Response("", status_code=303, headers={"Location": f"/pay/{quote(invoice, safe='')}?token={quote(token)}"}, media_type="text/html")

    @get("/simulator.css", sync_to_thread=False)
    def style() -> Response[bytes]:
        """Style the bar."""
        return Response((files("pepay_sandbox.simulator") / "static" / "simulator.css").read_bytes(), media_type="text/css")

    @get("/wallet.js")
    async def wallet() -> Response[str]:
        """Put the test wallet into a page: one of each family of chains, as the standards have them."""
        text = [_BRIDGE]
        for chain, hand in simulator.hands.items():
            address = await hand.address()
            text.append(_wallet_script(chain, address))
        return Response("".join(text), media_type="text/javascript", headers={"Cache-Control": "no-store"})

    @post("/wallet", status_code=200)
    async def sign(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Answer what the test wallet asks; only pages of this origin can."""
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise InvalidInput("send JSON")
        asked = decode((await request.body())[:_MOST])
        hand = simulator.hands.get(str(asked.get("chain")))
        if hand is None:
            raise InvalidInput("there is no such chain in the sandbox")
        answer: dict[str, Any]
        try:
            answer = {"result": None if asked.get("here") else await hand.sign(str(asked["method"]), list(asked["params"]))}
        except RpcError as exc:
            answer = {"error": {"code": exc.code, "message": exc.message}}
        except (KeyError, IndexError, TypeError, ValueError):
            answer = {"error": {"code": -32602, "message": "The test wallet cannot read this."}}
        except (Refused, Unavailable) as exc:
            answer = {"error": {"code": -32603, "message": exc.message}}
        return Response(json.dumps(answer).encode(), media_type="application/json")

    return [simulate, style, wallet, sign, *catching.handlers()]


_BRIDGE: Final = """\
window.__pepaySandbox = (chain) => async (request) => {
  const body = JSON.stringify({ chain, ...request });
  const answer = await fetch("/x/sandbox/wallet", { method: "POST", headers: { "content-type": "application/json" }, body });
  return answer.ok ? answer.json() : { error: { code: -32603, message: "The sandbox does not answer." } };
};
"""


def _wallet_script(chain: str, address: str) -> str:
    family = family_of(chain)  # type: ignore[arg-type]
    bridge = f"__pepaySandbox_{chain.replace(':', '_')}"
    shared = {
        "name": _NAMES[family],
        "icon": ICON,
        "account": address,
        "refuses": [],
        "lacks": [],
        "locked": False,
        "topOnly": False,
        "bridge": bridge,
    }
    binding = f"window[{json.dumps(bridge)}] = window.__pepaySandbox({json.dumps(chain)});\n"
    if family == "solana":
        from base64 import b64encode

        from solders.pubkey import Pubkey

        key = b64encode(bytes(Pubkey.from_string(address))).decode()
        return binding + script("solana", {**shared, "key": key, "chains": ["solana:localnet", "solana:devnet"]})
    number = int(chain.partition(":")[2])
    own = {"uuid": f"350670db-19fa-4704-a166-{number:012x}", "rdns": "pepay.sandbox", "at": hex(number), "chains": [hex(number)]}
    return binding + script("ethereum", {**shared, **own})
