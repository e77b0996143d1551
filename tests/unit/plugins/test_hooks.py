"""Each hook, with a plugin that is really registered: what it is given, what is taken from it, and what its failure costs."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import ModuleType

import click
import pytest

from pepay_core.api import Chain, Check, CheckoutPart, Converter, Notifier, Page, RateProvider, Refused, Token, Unavailable, hookimpl
from pepay_core.plugins.host import PluginHost


def plugin(name="acme", **hooks):
    module = ModuleType(name)
    for hook, function in hooks.items():
        setattr(module, hook, hookimpl(function))
    return module


def hosting(*modules, **options):
    host = PluginHost(**options)
    for module in modules:
        assert host.register(module.__name__, module, f"context of {module.__name__}"), host.quarantined
    return host


def values(found):
    return [(each.plugin, each.value) for each in found]


def raising(*_):
    raise RuntimeError("on purpose")


def assert_quarantined(hook, expect, **given):
    """A plugin that raises in a hook is lost, and its neighbour is not."""

    def fails(ctx):
        raise SystemExit(1)

    def gives(ctx):
        return []

    host = hosting(plugin("bad", **{hook: fails}), plugin("good", **{hook: gives}))
    assert host.collect(hook, expect, **given) == []
    assert host.plugins == ("good",)
    assert "SystemExit" in host.quarantined["bad"].reason


class ToyChain(Chain):
    id, name, native = "toy:one", "Toy", "toy:one/slip44:1"

    def parse_address(self, text):
        return text

    async def issue(self, wallet, ref):
        raise NotImplementedError

    async def tip(self):
        raise NotImplementedError

    async def scan(self, watched, after, until):
        raise NotImplementedError


class ToyRates(RateProvider):
    name = "toy"

    async def rates(self, pairs):
        return {}


class ToyConverter(Converter):
    name = "toy"

    async def quote(self, order):
        return None

    async def plan(self, order, quote):
        return []


class ToyNotifier(Notifier):
    scheme = "toy"

    async def check(self, url):
        return None

    async def deliver(self, delivery):
        raise NotImplementedError


class ToyCheck(Check):
    name = "toy"

    async def run(self):
        return []


def test_hook_pepay_chains():
    chain = ToyChain()
    host = hosting(plugin(pepay_chains=lambda ctx: [chain]))

    assert values(host.collect("pepay_chains", Chain)) == [("acme", chain)]
    assert_quarantined("pepay_chains", Chain)


def test_hook_pepay_tokens():
    token = Token("toy:one/slip44:1", "TOY", 18, "toy")
    seen = []

    def tokens(ctx, chains):
        seen.append((ctx, chains))
        yield token

    host = hosting(plugin(pepay_tokens=tokens))

    assert values(host.collect("pepay_tokens", Token, chains={"toy:one": "the chain"})) == [("acme", token)]
    assert seen == [("context of acme", {"toy:one": "the chain"})]
    assert_quarantined("pepay_tokens", Token, chains={})


def test_hook_pepay_rate_providers():
    provider = ToyRates()
    host = hosting(plugin(pepay_rate_providers=lambda: [provider]))

    assert values(host.collect("pepay_rate_providers", RateProvider)) == [("acme", provider)]
    assert_quarantined("pepay_rate_providers", RateProvider)


def test_hook_pepay_converters():
    converter = ToyConverter()
    host = hosting(plugin(pepay_converters=lambda ctx: (converter,)))

    assert values(host.collect("pepay_converters", Converter)) == [("acme", converter)]
    assert_quarantined("pepay_converters", Converter)


def test_hook_pepay_notifiers():
    notifier = ToyNotifier()
    host = hosting(plugin(pepay_notifiers=lambda ctx: iter([notifier])))

    assert values(host.collect("pepay_notifiers", Notifier)) == [("acme", notifier)]
    assert_quarantined("pepay_notifiers", Notifier)


def test_hook_pepay_routes():
    handler = object()
    host = hosting(plugin("one", pepay_routes=lambda ctx: None), plugin("two", pepay_routes=lambda ctx: [handler]))

    assert values(host.collect("pepay_routes", object)) == [("two", handler)]
    assert_quarantined("pepay_routes", object)


def test_hook_pepay_pages():
    page = Page("toys", "Toys", "acme/toys.html")
    host = hosting(plugin(pepay_pages=lambda ctx: [page]))

    assert values(host.collect("pepay_pages", Page)) == [("acme", page)]
    assert_quarantined("pepay_pages", Page)


def test_hook_pepay_checkout(caplog):
    part = CheckoutPart("<p>hello</p>", styles=("/x/good/a.css",))
    host = hosting(plugin("bad", pepay_checkout=raising_with_ctx), plugin("good", pepay_checkout=lambda invoice, token: [part]))

    assert values(host.collect("pepay_checkout", CheckoutPart, invoice={"id": "inv_1"}, token="t")) == [("good", part)]
    assert host.plugins == ("bad", "good")
    assert "plugin bad: pepay_checkout raised" in caplog.text


def test_hook_pepay_commands(caplog):
    command = click.Command("play")
    host = hosting(plugin("bad", pepay_commands=raising), plugin("good", pepay_commands=lambda: [command]))

    assert values(host.collect("pepay_commands", click.Command)) == [("good", command)]
    assert host.plugins == ("bad", "good")
    assert "plugin bad: pepay_commands raised RuntimeError: on purpose" in caplog.text


def test_hook_pepay_checks(caplog):
    check = ToyCheck()
    host = hosting(plugin("bad", pepay_checks=raising_with_ctx), plugin("good", pepay_checks=lambda ctx: [check]))

    assert values(host.collect("pepay_checks", Check)) == [("good", check)]
    assert host.plugins == ("bad", "good")
    assert "plugin bad: pepay_checks raised" in caplog.text


def raising_with_ctx(ctx):
    raise RuntimeError("on purpose")


async def test_hook_pepay_lifespan():
    happened = []

    @asynccontextmanager
    async def lifespan(ctx):
        happened.append(f"in with {ctx}")
        yield
        happened.append("out")

    host = hosting(plugin("good", pepay_lifespan=lifespan), plugin("bad", pepay_lifespan=lambda ctx: None), plugin("none"))

    [contribution] = host.ask("pepay_lifespan")
    async with contribution.value:
        assert happened == ["in with context of good"]

    assert contribution.plugin == "good"
    assert happened == ["in with context of good", "out"]
    assert host.plugins == ("good", "none")
    assert "gave a NoneType where a AsyncContextManager belongs" in host.quarantined["bad"].reason


async def test_hook_pepay_event(caplog):
    heard = []

    async def hears(event, ctx):
        heard.append((event, ctx))

    async def hangs(event):
        await asyncio.Event().wait()

    async def exits(event):
        raise SystemExit(1)

    async def cancels(event):
        raise asyncio.CancelledError

    host = hosting(
        plugin("hangs", pepay_event=hangs),
        plugin("exits", pepay_event=exits),
        plugin("cancels", pepay_event=cancels),
        plugin("hears", pepay_event=hears),
        deadline=0.05,
    )

    await host.notify("pepay_event", event="invoice.paid")

    assert heard == [("invoice.paid", "context of hears")]
    assert host.plugins == ("hangs", "exits", "cancels", "hears")
    assert "plugin hangs: pepay_event did not answer within 0.05 seconds" in caplog.text
    assert "plugin exits: pepay_event raised SystemExit" in caplog.text
    assert "plugin cancels: pepay_event raised CancelledError" in caplog.text


@dataclass(frozen=True)
class Draft:
    amount: int
    merchant: str = "mer"


async def test_hook_pepay_review_invoice():
    async def doubles(draft, ctx):
        return Draft(draft.amount * 2)

    async def leaves(draft):
        return None

    async def adds(draft):
        return Draft(draft.amount + 1)

    host = hosting(*(plugin(f.__name__, pepay_review_invoice=f) for f in (doubles, leaves, adds)))

    assert await host.chain("pepay_review_invoice", "draft", Draft(5), fixed=["merchant"]) == Draft(11)


async def test_a_reviewer_that_refuses_is_heard_word_for_word():
    async def refuses(draft):
        raise Refused("not on Sundays")

    host = hosting(plugin(pepay_review_invoice=refuses))

    with pytest.raises(Refused, match="not on Sundays"):
        await host.chain("pepay_review_invoice", "draft", Draft(5))


async def hangs_reviewing(draft):
    await asyncio.Event().wait()


async def exits_reviewing(draft):
    raise SystemExit(1)


async def answers_rubbish(draft):
    return "fine by me"


async def steals(draft):
    return Draft(draft.amount, merchant="me")


@pytest.mark.parametrize("reviewer", [hangs_reviewing, exits_reviewing, answers_rubbish, steals])
async def test_a_reviewer_that_fails_refuses_the_invoice_and_stays(reviewer):
    host = hosting(plugin(pepay_review_invoice=reviewer), deadline=0.05)

    with pytest.raises(Unavailable, match="the plugin acme could not answer"):
        await host.chain("pepay_review_invoice", "draft", Draft(5), fixed=["merchant"])
    assert host.plugins == ("acme",)


@pytest.mark.parametrize("call", ["notify", "chain"])
async def test_cancelling_the_caller_is_not_taken_for_a_failure_of_the_plugin(call, caplog):
    inside = asyncio.Event()

    async def waits(**_):
        inside.set()
        await asyncio.Event().wait()

    async def hears(event):
        await waits()

    async def reviews(draft):
        await waits()

    host = hosting(plugin(pepay_event=hears, pepay_review_invoice=reviews))
    coroutine = host.notify("pepay_event", event=1) if call == "notify" else host.chain("pepay_review_invoice", "draft", Draft(5))
    task = asyncio.create_task(coroutine)
    await asyncio.wait_for(inside.wait(), 5)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert "acme" not in caplog.text


def test_plugins_are_called_in_the_order_in_which_they_were_registered():
    first, second = ToyRates(), ToyRates()
    host = hosting(plugin("b", pepay_rate_providers=lambda: [first]), plugin("a", pepay_rate_providers=lambda: [second]))

    assert [each.plugin for each in host.collect("pepay_rate_providers", RateProvider)] == ["b", "a"]


def test_one_module_serves_two_applications_without_their_knowing():
    module = plugin(pepay_rate_providers=lambda: [ToyRates()])
    one, two = hosting(module), hosting(module)

    one.quarantine("acme", "run", "tired", "rest")

    assert one.plugins == ()
    assert two.plugins == ("acme",)


def test_a_misspelt_hook_does_not_trip_the_plugin_that_is_registered_after_it():
    host = PluginHost()

    assert not host.register("bad", plugin("bad", pepay_chainz=lambda ctx: []), None)
    assert host.register("good", plugin("good", pepay_chains=lambda ctx: []), None)
    assert host.quarantined["bad"].hint == "did you mean pepay_chains?"
