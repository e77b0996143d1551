"""What a token's transfers really brought: what their events say, held against the balances around their block.

An event is a contract's word. A token that keeps a fee, that changes balances by itself, or that lies, says one thing and moves another.
So for each address and token that a block's events concern, what arrived is the balance in that block, less the balance in the one before,
plus what left the address in between, by the events that the scan has read anyway; and the transfers are credited with the lesser of what
they say and of what arrived.

Blocks are named by hash, so looking again at the same block gives the same units. A token in the built-in table, or one that is configured with
``standard = true``, is believed below an amount, and where nobody can tell its balances any more. Any other is credited only with what
is proven; see ``Trust``.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from pepay_core.api import ChainUnavailable
from pepay_evm import decoding
from pepay_evm.contracts import balance_call, contract_failed
from pepay_evm.decoding import TRANSFER
from pepay_evm.departures import FACTORY, FLUSHED
from pepay_evm.networks import contract_of
from pepay_evm.rpc import Call, NodeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pepay_core.api import Block, Transfer
    from pepay_evm.decoding import Header, Log
    from pepay_evm.networks import Network
    from pepay_evm.rpc import Endpoint

log = logging.getLogger("pepay.plugin.evm")

RECENT: Final = 128
"""How many blocks back every full node keeps the balances: one that does not tell those is asked again, or another is."""

_AT_ONCE: Final = 50
_WORD: Final = 66


class Trust(Enum):
    """How far a token's events are believed."""

    STANDARD = "standard"
    """It is known to move what it says: balances are compared from an amount on, and where they cannot be had, the events count."""
    UNKNOWN = "unknown"
    """Balances are compared always; where no node knows those of the block any more, what the events say must lie at the address now."""
    STRICT = "strict"
    """Balances are compared always; where no node knows those of the block, the look fails, until there is an endpoint that does."""


