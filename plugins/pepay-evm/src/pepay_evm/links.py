"""What a buyer's wallet is given: a payment URI (ERC-681), or a transaction to sign (EIP-1193, EIP-5792)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_evm.addresses import checksummed
from pepay_evm.contracts import transfer_call
from pepay_evm.networks import contract_of

if TYPE_CHECKING:
    from pepay_core.api import PaymentRequest
    from pepay_evm.networks import Network


def payment_uri(network: Network, request: PaymentRequest) -> str | None:
    """Return an ERC-681 URI with the amount in base units, or None for an asset of another network."""
    to = request.destination.address
    if request.asset == network.native.id:
        return f"ethereum:{to}@{network.number}?value={request.units}"
    contract = _contract(network, request)
    if contract is None:
        return None
    return f"ethereum:{checksummed(contract)}@{network.number}/transfer?address={to}&uint256={request.units}"


def transaction(network: Network, request: PaymentRequest) -> dict[str, object] | None:
    """Return the fields of a transaction that makes the payment, or None for an asset of another network."""
    chain, to = hex(network.number), request.destination.address
    if request.asset == network.native.id:
        return {"to": to, "value": hex(request.units), "data": "0x", "chainId": chain}
    contract = _contract(network, request)
    if contract is None:
        return None
    return {"to": checksummed(contract), "value": "0x0", "data": transfer_call(to, request.units), "chainId": chain}


def requests(network: Network, payment: dict[str, object]) -> dict[str, list[object]]:
    """Return what a wallet can be asked for a payment: the parameters of EIP-1193 requests, by method.

    The network is switched to (EIP-3326), or added to the wallet before (EIP-3085); then either one transaction is sent, or one batch of
    calls (EIP-5792), which is the way to a sponsored or a smart account. Our own endpoints are never told: they may hold keys.
    """
    chain = payment["chainId"]
    call = {key: payment[key] for key in ("to", "value", "data")}
    native = network.native
    added: dict[str, object] = {
        "chainId": chain,
        "chainName": network.name,
        "nativeCurrency": {"name": native.name or native.symbol, "symbol": native.symbol, "decimals": native.decimals},
    }
    if network.public_rpc:
        added["rpcUrls"] = list(network.public_rpc)
    if network.explorer is not None:
        added["blockExplorerUrls"] = [network.explorer]
    # One call is whole by itself, so no wallet needs to be able to make several of one piece.
    batch = {"version": "2.0.0", "from": payment["from"], "chainId": chain, "atomicRequired": False, "calls": [call]}
    return {
        "wallet_switchEthereumChain": [{"chainId": chain}],
        "wallet_addEthereumChain": [added],
        "eth_sendTransaction": [payment],
        "wallet_sendCalls": [batch],
    }


def _contract(network: Network, request: PaymentRequest) -> str | None:
    known = any(token.id == request.asset for token in network.tokens)
    return contract_of(request.asset) if known else None
