"""What `pepay doctor` asks of a network."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pepay_core.api import ChainUnavailable, Check, Finding, Verdict
from pepay_evm import decoding
from pepay_evm.contracts import read_decimals
from pepay_evm.networks import contract_of
from pepay_evm.rpc import Call, Rpc, WrongChain

if TYPE_CHECKING:
    from pepay_core.api import Clock, Http
    from pepay_evm.networks import Network
    from pepay_evm.rpc import Endpoint


class NetworkCheck(Check):
    """Whether each endpoint answers, serves the right chain, keeps up with it, and knows the tokens as they are configured."""

    def __init__(self, network: Network, http: Http, clock: Clock) -> None:
        self.name = f"evm {network.key}"
        self._network = network
        self._clock = clock
        self._endpoints = Rpc(network.rpc, http, clock, network.number).endpoints

    async def run(self) -> list[Finding]:
        """Ask every endpoint."""
        return [finding for endpoint in self._endpoints for finding in await self._judge(endpoint)]

    async def _judge(self, endpoint: Endpoint) -> list[Finding]:
        section = f"[plugin.evm.networks.{self._network.key}]"
        subject = f"{self._network.name} {endpoint.label}"
        try:
            (latest,) = await endpoint.ask([Call("eth_getBlockByNumber", ("latest", False))])
            head = decoding.header(latest, full=False)
            decimals = await read_decimals(endpoint, [contract_of(token.id) for token in self._network.tokens])
        except WrongChain as exc:
            return [Finding(Verdict.PROBLEM, subject, f"serves eip155:{exc.served}, not {self._network.id}", f"correct rpc or chain in {section}")]
        except ChainUnavailable as exc:
            return [Finding(Verdict.PROBLEM, subject, exc.message, f"start the node, or give {section} another rpc")]

        findings = []
        age = self._clock.now() - head.time
        if not self._network.idle and age > timedelta(seconds=max(60.0, 20 * self._network.block_seconds)):
            findings.append(
                Finding(
                    Verdict.WARNING, subject, f"its newest block is {int(age.total_seconds())} s old", "wait for the node to catch up, or use another"
                )
            )
        for token in self._network.tokens:
            answer = decimals[contract_of(token.id)]
            if answer != token.decimals:
                message = answer if isinstance(answer, str) else f"configured with {token.decimals} decimals, and the contract has {answer}"
                findings.append(Finding(Verdict.PROBLEM, f"{subject} {token.symbol}", message, f"correct tokens in {section}"))
        return findings or [Finding(Verdict.OK, subject, f"at block {head.height}")]
