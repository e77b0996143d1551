"""What every command is given: which configuration was named, and the settings that come of it."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pepay_core.settings import Settings


@dataclass
class Invocation:
    """One call of ``pepay``. Commands take it with ``@pass_invocation``."""

    config: Path | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)

    @cached_property
    def settings(self) -> Settings:
        """The settings; raises ConfigError. Read when first asked for, so that ``--help`` needs none."""
        from pepay_core.settings import load_settings

        return load_settings(self.named, self.environ)

    @property
    def named(self) -> Path | None:
        """The configuration file that was asked for, by ``--config`` or ``PEPAY_CONFIG``."""
        named = self.environ.get("PEPAY_CONFIG")
        return self.config or (Path(named) if named else None)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line by which another process runs a command with the same configuration."""
        config = ["--config", str(self.named.absolute())] if self.named else []
        return [sys.executable, "-m", "pepay_core.cli.main", *config, *arguments]


pass_invocation = click.make_pass_decorator(Invocation, ensure=True)


def as_json(value: Any) -> None:
    """Print a value for machines."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def as_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows for people, in columns as wide as they need."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
