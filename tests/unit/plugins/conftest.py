"""Distributions that exist on disk only as far as Python looks: a module, and a dist-info folder."""

from __future__ import annotations

import sys
from itertools import count
from textwrap import dedent

import pytest

from pepay_core.clock import SystemClock
from pepay_core.plugins.lifecycle import assemble
from pepay_core.settings import Settings

GOOD = """
from pepay_core.api import PluginInfo, RateProvider, hookimpl

__pepay__ = PluginInfo(api="1.0")

class {cls}(RateProvider):
    name = "{name}"
    async def rates(self, pairs):
        return {{}}

@hookimpl
def pepay_rate_providers(ctx):
    return [{cls}()]
"""


class Installer:
    """Installs fake distributions for one test."""

    def __init__(self, root, monkeypatch):
        self._root, self._monkeypatch, self._count = root, monkeypatch, count()
        self.modules = []

    def __call__(
        self,
        name,
        source=None,
        *,
        distribution=None,
        module=None,
        target=None,
        version="1.2.3",
        requires=("pepay-core>=0.1",),
        metadata=None,
        entry_points=None,
    ):
        distribution = distribution or f"pepay-{name}"
        module = module or f"hostile_{name.replace('-', '_')}_{next(self._count)}"
        site = self._root / f"site-{next(self._count)}"
        site.mkdir()
        body = GOOD.format(cls="Rates", name=name) if source is None else dedent(source)
        (site / f"{module}.py").write_text(body)
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        lines = [f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}", *(f"Requires-Dist: {each}" for each in requires)]
        (info / "METADATA").write_bytes("\n".join(lines).encode() if metadata is None else metadata)
        (info / "entry_points.txt").write_text(entry_points or f"[pepay.plugins]\n{name} = {target or module}\n")
        self._monkeypatch.syspath_prepend(str(site))
        self.modules.append(module)
        return module


@pytest.fixture
def install(tmp_path, monkeypatch):
    installer = Installer(tmp_path, monkeypatch)
    yield installer
    for module in installer.modules:
        sys.modules.pop(module, None)


@pytest.fixture
def assembled():
    """Assemble the named plugins alone."""

    def run(*enabled, plugin=None, prefer=None, required=(), **options):
        plugins = {"enabled": enabled, "prefer": prefer or {}, "required": required}
        settings = Settings(plugins=plugins, plugin=plugin or {})
        return assemble(settings, clock=SystemClock(), http=None, **options)

    return run
