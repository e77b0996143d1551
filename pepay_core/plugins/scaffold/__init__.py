"""The beginning of a plugin: a project that installs, runs, and passes its own tests as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pepay_core import __version__
from pepay_core.domain.errors import ConfigError
from pepay_core.plugins.info import API_VERSION
from pepay_core.plugins.loader import fault_of_name

if TYPE_CHECKING:
    from pathlib import Path

KINDS: Final = ("rates", "chain")

_PACKAGE: Final = "src/package/"


@dataclass(frozen=True, slots=True)
class Names:
    """Everything that is derived from a plugin's one name."""

    name: str

    @property
    def distribution(self) -> str:
        """What is installed."""
        return f"pepay-{self.name}"

    @property
    def module(self) -> str:
        """What is imported."""
        return f"pepay_{self.name.replace('-', '_')}"

    @property
    def title(self) -> str:
        """What its classes begin with."""
        return "".join(word.capitalize() for word in self.name.split("-"))

    @property
    def namespace(self) -> str:
        """What its chain's id begins with: three to eight characters, by CAIP-2."""
        word = self.name.replace("-", "")
        return f"{word}net" if len(word) < 3 else word[:8]

    @property
    def variable(self) -> str:
        """What its environment variables begin with."""
        return f"PEPAY_{self.name.replace('-', '_').upper()}"


def write(name: str, kind: str, folder: Path) -> list[Path]:
    """Write a new project into a folder that is not there yet, and return its files; raises ConfigError."""
    fault = fault_of_name(name)
    if fault is not None:
        raise ConfigError(f"{name!r} is no name for a plugin: {fault}", hint="choose another name")
    if folder.exists():
        raise ConfigError(f"{folder} exists", hint="choose another folder with --into, or move that one away")
    files = render(name, kind)
    written = []
    for relative, text in files.items():
        path = folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def render(name: str, kind: str) -> dict[str, str]:
    """Return the text of every file of a project, by its path inside it."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("pepay_core.plugins.scaffold")
    environment = Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701 - this is Python, not HTML
    names = Names(name)
    major, minor, *_ = __version__.split(".")
    given = {"names": names, "api": API_VERSION, "core": f">={major}.{minor},<{_next(major, minor)}"}
    files = {}
    for template in loader.list_templates():
        owner, _, path = template.partition("/")
        if owner not in {kind, "shared"}:
            continue
        path = path.removesuffix(".j2").replace(_PACKAGE, f"src/{names.module}/")
        files[path] = environment.get_template(template).render(given)
    return dict(sorted(files.items()))


def _next(major: str, minor: str) -> str:
    # Before 1.0 a minor release may break; from then on only a major one may.
    return f"0.{int(minor) + 1}" if major == "0" else str(int(major) + 1)
