"""The methods of a simulated node. A method that is not here answers -32601, as a node without the capability does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulation.chain import Block, SimChain

DECIMALS: Final = "0x313ce567"
BALANCE_OF: Final = "0x70a08231"


class RpcError(Exception):
    """An error object in the place of a result."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class View:
    """A chain as one node sees it at one moment: the blocks from the first one to its own head."""

    def __init__(self, chain: SimChain, path: list[Block], finalized: int) -> None:
        self.chain = chain
        self.path = path
        self.finalized = finalized

    def at(self, tag: Any) -> Block | None:
        """Return the block that a tag or a height names."""
        if isinstance(tag, dict):
            return self.by_hash(tag.get("blockHash", ""))
        if tag in {"latest", "pending"}:
            return self.path[-1]
        if tag in {"finalized", "safe"}:
            return self.path[min(self.finalized, len(self.path) - 1)]
        height = 0 if tag == "earliest" else int(tag, 16)
        return self.path[height] if height < len(self.path) else None

    def by_hash(self, identity: str) -> Block | None:
        """Return a block of this node's chain."""
        block = self.chain.known.get(identity)
        return block if block is not None and self.at(hex(block.height)) is block else None


METHODS: Final[dict[str, Callable[..., Any]]] = {}


def method(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register what answers a method; it is given the view and the parameters."""

    def register(answer: Callable[..., Any]) -> Callable[..., Any]:
        METHODS[name] = answer
        return answer

    return register


def answer(view: View, call: dict[str, Any]) -> dict[str, Any]:
    """Return the whole answer to one call."""
    base = {"jsonrpc": "2.0", "id": call.get("id")}
    known = METHODS.get(call.get("method", ""))
    if known is None:
        return {**base, "error": {"code": -32601, "message": f"the method {call.get('method')} does not exist/is not available"}}
    try:
        return {**base, "result": known(view, *call.get("params", ()))}
    except RpcError as exc:
        return {**base, "error": {"code": exc.code, "message": exc.message}}
    except (TypeError, ValueError, KeyError, AttributeError) as exc:
        return {**base, "error": {"code": -32602, "message": f"invalid params: {exc}"}}


@method("eth_chainId")
def _chain_id(view: View) -> str:
    return hex(view.chain.number)


@method("net_version")
def _net_version(view: View) -> str:
    return str(view.chain.number)


@method("eth_blockNumber")
def _block_number(view: View) -> str:
    return hex(view.path[-1].height)


@method("eth_syncing")
def _syncing(_view: View) -> bool:
    return False


@method("eth_getBlockByNumber")
def _block_by_number(view: View, tag: str, full: bool) -> dict[str, Any] | None:
    block = view.at(tag)
    return None if block is None else block.full if full else block.header


@method("eth_getBlockByHash")
def _block_by_hash(view: View, identity: str, full: bool) -> dict[str, Any] | None:
    block = view.by_hash(identity)
    return None if block is None else block.full if full else block.header


@method("eth_getLogs")
def _logs(view: View, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    if "blockHash" in wanted:
        block = view.by_hash(wanted["blockHash"])
        if block is None:
            raise RpcError(-32000, "unknown block")
        blocks = [block]
    else:
        first, last = view.at(wanted.get("fromBlock", "latest")), view.at(wanted.get("toBlock", "latest"))
        # Nodes that have not come so far answer with what they have, and say nothing.
        blocks = [] if first is None else view.path[first.height : (last or view.path[-1]).height + 1]
    addresses = wanted.get("address")
    addresses = {addresses} if isinstance(addresses, str) else None if addresses is None else set(addresses)
    topics = [None if each is None else {each} if isinstance(each, str) else set(each) for each in wanted.get("topics", ())]
    return [log for block in blocks for log in block.logs if _matches(log, addresses, topics)]


def _matches(log: dict[str, Any], addresses: set[str] | None, topics: list[set[str] | None]) -> bool:
    if addresses is not None and log["address"] not in {each.lower() for each in addresses}:
        return False
    own = log["topics"]
    return len(own) >= len(topics) and all(wanted is None or own[place] in wanted for place, wanted in enumerate(topics))


@method("eth_getTransactionReceipt")
def _receipt(view: View, identity: str) -> dict[str, Any] | None:
    return next((block.receipts[identity] for block in reversed(view.path) if identity in block.receipts), None)


@method("eth_getBlockReceipts")
def _block_receipts(view: View, tag: Any) -> list[dict[str, Any]] | None:
    block = view.by_hash(tag) if isinstance(tag, str) and len(tag) == 66 else view.at(tag)
    return None if block is None else list(block.receipts.values())


@method("eth_getTransactionByHash")
def _transaction(view: View, identity: str) -> dict[str, Any] | None:
    for block in reversed(view.path):
        for each in block.full["transactions"]:
            if each["hash"] == identity:
                return each
    return None


@method("eth_getTransactionCount")
def _transaction_count(_view: View, _address: str, _tag: Any = "latest") -> str:
    return "0x0"


@method("eth_getCode")
def _code(view: View, address: str, _tag: Any = "latest") -> str:
    return "0x6001" if address.lower() in view.chain.tokens else "0x"


@method("eth_getBalance")
def _balance(view: View, address: str, tag: Any = "latest") -> str:
    return hex(_holdings(view, "", address, tag))


@method("eth_call")
def _call(view: View, call: dict[str, Any], tag: Any = "latest", *more: Any) -> str:
    token, data = str(call.get("to", "")).lower(), str(call.get("data", call.get("input", "0x")))
    if token in view.chain.tokens and not more:
        if data == DECIMALS:
            return f"0x{view.chain.tokens[token]:064x}"
        if data.startswith(BALANCE_OF):
            return f"0x{_holdings(view, token, '0x' + data[-40:], tag):064x}"
    if token in view.chain.tokens or more:
        raise RpcError(3, "execution reverted")
    return "0x"


def _holdings(view: View, token: str, address: str, tag: Any) -> int:
    block = view.at(tag)
    if block is None:
        raise RpcError(-32000, "header not found")
    own = address.lower()
    return sum(each.units for below in block.lineage() for each in below.arrivals if each.to == own and each.token == token)
