"""What `pepay doctor` asks of a network."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pepay_core.api import ChainUnavailable, Check, Finding, SourceState, Verdict
from pepay_evm import seals
from pepay_evm.contracts import read_facts
from pepay_evm.events import Events, Source
from pepay_evm.guarding import problem
from pepay_evm.networks import contract_of
from pepay_evm.pool import Rpc
from pepay_evm.probing import probe
from pepay_evm.rpc import Call, WrongChain
from pepay_evm.survey import Survey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pepay_core.api import Clock, Http
    from pepay_evm.capabilities import Capabilities
    from pepay_evm.networks import Network
    from pepay_evm.rpc import Endpoint

_ENOUGH_BLOCKS: Final = 10


class NetworkCheck(Check):
    """Whether each endpoint answers, serves the right chain, keeps up, agrees with the others, knows the tokens, and what else it can do."""

    def __init__(self, network: Network, http: Http, clock: Clock) -> None:
        self.name = f"evm {network.key}"
        self._network = network
        self._clock = clock
        self._rpc = Rpc(network.rpc, http, clock, network.number, block_seconds=network.block_seconds, timeout=network.timeout)
        self._survey = Survey(network, self._rpc, clock)
        self._events = Events(network.contracts)
        self._section = f"[plugin.evm.networks.{network.key}]"

    async def run(self) -> list[Finding]:
        """Ask every endpoint, and compare them."""
        judged = await asyncio.gather(*map(self._judge, self._rpc.endpoints))
        return [*(finding for findings in judged for finding in findings), *await self._compare(), *self._alone()]

    async def _compare(self) -> list[Finding]:
        if not self._rpc.several:
            return []
        await self._survey.take()
        told = [self._survey.split] if self._survey.split else []
        told += [each.reason or "" for each in self._rpc.sources() if each.state is SourceState.QUARANTINED]
        return [Finding(Verdict.PROBLEM, self._network.name, each, "ask its operator, or use another endpoint") for each in told]

    def _alone(self) -> list[Finding]:
        if self._rpc.several or self._network.testnet:
            return []
        return [
            Finding(
                Verdict.WARNING,
                self._network.name,
                "one endpoint alone is believed, whatever the amount: nobody is asked whether it lies",
                f"add the endpoint of another operator to rpc in {self._section}",
            )
        ]

    async def _judge(self, endpoint: Endpoint) -> list[Finding]:
        subject = f"{self._network.name} {endpoint.label}"
        try:
            shown = await probe(endpoint, self._events)
            facts = await read_facts(endpoint, [contract_of(token.id) for token in self._network.tokens])
        except WrongChain as exc:
            return [
                Finding(Verdict.PROBLEM, subject, f"serves eip155:{exc.served}, not {self._network.id}", f"correct rpc or chain in {self._section}")
            ]
        except ChainUnavailable as exc:
            return [Finding(Verdict.PROBLEM, subject, exc.message, f"start the node, or give {self._section} another rpc")]

        findings: list[Finding] = []
        age = self._clock.now() - shown.head.time
        if not self._network.idle and age > timedelta(seconds=max(60.0, 20 * self._network.block_seconds)):
            findings.append(
                Finding(
                    Verdict.WARNING, subject, f"its newest block is {int(age.total_seconds())} s old", "wait for the node to catch up, or use another"
                )
            )
        for token in self._network.tokens:
            reason = problem(token, facts[contract_of(token.id)])
            if reason is not None:
                findings.append(Finding(Verdict.PROBLEM, f"{subject} {token.symbol}", reason, f"correct tokens in {self._section}"))
        (latest,) = await endpoint.ask([Call("eth_getBlockByNumber", ("latest", False))])
        sealed = "" if seals.form_of(latest) else "; its headers cannot be verified, because their form is not known"
        findings += [Finding(verdict, subject, message, remedy) for verdict, message, remedy in self._lacks(shown)]
        return findings or [Finding(Verdict.OK, subject, f"at block {shown.head.height}; {_in_words(shown)}{sealed}")]

    def _lacks(self, shown: Capabilities) -> Iterator[tuple[Verdict, str, str]]:
        """Tell what an endpoint cannot do, what that costs, and what to do about it."""
        advice = self._network.logs_advice or "use an endpoint that answers eth_getLogs"
        if shown.source is None:
            yield Verdict.PROBLEM, "it tells no events (neither eth_getLogs nor eth_getBlockReceipts), so nothing is asked of it", advice
        elif shown.source is not Source.RANGE:
            yield Verdict.WARNING, f"it tells the events of one block at a time ({shown.source}), so catching up after an outage is slow", advice
        elif shown.log_range is not None and shown.log_range < _ENOUGH_BLOCKS <= shown.head.height:
            message = f"it tells the events of no more than {shown.log_range} block(s) at a time, so catching up after an outage is slow"
            yield Verdict.WARNING, message, "use an endpoint, or a plan, with a larger range for eth_getLogs"
        if self._network.wants_finalized and not shown.finalized:
            message = "it does not know which block is finalized, so payments that wait for that are never confirmed through it"
            yield Verdict.PROBLEM, message, f"use another endpoint, or give a number of blocks as confirmations in {self._section}"
        if shown.trace is None and shown.way is None:
            coin = self._network.native.symbol
            message = f"it tells nothing of the {coin} that contracts send, as some exchanges and wallets do, so nothing is asked of it"
            yield Verdict.PROBLEM, message, "use an endpoint with trace_block, debug_traceBlockByNumber, or eth_call with state overrides"


def _in_words(shown: Capabilities) -> str:
    # On a chain that has just begun there was no longer range to ask about.
    events = f"; events of up to {shown.log_range} blocks at a time" if (shown.log_range or 0) >= _ENOUGH_BLOCKS else ""
    return f"what contracts send is seen by {shown.native}{events}"
