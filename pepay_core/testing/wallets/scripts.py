"""What the test wallets of all families share: the script with its options, and putting it into a page."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_HERE: Final = Path(__file__).parent
ICON: Final = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E%3Ccircle cx='4' cy='4' r='4' fill='%234f46e5'/%3E%3C/svg%3E"
)


class NodeRefused(Exception):
    """The node behind a wallet answered with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def script(name: str, options: Mapping[str, Any]) -> str:
    """Return the text of a script that puts a wallet into the page that it runs in."""
    source = (_HERE / f"{name}.js").read_text(encoding="utf-8").rstrip().rstrip(";")
    return f"{source}({json.dumps(dict(options))});\n"


def call(rpc: str, method: str, *params: Any) -> Any:
    """Ask a node by JSON-RPC; raises NodeRefused."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(rpc, body, {"content-type": "application/json"})  # noqa: S310 (a test's own node)
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        read = json.loads(answer.read())
    if "error" in read:
        raise NodeRefused(read["error"].get("code", -32603), read["error"].get("message", "refused"))
    return read["result"]


@dataclass(kw_only=True)
class PageWallet:
    """What the wallets of all families share.

    ``refuses`` are methods that the wallet's owner says no to, ``top_only`` keeps it out of frames as several real ones do, and
    ``locked`` shares no account. ``bridge`` is the name of the page's function that the script asks.
    """

    name: str
    icon: str = ICON
    refuses: tuple[str, ...] = ()
    locked: bool = False
    top_only: bool = False
    bridge: str = ""
    requests: list[tuple[str, list[Any]]] = field(default_factory=list[tuple[str, list[Any]]])
    """What was asked, in order: method and parameters."""

    def __post_init__(self) -> None:
        self.bridge = self.bridge or "__pepay" + "".join(char for char in self.name if char.isalnum())

    @property
    def asked(self) -> list[str]:
        """The methods that were asked, in order."""
        return [method for method, _ in self.requests]

    @property
    def script(self) -> str:
        """The script that puts the wallet into a page."""
        raise NotImplementedError

    def perform(self, method: str, params: list[Any]) -> Any:
        """Do what needs a key or a chain; raises NodeRefused."""
        raise NotImplementedError

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer what the script asks of the page's function."""
        method, params = request["method"], list(request["params"])
        self.requests.append((method, params))
        if request.get("here"):
            return {"result": None}
        try:
            return {"result": self.perform(method, params)}
        except NodeRefused as exc:
            return {"error": {"code": exc.code, "message": exc.message}}

    def put_into(self, page: Any) -> None:
        """Put the wallet into a page of Playwright's (the synchronous kind), or into all of a context's."""
        page.expose_function(self.bridge, self.answer)
        page.add_init_script(self.script)