def credited(said: Sequence[int], arrived: int) -> tuple[int, ...]:
    """Return what each of the transfers of one block to one address is credited with, in base units.

    All of what they say when at least as much arrived. Otherwise each gets its share of what arrived, in proportion to what it says,
    rounded down, and the units that the rounding leaves go one each to those whose share was rounded, in the order of the chain. So together they get
    exactly what arrived, and none gets more than it says.
    """
    total = sum(said)
    if arrived >= total:
        return tuple(said)
    arrived = max(arrived, 0)
    shares = [units * arrived // total for units in said]
    rest = arrived - sum(shares)
    for place, units in enumerate(said):
        if rest and units * arrived % total:
            shares[place] += 1
            rest -= 1
    return tuple(shares)


@dataclass(frozen=True, slots=True)
class _Case:
    """The transfers of one token to one address in one block, by their places in the list."""

    block: Block
    contract: str
    address: str
    trust: Trust
    places: list[int] = field(default_factory=list[int])


@dataclass(slots=True)
class _Outflow:
    """What left an address in one transaction, in base units: as the token's events say, and as the deposit factory measured a flush."""

    said: int = 0
    flushed: int | None = None


_Left = dict[tuple[str, str, str], dict[str, _Outflow]]
"""The outflows of each block, contract and address, by transaction."""


class Verifier:
    """Credits the transfers of one network with what arrived."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._tokens = network.contracts
        self._believed_below = {
            contract: int(network.verify_from.scaleb(token.decimals)) for contract, token in self._tokens.items() if token.id in network.standard
        }

    async def verified(
        self, endpoint: Endpoint, headers: Sequence[Header], logs: Sequence[Log], transfers: Sequence[Transfer]
    ) -> tuple[Transfer, ...]:
        """Return the transfers with the units that arrived, without those that brought nothing.

        ``logs`` are all events of the blocks that ``Events`` reads. Raises ChainUnavailable where the endpoint cannot tell the balances.
        """
        cases = self._cases(transfers)
        parents = {header.hash: header.parent for header in headers}
        left = _left(cases, logs)
        units = [transfer.units for transfer in transfers]
        for start in range(0, len(cases), _AT_ONCE):
            some = cases[start : start + _AT_ONCE]
            for case, arrived in zip(some, await self._arrived(endpoint, parents, left, some, transfers), strict=True):
                if arrived is None:
                    continue
                said = [units[place] for place in case.places]
                for place, share in zip(case.places, credited(said, arrived), strict=True):
                    units[place] = share
                if arrived < sum(said):
                    self._alarm(case, sum(said), arrived, [transfers[place].tx for place in case.places])
        return tuple(
            transfer if share == transfer.units else replace(transfer, units=share) for transfer, share in zip(transfers, units, strict=True) if share
        )

    def _cases(self, transfers: Sequence[Transfer]) -> list[_Case]:
        cases: dict[tuple[str, str, str], _Case] = {}
        for place, transfer in enumerate(transfers):
            contract, address = contract_of(transfer.asset), transfer.to.address.lower()
            if contract in self._tokens:
                key = transfer.block.hash, contract, address
                cases.setdefault(key, _Case(transfer.block, contract, address, self._trust(contract))).places.append(place)
        return [case for case in cases.values() if sum(transfers[place].units for place in case.places) >= self._believed_below.get(case.contract, 0)]

    def _trust(self, contract: str) -> Trust:
        if contract in self._believed_below:
            return Trust.STANDARD
        return Trust.STRICT if self._tokens[contract].id in self._network.strict else Trust.UNKNOWN

    async def _arrived(
        self, endpoint: Endpoint, parents: Mapping[str, str], left: _Left, cases: Sequence[_Case], transfers: Sequence[Transfer]
    ) -> list[int | None]:
        """Return what arrived in each case, or None where the events are to be believed."""
        calls = [
            Call("eth_call", ({"to": case.contract, "data": balance_call(case.address)}, {"blockHash": at}), lenient=True)
            for case in cases
            for at in (parents[case.block.hash], case.block.hash)
        ]
        answers = await endpoint.ask(calls)
        arrived: list[int | None] = []
        forgotten: list[_Case] = []
        for place, case in enumerate(cases):
            before, after = (_balance(answer) for answer in answers[2 * place : 2 * place + 2])
            if before is None or after is None:
                forgotten.append(case)
                arrived.append(None)
            elif before < 0 or after < 0:
                log.warning("%s: %s does not tell its balances in block %d", self._network.name, self._symbol(case), case.block.height)
                arrived.append(0)
            else:
                arrived.append(after - before + _spent(case, left.get((case.block.hash, case.contract, case.address), {}), transfers))
        await self._believe(endpoint, forgotten, transfers)
        return arrived

    async def _believe(self, endpoint: Endpoint, forgotten: Sequence[_Case], transfers: Sequence[Transfer]) -> None:
        """Return when the events of these cases may be believed although the node does not know the block's balances."""
        doubtful = [case for case in forgotten if case.trust is not Trust.STANDARD]
        if not doubtful:
            return
        calls = [Call("eth_call", ({"to": case.contract, "data": balance_call(case.address)}, "latest"), lenient=True) for case in doubtful]
        newest, *answers = await endpoint.ask([Call("eth_getBlockByNumber", ("latest", False)), *calls])
        head = decoding.header(newest, full=False).height
        needed: dict[tuple[str, str], int] = {}
        for case in doubtful:
            key = case.contract, case.address
            needed[key] = needed.get(key, 0) + sum(transfers[place].units for place in case.places)
        for case, answer in zip(doubtful, answers, strict=True):
            now = _balance(answer)
            recent = head - case.block.height < RECENT
            if case.trust is Trust.STRICT or recent or now is None or now < needed[case.contract, case.address]:
                raise ChainUnavailable(
                    f"{endpoint.label} does not know what {self._symbol(case)} brought in block {case.block.height}: "
                    "it needs the balances of that block, which an archive node keeps"
                )

    def _alarm(self, case: _Case, said: int, arrived: int, transactions: Sequence[str]) -> None:
        log.warning(
            "%s: the events of %s in block %d say that %s received %d base units, and %d arrived; only these are credited (%s)",
            self._network.name,
            self._symbol(case),
            case.block.height,
            case.address,
            said,
            max(arrived, 0),
            ", ".join(dict.fromkeys(transactions)),
        )

    def _symbol(self, case: _Case) -> str:
        return self._tokens[case.contract].symbol


def _balance(answer: Any) -> int | None:
    """Return a balance, -1 where the contract does not tell it, or None where the node does not know."""
    if isinstance(answer, NodeError):
        return -1 if contract_failed(answer) else None
    if answer is None:
        return None
    word = decoding.data(answer)
    return int(word, 16) if len(word) == _WORD else -1


def _left(cases: Sequence[_Case], logs: Sequence[Log]) -> _Left:
    """Return what left the addresses of these cases for others."""
    ours = {f"0x{case.address[2:]:0>64}": case.address for case in cases}
    left: _Left = {}

    def of(log: Log, contract: str, owner: str) -> _Outflow:
        return left.setdefault((log.block, contract, ours[owner]), {}).setdefault(log.transaction, _Outflow())

    for log in logs:
        kind, *named = log.topics or ("",)
        if len(log.data) != _WORD:
            continue
        if kind == TRANSFER and len(named) == 2 and named[0] in ours and named[0] != named[1]:
            of(log, log.address, named[0]).said += int(log.data, 16)
        elif kind == FLUSHED and log.address == FACTORY and len(named) == 3 and named[1] in ours:
            outflow = of(log, f"0x{named[2][26:]}", named[1])
            outflow.flushed = (outflow.flushed or 0) + int(log.data, 16)
    return left


def _spent(case: _Case, left: Mapping[str, _Outflow], transfers: Sequence[Transfer]) -> int:
    """Return what left the address for another.

    A token that is known to move what it says is believed. Of any other, what a flush took away is what the deposit factory measured, and
    what else the token takes from the recipient in the very transaction that pays is its fee.
    """
    if case.trust is Trust.STANDARD:
        return sum(each.said for each in left.values())
    paying = {transfers[place].tx for place in case.places}
    return sum(each.flushed if each.flushed is not None else each.said for tx, each in left.items() if each.flushed is not None or tx not in paying)
