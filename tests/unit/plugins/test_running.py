"""What plugins run for as long as the server does."""

from contextlib import asynccontextmanager
from types import ModuleType

import pytest

from pepay_core.domain.errors import NotReady
from pepay_core.hookspecs import hookimpl
from pepay_core.plugins.catalogue import Catalogue
from pepay_core.plugins.host import PluginHost
from pepay_core.plugins.info import PluginInfo
from pepay_core.plugins.lifecycle import Assembly, PluginState, PluginStatus
from pepay_core.plugins.running import running
from pepay_core.testing.clock import FakeClock, settle


def assembled(**lifespans):
    """Return an assembly of one plugin per lifespan, in their order."""
    assembly = Assembly(PluginHost(), Catalogue(), {name: PluginStatus(name, name, "1", PluginState.CONFIGURED) for name in lifespans})
    assembly.host.on_quarantine = assembly.lost
    for name, lifespan in lifespans.items():
        module = ModuleType(name)
        module.__pepay__ = PluginInfo(api="1.0")

        def pepay_lifespan(lifespan=lifespan):
            return lifespan()

        # pluggy reads the signature, in which a default is no argument of the hook.
        module.pepay_lifespan = hookimpl(pepay_lifespan)
        assert assembly.host.register(name, module, None)
    return assembly


def noting(happened, name, failures=()):
    """Return a lifespan that writes down what happens to it, and fails as often as it is given something to raise."""
    failures = list(failures)

    @asynccontextmanager
    async def lifespan():
        if failures:
            raise failures.pop(0)
        happened.append(f"{name} in")
        yield
        happened.append(f"{name} out")

    return lifespan


async def test_lifespans_are_entered_in_order_and_left_in_reverse():
    happened = []
    assembly = assembled(one=noting(happened, "one"), two=noting(happened, "two"))

    async with running(assembly, FakeClock()):
        inside = list(happened)

    assert inside == ["one in", "two in"]
    assert happened == ["one in", "two in", "two out", "one out"]


@pytest.mark.parametrize("failure", [RuntimeError("no luck"), SystemExit("no luck")])
async def test_one_that_fails_costs_its_plugin_and_no_other(failure):
    happened = []
    assembly = assembled(bad=noting(happened, "bad", [failure]), good=noting(happened, "good"))

    async with running(assembly, FakeClock()):
        assert assembly.host.plugins == ("good",)

    assert happened == ["good in", "good out"]
    assert assembly.statuses["bad"].state is PluginState.QUARANTINED
    assert "no luck" in assembly.statuses["bad"].reason
    assert assembly.statuses["good"].state is PluginState.RUNNING


async def test_one_that_is_not_ready_is_entered_again_later():
    happened = []
    clock = FakeClock()
    assembly = assembled(late=noting(happened, "late", [NotReady("the node is syncing"), NotReady("still")]))

    async with running(assembly, clock):
        await settle()
        assert happened == []
        assert (assembly.statuses["late"].state, assembly.statuses["late"].reason) == (PluginState.DEGRADED, "the node is syncing")
        await clock.advance(1)
        assert happened == []
        await clock.advance(2)
        assert happened == ["late in"]
        assert assembly.statuses["late"].state is PluginState.RUNNING

    assert happened == ["late in", "late out"]
