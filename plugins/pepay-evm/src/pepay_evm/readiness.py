"""Whether money can be moved out of CREATE2 deposits on a network, now or once the factory is deployed there; what doctor says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pepay_core.api import ChainUnavailable, Check, Finding, Verdict
from pepay_evm import decoding
from pepay_evm.deposits import DEPLOYER, DEPLOYER_CODE, FACTORY
from pepay_evm.pool import Rpc
from pepay_evm.rpc import Call, NodeError

if TYPE_CHECKING:
    from pepay_core.api import Clock, Http
    from pepay_evm.networks import Network
    from pepay_evm.rpc import Endpoint

# Stores 1 in transient storage, reads it back and returns it: what the factory needs of the network (EIP-1153, and EIP-3855 for zeros).
_PROBE: Final = "0x60015f5d5f5c5f5260205ff3"
_ONE: Final = f"0x{1:064x}"


@dataclass(frozen=True, slots=True)
class Readiness:
    """``refusal`` says why money that is sent to a deposit could never be moved, or is None; ``deployed`` whether it can be moved now."""

    refusal: str | None
    deployed: bool


async def read_readiness(endpoint: Endpoint) -> Readiness:
    """Return what the network has of what deposits need. Raises ChainUnavailable when the node does not answer."""
    calls = [Call("eth_getCode", (address, "latest")) for address in (DEPLOYER, FACTORY)]
    deployer, factory, probed = await endpoint.ask([*calls, Call("eth_call", ({"data": _PROBE}, "latest"), lenient=True)])
    if decoding.data(deployer) != DEPLOYER_CODE:
        return Readiness(f"it has no CREATE2 deployer at {DEPLOYER}, through which the deposit factory gets its address", deployed=False)
    if isinstance(probed, NodeError) or decoding.data(probed) != _ONE:
        return Readiness("it has no transient storage (the Cancun upgrade), which the deposit factory needs", deployed=False)
    return Readiness(None, deployed=decoding.data(factory) != "0x")


class DepositsCheck(Check):
    """Whether treasury wallets can be used on a network. They are one way of three, so it is nothing wrong when they cannot."""

    def __init__(self, network: Network, http: Http, clock: Clock) -> None:
        self.name = f"evm {network.key} deposits"
        self._network = network
        self._rpc = Rpc(network.rpc, http, clock, network.number)

    async def run(self) -> list[Finding]:
        """Ask an endpoint; that none answers is the other check's finding."""
        try:
            readiness = await self._rpc.step(read_readiness)
        except ChainUnavailable:
            return []
        if readiness.refusal is not None:
            words = f"treasury wallets cannot be used: {readiness.refusal}"
        elif not readiness.deployed:
            words = f"what treasury wallets receive can be moved once `pepay evm deploy-factory {self._network.key}` has been run"
        else:
            words = f"the factory is deployed at {FACTORY}"
        return [Finding(Verdict.OK, f"{self._network.name} deposits", words)]
