"""What a buyer's wallet is given: a transfer request of Solana Pay, or a transaction to sign."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from pepay_core.api import InvalidInput, from_base_units, plain
from pepay_solana import messages
from pepay_solana.addresses import token_account
from pepay_solana.mints import read_accounts

if TYPE_CHECKING:
    from pepay_core.api import PaymentRequest
    from pepay_solana.clusters import Cluster, Mint
    from pepay_solana.rpc import Endpoint


def payment_uri(cluster: Cluster, mint: Mint | None, request: PaymentRequest) -> str:
    """Return a transfer request, with the amount in units of the coin, written out."""
    token = cluster.native if mint is None else mint.token
    fields = {"amount": plain(from_base_units(request.units, token.decimals))}
    if mint is not None:
        fields["spl-token"] = mint.address
    if request.destination.reference is not None:
        fields["reference"] = request.destination.reference
    if request.label:
        fields["label"] = request.label
    return f"solana:{request.destination.address}?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())


async def transaction(endpoint: Endpoint, mint: Mint | None, request: PaymentRequest, payer: str, blockhash: str) -> str:
    """Return a transaction in base64 that makes the payment; raises InvalidInput where the payer cannot make it."""
    to, references = request.destination.address, [request.destination.reference] if request.destination.reference else []
    if mint is None:
        steps = [messages.transfer_sol(payer, to, request.units, references)]
    else:
        source, target = await read_accounts(endpoint, [token_account(wallet, mint.address, mint.program) for wallet in (payer, to)])
        held = int.from_bytes(source.data[64:72], "little") if source is not None and len(source.data) >= 165 else 0
        if held < request.units:
            owned = plain(from_base_units(held, mint.token.decimals))
            raise InvalidInput(f"this wallet has {owned} {mint.token.symbol}, which is less than is asked for", field="payer")
        # The transfer stands last, where Solana Pay looks for it.
        steps = [] if target is not None else [messages.create_token_account(payer, to, mint)]
        steps.append(messages.transfer_token(payer, to, request.units, mint, references))
    return messages.unsigned(payer, steps, blockhash)
