"""What ``pepay evm deploy-factory`` and ``pepay evm flush`` do: look, try out, show, and only then, when told to, sign and send."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Final

import click

from pepay_core.api import ConfigError, InvalidInput, NoDestination, from_base_units, parse_amount, plain, to_base_units
from pepay_evm import deposits
from pepay_evm.bytecode import DEPOSIT_FACTORY_EVENTS
from pepay_evm.deposits import DEPLOYER, DEPLOYMENT, FACTORY, Treasury
from pepay_evm.flushing import Place, chunks, plan, read_balances
from pepay_evm.pool import Rpc
from pepay_evm.readiness import read_readiness
from pepay_evm.sending import Errand, NotSent, estimate, read_fees, send
from pepay_evm.signing import Payer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pepay_core.api import Console, Gateway, Token
    from pepay_evm.flushing import Batch, Found
    from pepay_evm.networks import Network
    from pepay_evm.rpc import Endpoint
    from pepay_evm.sending import Fees

# Who asks in a dry run when nobody has said who pays: an address that nobody has a key of.
_NOBODY: Final = "0x" + f"{0xDEAD:040x}"
_REFUSED: Final = DEPOSIT_FACTORY_EVENTS["Refused(address,address,address,bytes32)"]
_PLACES_AT_ONCE: Final = 1_000


async def deploy(console: Console, *, network: str, send: bool, print_: bool, key_env: str | None, keystore: Path | None, yes: bool) -> None:
    """Deploy the factory; see the command."""
    async with console.open() as gateway:
        chosen = _network(gateway, network)
        rpc = Rpc(chosen.rpc, gateway.ctx.http, gateway.ctx.clock, chosen.number)
        readiness = await rpc.step(read_readiness)
        if readiness.refusal is not None:
            raise NoDestination(f"the deposit factory cannot be used on {chosen.name}: {readiness.refusal}")
        if readiness.deployed:
            click.echo(f"The deposit factory is deployed on {chosen.name} already, at {FACTORY}.")
            return
        payer = _payer(key_env, keystore) if send else None
        asking = payer.address if payer else _NOBODY

        async def price(endpoint: Endpoint) -> tuple[int, Fees]:
            return await estimate(endpoint, asking, DEPLOYER, DEPLOYMENT), await read_fees(endpoint)

        gas, fees = await rpc.step(price)
        errand = Errand(DEPLOYER, DEPLOYMENT, gas)
        if print_:
            _print([errand], chosen)
            return
        click.echo(f"The deposit factory goes to {FACTORY} on {chosen.name}, for {_cost(chosen, gas, fees)}.")
        if payer is None:
            click.echo("Nothing was sent. Next: the same with --send, or with --print for a wallet of your own.")
            return
        if not yes:
            click.confirm(f"Send it from {payer.address}?", abort=True)
        await _send(gateway, rpc, chosen, payer, errand)
        if not (await rpc.step(read_readiness)).deployed:
            raise NotSent(f"the transaction was mined, and there is still no factory at {FACTORY}")
        click.echo(f"The deposit factory is deployed at {FACTORY}.")


async def flush_deposits(
    console: Console,
    *,
    network: str,
    wallets: Sequence[str],
    assets: Sequence[str],
    least: str | None,
    limit: int | None,
    batch: int,
    everywhere: bool,
    recovery: str | None,
    count: int,
    send: bool,
    print_: bool,
    key_env: str | None,
    keystore: Path | None,
    yes: bool,
) -> None:
    """Move deposits to their treasuries; see the command."""
    async with console.open() as gateway:
        chosen = _network(gateway, network)
        tokens = _tokens(chosen, assets)
        bounds = _bounds(least, tokens)
        if recovery is not None:
            treasury = Treasury.read(recovery)
            places = [Place.of(treasury, index) for index in range(count)]
        else:
            places = await _issued(gateway, chosen, wallets, tokens, everywhere=everywhere)
        rpc = Rpc(chosen.rpc, gateway.ctx.http, gateway.ctx.clock, chosen.number)
        found: list[Found] = []
        for some in chunks(places, _PLACES_AT_ONCE):
            found += await rpc.step(partial(read_balances, places=some, tokens=tokens))
        if not found:
            _say(f"Nothing lies at the {len(places)} deposits that were looked at on {chosen.name}.", quiet=print_)
            if print_:
                _print([], chosen)
            return
        payer = _payer(key_env, keystore) if send else None
        asking = payer.address if payer else _NOBODY

        if not print_:
            _show_found(chosen, found)
        if not (await rpc.step(read_readiness)).deployed:
            raise NoDestination(f"the deposit factory is not deployed on {chosen.name} yet: run `pepay evm deploy-factory {chosen.key}`")
        planned = await plan(rpc, found, payer=asking, least=bounds, limit=limit, at_once=batch)
        fees = await rpc.step(read_fees)
        errands = [each.errand for each in planned if each.errand is not None]
        if print_:
            _print(errands, chosen)
            return
        _show_plan(chosen, planned, fees)
        if payer is None or not errands:
            click.echo(
                "Nothing was sent. Next: the same with --send, or with --print for a wallet of your own." if errands else "There is nothing to send."
            )
            return
        if not yes:
            click.confirm(f"Send {len(errands)} transaction(s) from {payer.address}?", abort=True)
        for errand in errands:
            await _send(gateway, rpc, chosen, payer, errand)


def _network(gateway: Gateway, key: str) -> Network:
    networks = {network.key: network for network in gateway.ctx.settings.resolved()}
    by_id = {network.id: network for network in networks.values()}
    chosen = networks.get(key) or by_id.get(key)
    if chosen is None:
        raise ConfigError(f"no network is called {key!r}", hint=f"configured: {', '.join(networks) or 'none; name one under [plugin.evm.networks]'}")
    return chosen


def _tokens(network: Network, wanted: Sequence[str]) -> list[Token]:
    known = [*network.tokens, network.native]
    chosen = [token for token in known if not wanted or {token.symbol, token.id} & set(wanted)]
    names = {name for token in chosen for name in (token.symbol, token.id)}
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise InvalidInput(f"{network.name} has no {unknown[0]!r}; it has {', '.join(token.symbol for token in known)}", field="asset")
    return chosen


def _bounds(least: str | None, tokens: Sequence[Token]) -> dict[str, int]:
    if least is None:
        return {}
    if len(tokens) != 1:
        raise InvalidInput("an amount is one of something: name the asset with --asset", field="min")
    (token,) = tokens
    return {token.id: to_base_units(parse_amount(least, decimals=token.decimals), token.decimals)}


async def _issued(gateway: Gateway, network: Network, wallets: Sequence[str], tokens: Sequence[Token], *, everywhere: bool) -> list[Place]:
    """Return the deposits to look at: where the books say that something waits, or every one."""
    wanted = {token.id for token in tokens}
    issued = await gateway.deposits(network.id, deposits.KIND)
    unknown = sorted(set(wallets) - {each.wallet for each in issued})
    if unknown:
        raise InvalidInput(f"no deposit was issued from a treasury wallet {unknown[0]!r}", field="wallet")
    return [
        Place(Treasury.read(each.material.value), each.index, each.destination.address)
        for each in issued
        if (not wallets or each.wallet in wallets) and (everywhere or any(held.waiting and held.asset in wanted for held in each.balances))
    ]


def _payer(key_env: str | None, keystore: Path | None) -> Payer:
    def ask(what: str) -> str:
        # Never from the arguments, which every process of the machine can read.
        given = os.environ.get("PEPAY_EVM_KEYSTORE_PASSWORD") if keystore else None
        typed: str = given or click.prompt(what, hide_input=True, err=True)
        return typed

    return Payer.ask(key_env=key_env, keystore=keystore, prompt=ask)


def _show_found(network: Network, found: Sequence[Found]) -> None:
    lying: dict[Token, list[int]] = defaultdict(list)
    for each in found:
        lying[each.token].append(each.units)
    for token, units in lying.items():
        click.echo(f"{_amount(token, sum(units))} lies at {len(units)} deposit(s) on {network.name}.")


def _show_plan(network: Network, planned: Sequence[Batch], fees: Fees) -> None:
    for number, batch in enumerate(planned, 1):
        for each in batch.refused:
            click.echo(f"  left: {each.place.address} with {_amount(each.token, each.units)}: the token or the treasury refuses")
        if batch.errand is not None:
            cost = _cost(network, batch.errand.gas, fees)
            click.echo(f"  {number}. {_amount(batch.token, batch.units)} from {len(batch.found)} deposit(s) to {batch.treasury}, for {cost}")


def _cost(network: Network, gas: int, fees: Fees) -> str:
    return f"at most {gas} gas, about {_amount(network.native, gas * fees.expected)}"


def _amount(token: Token, units: int) -> str:
    return f"{plain(from_base_units(units, token.decimals))} {token.symbol}"


async def _send(gateway: Gateway, rpc: Rpc, network: Network, payer: Payer, errand: Errand) -> None:
    receipt = await send(rpc, gateway.ctx.clock, payer, network.number, errand)
    if not receipt.succeeded:
        raise NotSent(f"{receipt.transaction} was mined and failed: nothing was moved by it; try again")
    refused = [log for log in receipt.logs if log.address == FACTORY.lower() and log.topics[0] == _REFUSED]
    click.echo(f"Mined: {receipt.transaction}")
    for log in refused:
        click.echo(f"  left: 0x{log.topics[2][26:]} refused; what it holds is where it was")


def _print(errands: Sequence[Errand], network: Network) -> None:
    click.echo(json.dumps([errand.unsigned(network.number) for errand in errands], indent=2))


def _say(text: str, *, quiet: bool) -> None:
    if not quiet:
        click.echo(text)
