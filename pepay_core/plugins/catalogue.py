"""What the running plugins contribute, put together: the one place where core looks up chains, tokens, rates and notifiers."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pepay_core.domain.assets import AssetId, ChainId, family_of
from pepay_core.domain.errors import PluginConflict, UnknownAsset
from pepay_core.plugins.problems import Problem, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pepay_core.contracts.chain import Chain
    from pepay_core.contracts.converter import Converter
    from pepay_core.contracts.notifier import Notifier
    from pepay_core.contracts.rates import RateProvider
    from pepay_core.domain.assets import Token

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Contributed(Protocol[T_co]):
    """A thing and the plugin it came from."""

    @property
    def plugin(self) -> str:
        """The plugin's name."""
        ...

    @property
    def value(self) -> T_co:
        """The thing."""
        ...


class Catalogue:
    """Chains by id, tokens by asset, rate providers by name, notifiers by scheme, converters by name, each with its owner.

    Where two plugins contribute the same thing, neither is taken until ``[plugins.prefer]`` names one: nobody should be paid on a
    chain that is not the one they believe.
    """

    def __init__(self, prefer: Mapping[str, str] | None = None) -> None:
        self._prefer = dict(prefer or {})
        self._owners: dict[tuple[str, str], str] = {}
        self.chains: dict[ChainId, Chain] = {}
        self.tokens: dict[AssetId, Token] = {}
        self.rate_providers: dict[str, RateProvider] = {}
        self.notifiers: dict[str, Notifier] = {}
        self.converters: dict[str, Converter] = {}

    # --- asking ----------------------------------------------------------------------

    def token(self, asset: str) -> Token:
        """Return an asset's token, or raise UnknownAsset."""
        try:
            return self.tokens[AssetId(asset)]
        except KeyError:
            raise UnknownAsset(asset) from None

    def chain(self, chain_id: str) -> Chain:
        """Return a chain's driver, or raise UnknownAsset: without the chain, no asset on it is known."""
        try:
            return self.chains[ChainId(chain_id)]
        except KeyError:
            raise UnknownAsset(chain_id, what="chain") from None

    def family(self, family: str) -> list[Chain]:
        """Return the chains that share wallets, such as all of ``eip155``."""
        return [chain for chain_id, chain in self.chains.items() if family_of(chain_id) == family]

    def tokens_on(self, chain_id: str) -> list[Token]:
        """Return the tokens of a chain, the native coin among them, in the order in which they were contributed."""
        return [token for token in self.tokens.values() if token.chain == chain_id]

    def owner(self, kind: str, key: str) -> str:
        """Return the plugin that contributed a ``chain``, ``token``, ``rates``, ``notifier`` or ``converter``; KeyError when none did."""
        return self._owners[kind, key]

    def of(self, plugin: str) -> tuple[str, ...]:
        """Return what a plugin contributes, as ``kind key``."""
        return tuple(f"{kind} {key}" for (kind, key), owner in self._owners.items() if owner == plugin)

    # --- filling ---------------------------------------------------------------------

    def add_chains(self, given: Iterable[Contributed[Chain]]) -> list[Problem]:
        """Take chains in, and return what was refused."""
        return self._add("chain", given, lambda chain: chain.id, self.chains)

    def add_rate_providers(self, given: Iterable[Contributed[RateProvider]]) -> list[Problem]:
        """Take rate providers in, and return what was refused."""
        return self._add("rates", given, lambda provider: provider.name, self.rate_providers)

    def add_notifiers(self, given: Iterable[Contributed[Notifier]]) -> list[Problem]:
        """Take notifiers in, and return what was refused."""
        return self._add("notifier", given, lambda notifier: notifier.scheme, self.notifiers)

    def add_converters(self, given: Iterable[Contributed[Converter]]) -> list[Problem]:
        """Take converters in, and return what was refused."""
        return self._add("converter", given, lambda converter: converter.name, self.converters)

    def add_tokens(self, given: Iterable[Contributed[Token]]) -> list[Problem]:
        """Take tokens in, and return what was refused: those without a chain, and those whose decimals are disputed.

        Where several plugins name the same asset with the same decimals, the one that contributes the chain describes it.
        """
        by_asset: dict[AssetId, list[Contributed[Token]]] = defaultdict(list)
        for each in given:
            by_asset[each.value.id].append(each)
        problems: list[Problem] = []
        for asset, claimed in by_asset.items():
            claims, chain = claimed, claimed[0].value.chain
            if chain not in self.chains:
                problems += [_without_chain(each.plugin, asset, chain) for each in claims]
                continue
            if len({each.value.decimals for each in claims}) > 1:
                preferred = self._preferred(asset, claims)
                if preferred is None:
                    problems += [_disputed(each, claims) for each in claims]
                    continue
                claims = [preferred]
            chosen = next((each for each in claims if each.plugin == self._owners["chain", chain]), claims[0])
            self.tokens[asset] = chosen.value
            self._owners["token", asset] = chosen.plugin
        return problems

    def drop(self, plugin: str) -> None:
        """Forget everything that a plugin contributed, and the tokens that lose their chain by it."""
        for kind, key in [place for place, owner in self._owners.items() if owner == plugin]:
            self._forget(kind, key)
        for asset, token in list(self.tokens.items()):
            if token.chain not in self.chains:
                self._forget("token", asset)

    # --- inside ----------------------------------------------------------------------

    def _add(self, kind: str, given: Iterable[Contributed[T]], key_of: Callable[[T], str], taken: dict[Any, T]) -> list[Problem]:
        claims: dict[str, list[Contributed[T]]] = defaultdict(list)
        for each in given:
            claims[key_of(each.value)].append(each)
        problems = []
        for key, claimed in claims.items():
            label = key if kind == "chain" else f"{kind}:{key}"
            chosen = claimed[0] if len(claimed) == 1 else self._preferred(label, claimed)
            if chosen is None:
                problems += [_claimed(each.plugin, kind, key, label, [other.plugin for other in claimed]) for each in claimed]
                continue
            taken[key] = chosen.value
            self._owners[kind, key] = chosen.plugin
        return problems

    def _preferred(self, label: str, claims: Iterable[Contributed[T]]) -> Contributed[T] | None:
        wanted = [each for each in claims if each.plugin == self._prefer.get(label)]
        return wanted[0] if len(wanted) == 1 else None

    def _forget(self, kind: str, key: str) -> None:
        del self._owners[kind, key]
        places: dict[str, dict[Any, Any]] = {
            "chain": self.chains,
            "token": self.tokens,
            "rates": self.rate_providers,
            "notifier": self.notifiers,
            "converter": self.converters,
        }
        del places[kind][key]


