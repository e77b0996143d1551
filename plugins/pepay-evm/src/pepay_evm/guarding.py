"""Tokens are watched, not trusted once: a contract that becomes another one is noticed while the network runs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from pepay_evm.contracts import read_facts
from pepay_evm.networks import contract_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pepay_core.api import AssetId, Clock, Token
    from pepay_evm.contracts import Facts
    from pepay_evm.networks import Network
    from pepay_evm.rpc import Endpoint

log = logging.getLogger("pepay.plugin.evm")

EVERY_SECONDS: Final = 300.0
"""How often the contracts are asked again; it is one batch."""


class TokenGuard:
    """Remembers what each token's contract was, and says which tokens must not be used."""

    def __init__(self, network: Network, clock: Clock) -> None:
        self._network = network
        self._clock = clock
        self._facts: dict[str, Facts] = {}
        self._refused: dict[AssetId, str] = {}
        self._asked: float | None = None

    @property
    def due(self) -> bool:
        """Whether it is time to ask again; nobody asks before the network is opened."""
        return self._asked is not None and self._clock.monotonic() - self._asked >= EVERY_SECONDS

    async def look(self, endpoint: Endpoint) -> Mapping[AssetId, str]:
        """Return the tokens that are refused, with the reason; tells the log of every change. Raises ChainUnavailable."""
        facts = await read_facts(endpoint, [contract_of(token.id) for token in self._network.tokens])
        refused: dict[AssetId, str] = {}
        for token in self._network.tokens:
            contract = contract_of(token.id)
            now, before = facts[contract], self._facts.get(contract)
            reason = problem(token, now)
            if reason is not None:
                refused[token.id] = reason
            self._tell(token, before, now, reason)
            self._facts[contract] = now
        self._refused = refused
        self._asked = self._clock.monotonic()
        return refused

    def _tell(self, token: Token, before: Facts | None, now: Facts, reason: str | None) -> None:
        name = f"{self._network.name}: {token.symbol}"
        was_refused = token.id in self._refused
        if reason is not None and self._refused.get(token.id) != reason:
            log.error("%s is refused: %s", name, reason)
        elif reason is None and was_refused:
            log.warning("%s is accepted again", name)
        if before is not None and (before.code, before.behind) != (now.code, now.behind):
            log.warning("%s has other code than before: its contract was upgraded, find out to what", name)


def problem(token: Token, facts: Facts) -> str | None:
    """Return in words why a token must not be used, or None."""
    if isinstance(facts.decimals, str):
        return facts.decimals
    if facts.decimals != token.decimals:
        return f"{token.symbol} is configured with {token.decimals} decimals, and its contract has {facts.decimals}"
    return None
