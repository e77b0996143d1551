"""The methods of a node, by name."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from pepay_sandbox.jsonrpc import METHOD_NOT_FOUND, RpcError
from pepay_sandbox.solana import methods_accounts, methods_chain, methods_sandbox, methods_submitting, methods_transactions
from pepay_sandbox.solana.params import invalid

if TYPE_CHECKING:
    from pepay_sandbox.solana.node import Node

_TABLE = {
    name: (method, inspect.signature(method))
    for module in (methods_accounts, methods_chain, methods_sandbox, methods_submitting, methods_transactions)
    for name, method in module.METHODS.items()
}


def answer(node: Node, method: str, params: list[Any]) -> Any:
    """Return the result of a call; raises RpcError."""
    if method not in _TABLE:
        raise RpcError(METHOD_NOT_FOUND, "Method not found")
    function, signature = _TABLE[method]
    try:
        signature.bind(node, *params)
    except TypeError:
        needed = sum(each.default is each.empty for each in signature.parameters.values()) - 1
        raise invalid(
            f"`params` should have {'at least' if len(params) < needed else 'at most'} {_bound(signature, len(params), needed)} argument(s)"
        ) from None
    return function(node, *params)


def _bound(signature: inspect.Signature, given: int, needed: int) -> int:
    return needed if given < needed else len(signature.parameters) - 1
