"""What a plugin's command is given: the plugin's own context, and a look at what was issued. Nothing that could change either."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from pepay_core.contracts.chain import WalletMaterial
    from pepay_core.contracts.context import PluginContext
    from pepay_core.domain.assets import ChainId
    from pepay_core.domain.chains import Destination
    from pepay_core.domain.sweeps import Balance


@dataclass(frozen=True, slots=True)
class IssuedDeposit:
    """A destination that was given to a buyer, with the wallet that it came from and what one chain's books say of it."""

    destination: Destination
    wallet: str
    material: WalletMaterial
    index: int
    livemode: bool
    balances: tuple[Balance, ...] = ()


class Gateway(ABC):
    """An opened configuration. The database is read when it is first asked for something."""

    ctx: PluginContext

    @abstractmethod
    async def deposits(self, chain: ChainId, kind: str) -> Sequence[IssuedDeposit]:
        """Return everything that was ever issued from wallets of a kind, archived ones too, with what came and went on this chain."""


class Console(ABC):
    """What click's context object is in a plugin's commands: take it with ``@click.pass_obj``."""

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[Gateway]:
        """Read the configuration and return the gateway; raises ConfigError when the operator must change something first."""
