"""Which installed code may enter this process, and why the rest may not."""

from __future__ import annotations

import importlib.metadata
import logging
import re
from collections import defaultdict
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from stevedore.named import NamedExtensionManager

from pepay_core.domain.errors import PluginAmbiguous, PluginBroken, PluginIncompatible, PluginMissing
from pepay_core.plugins.info import API_VERSION, PluginInfo
from pepay_core.plugins.problems import Problem, Stage, told
from pepay_core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

GROUP: Final = "pepay.plugins"
CORE: Final = "pepay-core"

STOCK: Final = ("evm", "solana", "coingecko", "coinbase", "kraken", "uniswap", "jupiter", "webhook-hmac", "email", "graphql", "sandbox")
"""The plugins that are developed with PePay. Each is only itself when its distribution is ``pepay-NAME``."""
NOT_BY_DEFAULT: Final = frozenset({"sandbox"})

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
# The environment has one namespace for both: PEPAY_SERVER__PORT could not belong to a plugin called server.
_RESERVED: Final = frozenset(Settings.model_fields)

log = logging.getLogger("pepay.plugins")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An installed plugin, as its metadata describes it; nothing of it has been imported."""

    name: str
    target: str
    distribution: str
    version: str
    needs_core: SpecifierSet | None
    """The versions of pepay-core it says it works with; None when its metadata cannot be read."""
    entry_point: importlib.metadata.EntryPoint = field(repr=False, compare=False)

    @property
    def is_stock(self) -> bool:
        """Tell whether it is one of the plugins developed with PePay, and not another that took the name of one."""
        return self.name in STOCK and self.distribution == f"pepay-{self.name}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """An imported plugin."""

    candidate: Candidate
    module: ModuleType
    info: PluginInfo


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What became of every name that was asked for: loaded, in the order asked, or a problem."""

    loaded: dict[str, Loaded]
    problems: dict[str, Problem]


def fault_of_name(name: str) -> str | None:
    """Return why no plugin can have this name, or None."""
    if not _NAME.fullmatch(name):
        return "a name is lower-case letters, digits and single hyphens, such as acme or acme-pay"
    return "the name is taken by PePay itself" if name in _RESERVED else None


def discover() -> list[Candidate]:
    """Return every installed plugin, from metadata alone: nothing is imported, and broken metadata costs only its owner."""
    found: dict[tuple[str, str, str], Candidate] = {}
    for distribution in importlib.metadata.distributions():
        for candidate in _declared(distribution):
            # An editable install is often on the path twice; the first one is the one that would be imported.
            found.setdefault((candidate.distribution, candidate.name, candidate.target), candidate)
    return sorted(found.values(), key=lambda each: (each.name, each.distribution))


def _declared(distribution: importlib.metadata.Distribution) -> Iterator[Candidate]:
    try:
        entry_points = list(distribution.entry_points.select(group=GROUP))
    except Exception as exc:  # noqa: BLE001 - the metadata of any package on this machine may be broken
        log.debug("the entry points of %s cannot be read: %s", _path(distribution), told(exc))
        return
    for each in entry_points:
        name, version = _identity(distribution)
        yield Candidate(each.name, each.value, name, version, _needs_core(distribution), each)


def _identity(distribution: importlib.metadata.Distribution) -> tuple[str, str]:
    try:
        return canonicalize_name(distribution.metadata["Name"]), distribution.metadata["Version"] or "unknown"
    except Exception:  # noqa: BLE001 - see above: it is then known by where it lies
        return _path(distribution), "unknown"


def _needs_core(distribution: importlib.metadata.Distribution) -> SpecifierSet | None:
    try:
        requirements = [Requirement(text) for text in distribution.requires or ()]
    except (InvalidRequirement, OSError, UnicodeError):
        return None
    needed = [each.specifier for each in requirements if canonicalize_name(each.name) == CORE]
    return needed[0] if needed else SpecifierSet()


def _path(distribution: importlib.metadata.Distribution) -> str:
    path = getattr(distribution, "_path", None)
    return path.name if path is not None else "a distribution without a name"


class _Refused(Exception):
    """Carries what an entry point raised past stevedore, which lets SystemExit and AssertionError through."""


class _Guarded:
    """An entry point that can fail in one way only."""

    def __init__(self, entry_point: importlib.metadata.EntryPoint) -> None:
        self._entry_point = entry_point
        self.name = entry_point.name

    def load(self) -> object:
        try:
            return self._entry_point.load()
        except KeyboardInterrupt:
            raise
        except BaseException as exc:
            raise _Refused(told(exc)) from exc


class _Admitted(NamedExtensionManager[ModuleType]):
    """Loads what it was handed, and never what else may lie on the path under the same name."""

    def __init__(self, entry_points: Sequence[_Guarded], failed: Callable[[str, BaseException], None]) -> None:
        self._entry_points = entry_points
        super().__init__(
            GROUP,
            [each.name for each in entry_points],
            on_load_failure_callback=lambda _, entry_point, exc: failed(entry_point.name, exc),
            on_missing_entrypoints_callback=None,
        )

    def list_entry_points(self) -> list[importlib.metadata.EntryPoint]:
        return list(self._entry_points)  # type: ignore[arg-type]


