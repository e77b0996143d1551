"""Planning a flush: what lies where, what can be moved, in which transactions, and what that costs. Nothing here signs or sends."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from pepay_core.api import ChainUnavailable
from pepay_evm import decoding
from pepay_evm.addresses import ZERO
from pepay_evm.deposits import FACTORY, MOST, flush_call
from pepay_evm.networks import contract_of
from pepay_evm.rpc import Call, NodeError
from pepay_evm.sending import Errand, estimate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pepay_core.api import Address, Token
    from pepay_evm.deposits import Treasury
    from pepay_evm.pool import Rpc
    from pepay_evm.rpc import Endpoint

_T = TypeVar("_T")

GAS_EACH: Final = 200_000
"""What must be left before each deposit, and the most that a token may take at once; no well-known token takes half of it."""

MOST_AT_ONCE: Final = 100
"""How many deposits go into one transaction: with the dearest tokens still below what a transaction may use on Ethereum (EIP-7825)."""

_READ_AT_ONCE: Final = 250
_SIMULATED_GAS: Final = 16_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """A deposit: its treasury, its index, and its address."""

    treasury: Treasury
    index: int
    address: Address

    @classmethod
    def of(cls, treasury: Treasury, index: int) -> Place:
        """Return the deposit at an index."""
        return cls(treasury, index, treasury.deposit(index))


@dataclass(frozen=True, slots=True)
class Found:
    """Units of an asset that lie at a deposit."""

    place: Place
    token: Token
    units: int


@dataclass(frozen=True, slots=True)
class Batch:
    """One transaction: ``refused`` are the deposits that a dry run could not move, which are left out of it."""

    treasury: Address
    token: Token
    found: tuple[Found, ...]
    refused: tuple[Found, ...]
    errand: Errand | None

    @property
    def units(self) -> int:
        """How much of the token it moves."""
        return sum(each.units for each in self.found)


async def read_balances(endpoint: Endpoint, places: Sequence[Place], tokens: Sequence[Token]) -> list[Found]:
    """Return what lies at each place. A token that does not tell its balance is taken for empty: a dry run would refuse it."""
    found: list[Found] = []
    for token in tokens:
        contract = contract_of(token.id)
        for some in chunks(places, _READ_AT_ONCE):
            if contract:
                calls = [
                    Call("eth_call", ({"to": contract, "data": f"0x70a08231{place.address[2:].lower():0>64}"}, "latest"), lenient=True)
                    for place in some
                ]
            else:
                calls = [Call("eth_getBalance", (place.address, "latest")) for place in some]
            for place, answer in zip(some, await endpoint.ask(calls), strict=True):
                units = 0 if isinstance(answer, NodeError) else _units(answer, word=bool(contract))
                if units:
                    found.append(Found(place, token, units))
    return found


async def plan(
    rpc: Rpc, found: Sequence[Found], *, payer: str, least: Mapping[str, int], limit: int | None = None, at_once: int = MOST_AT_ONCE
) -> list[Batch]:
    """Return the transactions that move what was found, each tried out on the node first.

    What is below ``least`` of its asset stays where it is, and of the rest the ``limit`` largest of each asset are taken. Native coin
    at a deposit whose token is moved goes with it. The factory must be deployed.
    """
    groups: dict[tuple[Address, Token], list[Found]] = defaultdict(list)
    for each in found:
        if each.units >= least.get(each.token.id, 0):
            groups[each.place.treasury.address, each.token].append(each)
    taken: set[Address] = set()
    batches: list[Batch] = []
    # Tokens first: what they leave behind is coin at deposits that hold nothing else.
    for (treasury, token), group in sorted(groups.items(), key=lambda item: (not contract_of(item[0][1].id), item[0][0], item[0][1].id)):
        rest = [each for each in group if contract_of(token.id) or each.place.address not in taken]
        largest = sorted(rest, key=lambda each: (-each.units, each.place.address))[:limit]
        for some in chunks(largest, min(at_once, MOST)):
            batch = await rpc.step(partial(_batch, treasury=treasury, token=token, found=some, payer=payer))
            taken |= {each.place.address for each in batch.found}
            batches.append(batch)
    return batches


async def _batch(endpoint: Endpoint, treasury: Address, token: Token, found: Sequence[Found], payer: str) -> Batch:
    """Return a transaction of the deposits that a dry run moves; too little gas would undo all of it, and never look like a refusal."""
    failed = await _dry_run(endpoint, treasury, token, found, payer)
    moved = tuple(each for place, each in enumerate(found) if not failed >> place & 1)
    refused = tuple(each for place, each in enumerate(found) if failed >> place & 1)
    if not moved:
        return Batch(treasury, token, (), refused, None)
    data = _data(treasury, token, moved)
    # What the last deposit needs beyond the limit that is checked before it, so that none can fail for want of gas alone.
    gas = await estimate(endpoint, payer, FACTORY, data) + GAS_EACH
    return Batch(treasury, token, moved, refused, Errand(FACTORY, data, gas))


async def _dry_run(endpoint: Endpoint, treasury: Address, token: Token, found: Sequence[Found], payer: str) -> int:
    call = {"from": payer, "to": FACTORY, "data": _data(treasury, token, found), "gas": hex(_SIMULATED_GAS)}
    (answer,) = await endpoint.ask([Call("eth_call", (call, "latest"))])
    word = decoding.data(answer)
    if len(word) != 66:
        raise ChainUnavailable(f"{endpoint.label} did not run the flush")
    return int(word, 16)


def _data(treasury: Address, token: Token, found: Sequence[Found]) -> str:
    return flush_call(treasury, contract_of(token.id) or ZERO, [each.place.treasury.ref(each.place.index) for each in found], GAS_EACH)


def _units(answer: object, *, word: bool) -> int:
    if not word:
        return decoding.quantity(answer)
    text = decoding.data(answer)
    return int(text, 16) if len(text) == 66 else 0


def chunks(values: Sequence[_T], most: int) -> Iterator[Sequence[_T]]:
    """Yield the values, so many at a time."""
    for start in range(0, len(values), most):
        yield values[start : start + most]
