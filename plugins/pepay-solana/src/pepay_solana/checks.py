"""What `pepay doctor` asks of a cluster."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pepay_core.api import ChainUnavailable, Check, Finding, Verdict
from pepay_solana import decoding, mints
from pepay_solana.clusters import mints as mints_of
from pepay_solana.pool import Rpc
from pepay_solana.rpc import Call, NodeError, WrongCluster
from pepay_solana.scanning import get_block

if TYPE_CHECKING:
    from pepay_core.api import Block, Clock, Http
    from pepay_solana.clusters import Cluster
    from pepay_solana.rpc import Endpoint

_OLDEST = timedelta(seconds=60)


class ClusterCheck(Check):
    """Whether each endpoint answers, serves the right cluster, keeps up with it, and knows the mints as they are configured."""

    def __init__(self, cluster: Cluster, http: Http, clock: Clock) -> None:
        self.name = f"solana {cluster.key}"
        self._cluster = cluster
        self._clock = clock
        self._mints = mints_of(cluster)
        self._endpoints = Rpc(cluster.rpc, http, clock, genesis=cluster.genesis, batch=cluster.batch).endpoints

    async def run(self) -> list[Finding]:
        """Ask every endpoint."""
        return [finding for endpoint in self._endpoints for finding in await self._judge(endpoint)]

    async def _judge(self, endpoint: Endpoint) -> list[Finding]:
        section = f"[plugin.solana.clusters.{self._cluster.key}]"
        subject = f"{self._cluster.name} {endpoint.label}"
        try:
            head = await self._head(endpoint)
            refused = await mints.refused(endpoint, self._mints, dict(self._cluster.extensions))
        except WrongCluster as exc:
            return [Finding(Verdict.PROBLEM, subject, exc.message, f"correct rpc or genesis in {section}")]
        except ChainUnavailable as exc:
            return [Finding(Verdict.PROBLEM, subject, exc.message, f"start the node, or give {section} another rpc")]

        findings: list[Finding] = []
        age = self._clock.now() - head.time
        if not self._cluster.idle and age > _OLDEST:
            findings.append(
                Finding(
                    Verdict.WARNING, subject, f"its newest block is {int(age.total_seconds())} s old", "wait for the node to catch up, or use another"
                )
            )
        findings += [Finding(Verdict.PROBLEM, subject, reason, f"correct tokens in {section}") for reason in refused.values()]
        return findings or [Finding(Verdict.OK, subject, f"at slot {head.height}")]

    async def _head(self, endpoint: Endpoint) -> Block:
        (slot,) = await endpoint.ask([Call("getSlot", ({"commitment": "confirmed"},))])
        height = decoding.number(slot)
        (answer,) = await endpoint.ask([get_block(height)])
        if answer is None or isinstance(answer, NodeError):
            raise ChainUnavailable(answer.message if answer else f"{endpoint.label} does not have its newest block")
        return decoding.block(answer, height)