def load(enabled: Iterable[str], core_version: str, *, candidates: Sequence[Candidate] | None = None) -> LoadReport:
    """Import the plugins that are enabled and may enter; whatever one of them does at import costs only itself."""
    by_name: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in discover() if candidates is None else candidates:
        by_name[candidate.name].append(candidate)

    problems: dict[str, Problem] = {}
    admitted: dict[str, Candidate] = {}
    for name in dict.fromkeys(enabled):
        problem = _objection(name, by_name.get(name, []), core_version, by_name)
        if problem is not None:
            problems[name] = problem
        else:
            admitted[name] = by_name[name][0]

    def failed(name: str, exc: BaseException) -> None:
        hint = f"reinstall {admitted[name].distribution}, or ask its author"
        problems[name] = Problem(name, Stage.IMPORT, PluginBroken, f"does not import: {exc}", hint)
        log.debug("plugin %s does not import", name, exc_info=exc.__cause__)

    manager = _Admitted([_Guarded(each.entry_point) for each in admitted.values()], failed)
    loaded: dict[str, Loaded] = {}
    for extension in manager.extensions:
        name, module = extension.name, extension.plugin
        checked = _checked(admitted[name], module)
        if isinstance(checked, Problem):
            problems[name] = checked
        else:
            loaded[name] = checked
    return LoadReport(loaded, problems)


def _objection(name: str, found: list[Candidate], core_version: str, known: Iterable[str]) -> Problem | None:
    """Return why a plugin may not even be imported."""
    if not found:
        return Problem(name, Stage.DISCOVER, PluginMissing, "is not installed", _how_to_get(name, known))
    if len(found) > 1:
        owners = ", ".join(f"{each.distribution} {each.version}" for each in found)
        hint = f"uninstall all but one: {' or '.join(f'pip uninstall {owner}' for owner in dict.fromkeys(each.distribution for each in found))}"
        return Problem(name, Stage.DISCOVER, PluginAmbiguous, f"the name is claimed by {owners}; none of them was imported", hint)
    [candidate] = found
    fault = fault_of_name(name)
    if fault is not None:
        return Problem(name, Stage.DISCOVER, PluginBroken, fault, f"ask the author of {candidate.distribution} for another name")
    if not re.fullmatch(r"\w+(\.\w+)*", candidate.target):
        reason = f"its entry point names {candidate.target!r}, which is not a module"
        return Problem(name, Stage.DISCOVER, PluginBroken, reason, f'{name} = "package" is the form, without a colon')
    if candidate.needs_core is None:
        reason = f"the metadata of {candidate.distribution} cannot be read"
        return Problem(name, Stage.COMPATIBILITY, PluginBroken, reason, f"pip install --force-reinstall {candidate.distribution}")
    if not candidate.needs_core.contains(core_version, prereleases=True):
        reason = f"{candidate.distribution} {candidate.version} needs pepay-core{candidate.needs_core}, and this is {core_version}"
        return Problem(name, Stage.COMPATIBILITY, PluginIncompatible, reason, f"pip install --upgrade {candidate.distribution} pepay-core")
    return None


def _how_to_get(name: str, known: Iterable[str]) -> str:
    from pepay_core.plugins.validating import nearest  # pydantic is paid for only where a name is wrong

    meant = nearest(name, known)
    return f"did you mean {meant!r}? Otherwise: pip install pepay-{name}" if meant else f"pip install pepay-{name}, or take it out of [plugins]"


def _checked(candidate: Candidate, module: object) -> Loaded | Problem:
    """Return the plugin when its module says of itself what it must."""
    name, author = candidate.name, f"ask the author of {candidate.distribution}"
    if not isinstance(module, ModuleType):
        return Problem(name, Stage.IMPORT, PluginBroken, "its entry point is not a module", author)
    info = vars(module).get("__pepay__")
    if not isinstance(info, PluginInfo):
        was = "has no __pepay__" if info is None else f"has a {type(info).__name__} as __pepay__"
        return Problem(name, Stage.IMPORT, PluginBroken, f"{module.__name__} {was}", '__pepay__ = PluginInfo(api="1.0") is what it takes')
    try:
        needs, has = Version(info.api), Version(API_VERSION)
    except (InvalidVersion, TypeError):
        return Problem(name, Stage.IMPORT, PluginBroken, f"its plugin API {info.api!r} is not a version", author)
    if needs.major != has.major or needs.minor > has.minor:
        older = needs.major < has.major
        hint = f"pip install --upgrade {candidate.distribution if older else CORE}"
        return Problem(name, Stage.IMPORT, PluginIncompatible, f"needs plugin API {info.api}, and this is {API_VERSION}", hint)
    return Loaded(candidate, module, info)
