"""The newest block that can be relied on: not one that lags, not one that nobody else could have, and none while endpoints are at odds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pepay_core.api import ChainUnavailable
from pepay_evm.survey import read_tip

if TYPE_CHECKING:
    from pepay_core.api import Block, Tip
    from pepay_evm.networks import Network
    from pepay_evm.pool import Rpc
    from pepay_evm.rpc import Endpoint
    from pepay_evm.survey import Survey

_SHOWN: Final = 512


class Tips:
    """Asks for the newest block of one network."""

    def __init__(self, network: Network, rpc: Rpc, survey: Survey) -> None:
        self._network = network
        self._rpc = rpc
        self._survey = survey
        # Which endpoint showed which newest block: of the last ones, the newest at the end.
        self._shown: dict[str, Endpoint] = {}
        # The highest block that was served as the newest one: who has less may lag.
        self._highest = -1

    async def newest(self) -> Tip:
        """Return the newest block.

        Raises ChainUnavailable while endpoints contradict each other and no majority decides, and while one that was further may come back.
        """
        await self._survey.take_if_due()
        self._refuse_a_split()
        served, tip = await self._rpc.step(self._ask)
        if self._survey.wants(tip.block.height) or self._survey.far_ahead(served, tip.block.height):
            await self._survey.take()
            self._refuse_a_split()
        if self._survey.far_ahead(served, tip.block.height):
            raise ChainUnavailable(f"{served.label} is far ahead of the other endpoints")
        if self._rpc.several and tip.block.height < self._highest:
            served, tip = await self._highest_of_all()
        self._highest = tip.block.height
        self._remember(tip.block, served)
        return self._survey.witnessed(tip)

    def doubt(self, block: Block) -> None:
        """Prefer others to the endpoint that showed a block which did not last, or cannot be read."""
        endpoint = self._shown.get(block.hash)
        if endpoint is not None:
            self._rpc.standing(endpoint).doubt()

    async def _ask(self, endpoint: Endpoint) -> tuple[Endpoint, Tip]:
        return endpoint, await read_tip(endpoint, finalized=self._network.wants_finalized)

    def _remember(self, block: Block, endpoint: Endpoint) -> None:
        self._shown.pop(block.hash, None)
        self._shown[block.hash] = endpoint
        if len(self._shown) > _SHOWN:
            del self._shown[next(iter(self._shown))]

    def _refuse_a_split(self) -> None:
        if self._survey.split is not None:
            raise ChainUnavailable(self._survey.split)

    async def _highest_of_all(self) -> tuple[Endpoint, Tip]:
        """Return the newest block of all, where the one that serves has less than was served before.

        The chain has become shorter only if nobody who can be expected to answer says otherwise.
        """
        await self._survey.take()
        self._refuse_a_split()
        tips: list[tuple[Endpoint, Tip]] = []
        for endpoint in list(self._rpc.ranked()):
            try:
                tips.append(await self._rpc.ask(endpoint, self._ask))
            except ChainUnavailable:
                continue
        expected = sum(self._rpc.standing(endpoint).expected for endpoint in self._rpc.endpoints)
        best = max(tips, key=lambda each: each[1].block.height, default=None)
        if best is None or (best[1].block.height < self._highest and len(tips) < expected):
            raise ChainUnavailable(f"the endpoints that answer are behind block {self._highest}")
        return best
