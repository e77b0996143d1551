"""The methods of a simulated node. A method that is not here answers -32601, as a node without the capability does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulation.chain import Block, SimChain

DECIMALS: Final = "0x313ce567"
BALANCE_OF: Final = "0x70a08231"
MULTICALL: Final = "0xca11bde05977b3631167028862be2a173976ca11"
AGGREGATE: Final = "0x82ad56cb"


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


def answer(view: View, call: dict[str, Any], lacks: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the whole answer to one call; ``lacks`` names methods and abilities that this node does not have."""
    base = {"jsonrpc": "2.0", "id": call.get("id")}
    known = METHODS.get(call.get("method", ""))
    if known is None or call["method"] in lacks or (call["method"] == "eth_call" and _ability(call) in lacks):
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
    return "0x6001" if address.lower() in {*view.chain.tokens, MULTICALL} else "0x"


@method("eth_getBalance")
def _balance(view: View, address: str, tag: Any = "latest") -> str:
    return hex(_holdings(view, "", address, tag))


def _ability(call: dict[str, Any]) -> str:
    """Return what an eth_call needs beyond what every node has: "override", "creation", "multicall" or nothing."""
    params = call.get("params") or [{}]
    if len(params) > 2:
        return "override"
    to = params[0].get("to")
    return "creation" if to is None else "multicall" if to.lower() == MULTICALL else ""


@method("eth_call")
def _call(view: View, call: dict[str, Any], tag: Any = "latest", overrides: Any = None) -> str:
    token, data = str(call.get("to", "")).lower(), str(call.get("data", call.get("input", "0x")))
    if overrides is not None:
        return _scanned(view, data, tag)
    if token == MULTICALL and data.startswith(AGGREGATE):
        return _aggregated(view, data[10:], tag)
    if token in view.chain.tokens:
        if data == DECIMALS:
            return f"0x{view.chain.tokens[token]:064x}"
        if data.startswith(BALANCE_OF):
            return f"0x{_holdings(view, token, '0x' + data[-40:], tag):064x}"
        raise RpcError(3, "execution reverted")
    return "0x"


def _scanned(view: View, data: str, tag: Any) -> str:
    """Answer as ``contracts/Scan.sol`` of the driver does: how many addresses were read, and what is not zero with its place."""
    if len(data) < 82 or (len(data) - 2) % 40:
        return "0x"
    asset, owners = "0x" + data[2:42], ["0x" + data[start : start + 40] for start in range(42, len(data), 40)]
    token = "" if int(asset, 16) == 0 else asset
    held = [_holdings(view, token, owner, tag) for owner in owners]
    return f"0x{len(owners):064x}" + "".join(f"{place << 216 | units:064x}" for place, units in enumerate(held) if units)


def _aggregated(view: View, data: str, tag: Any) -> str:
    """Answer ``aggregate3`` of Multicall3 for calls that ask for one balance each."""
    words = [data[start : start + 64] for start in range(0, len(data) // 64 * 64, 64)]
    count = int(words[1], 16)
    results = ""
    for place in range(count):
        first = 2 + int(words[2 + place], 16) // 32
        token = "0x" + words[first][24:]
        owner = "0x" + data[64 * (first + 4) :][32:72]
        units = _holdings(view, "" if token == MULTICALL else token, owner, tag)
        results += f"{1:064x}{64:064x}{32:064x}{units:064x}"
    offsets = "".join(f"{32 * count + 128 * place:064x}" for place in range(count))
    return f"0x{32:064x}{count:064x}{offsets}{results}"


def _holdings(view: View, token: str, address: str, tag: Any) -> int:
    block = view.at(tag)
    if block is None:
        raise RpcError(-32000, "header not found")
    return block.holdings.get((token, address.lower()), 0)


@method("trace_block")
def _trace_block(view: View, tag: Any) -> list[dict[str, Any]]:
    block = view.at(tag)
    if block is None:
        raise RpcError(-32000, "header not found")
    return [
        {
            "type": "call",
            "action": {"callType": "call", "from": tx.sender, "to": tx.to, "value": hex(tx.value), "gas": "0x0", "input": "0x"},
            "result": {"gasUsed": "0x0", "output": "0x"} if tx.succeeds else None,
            **({} if tx.succeeds else {"error": "Reverted"}),
            "traceAddress": [],
            "subtraces": 0,
            "blockHash": block.hash,
            "blockNumber": block.height,
            "transactionHash": tx.hash,
            "transactionPosition": place,
        }
        for place, tx in enumerate(block.txs)
    ]


@method("debug_traceBlockByNumber")
@method("debug_traceBlockByHash")
def _debug_trace(view: View, tag: Any, _options: Any = None) -> list[dict[str, Any]]:
    block = view.by_hash(tag) if len(tag) == 66 else view.at(tag)
    if block is None:
        raise RpcError(-32000, "header not found")
    return [
        {
            "txHash": tx.hash,
            "result": {
                "type": "CALL",
                "from": tx.sender,
                "to": tx.to,
                "value": hex(tx.value),
                "gas": "0x0",
                "gasUsed": "0x0",
                "input": "0x",
                **({} if tx.succeeds else {"error": "execution reverted"}),
            },
        }
        for tx in block.txs
    ]