def _claimed(plugin: str, kind: str, key: str, label: str, claimants: list[str]) -> Problem:
    others = sorted({each for each in claimants if each != plugin}) or [plugin]
    reason = f"{kind} {key} is contributed by {' and '.join(others)} too, so neither is taken"
    if others == [plugin]:
        return Problem(plugin, Stage.CONFLICT, PluginConflict, f"{kind} {key} is contributed twice", "name it once in the plugin's settings")
    return Problem(plugin, Stage.CONFLICT, PluginConflict, reason, _prefer(label, sorted(set(claimants))))


def _disputed(claim: Contributed[Token], claims: Iterable[Contributed[Token]]) -> Problem:
    said = ", ".join(f"{each.value.decimals} by {each.plugin}" for each in claims)
    reason = f"token {claim.value.id} is said to have different decimals ({said}), so it is not offered"
    return Problem(claim.plugin, Stage.CONFLICT, PluginConflict, reason, _prefer(claim.value.id, sorted({each.plugin for each in claims})))


def _without_chain(plugin: str, asset: str, chain: str) -> Problem:
    reason = f"token {asset} is on the chain {chain}, which no running plugin contributes"
    return Problem(plugin, Stage.CONTRIBUTE, PluginConflict, reason, f"configure the chain {chain}, or take the token out")


def _prefer(label: str, claimants: list[str]) -> str:
    return f'decide in [plugins.prefer]: "{label}" = {" or ".join(f"{each!r}" for each in claimants)}'.replace("'", '"')
