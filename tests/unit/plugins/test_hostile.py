"""What installed code may try. Each is named with a reason and a next step, and the good plugin beside it runs."""

import sys

import pytest

from pepay_core.domain.errors import ConfigError, PluginError, PluginMissing
from pepay_core.plugins.lifecycle import PluginState
from pepay_core.plugins.loader import discover

HEAD = """
from pepay_core.api import *
from pepay_core.api import Chain, PluginInfo, RateProvider, Token, hookimpl
__pepay__ = PluginInfo(api="1.0")
"""

CHAIN = """
class {cls}(Chain):
    id, name, native = "{id}", "Toy", "{id}/slip44:1"
    def parse_address(self, text): return text
    async def issue(self, wallet, ref): ...
    async def tip(self): ...
    async def scan(self, watched, after, until): ...

@hookimpl
def pepay_chains(ctx):
    return [{cls}()]
"""


def toy_chain(chain_id="toy:one", *, decimals=18, rate_id="toy"):
    token = f"""
@hookimpl
def pepay_tokens(ctx, chains):
    return [Token("{chain_id}/slip44:1", "TOY", {decimals}, "{rate_id}")]
"""
    return HEAD + CHAIN.format(cls="Toy", id=chain_id) + token


def hook(body, *, before=""):
    return HEAD + before + "\n@hookimpl\ndef pepay_rate_providers(ctx):\n    " + body


HOSTILE = {
    "raises ImportError": ("import nothing_of_that_name", "import", "ModuleNotFoundError", PluginState.QUARANTINED),
    "raises AssertionError": ("assert False, 'no licence'", "import", "no licence", PluginState.QUARANTINED),
    "calls sys.exit": ("import sys; sys.exit(3)", "import", "SystemExit", PluginState.QUARANTINED),
    "is cancelled": ("import asyncio; raise asyncio.CancelledError", "import", "CancelledError", PluginState.QUARANTINED),
    "is not Python": ("def (:", "import", "SyntaxError", PluginState.QUARANTINED),
    "has no __pepay__": ("x = 1", "import", "has no __pepay__", PluginState.QUARANTINED),
    "has another __pepay__": ("__pepay__ = {'api': '1.0'}", "import", "has a dict as __pepay__", PluginState.QUARANTINED),
    "needs another major API": (
        "from pepay_core.api import PluginInfo\n__pepay__ = PluginInfo(api='2.0')",
        "import",
        "needs plugin API 2.0",
        PluginState.QUARANTINED,
    ),
    "needs a newer minor API": (
        "from pepay_core.api import PluginInfo\n__pepay__ = PluginInfo(api='1.99')",
        "import",
        "needs plugin API 1.99",
        PluginState.QUARANTINED,
    ),
    "has an API that is no version": (
        "from pepay_core.api import PluginInfo\n__pepay__ = PluginInfo(api='new')",
        "import",
        "'new' is not a version",
        PluginState.QUARANTINED,
    ),
    "exits in a hook": (hook("import sys; sys.exit(1)"), "contribute", "SystemExit", PluginState.QUARANTINED),
    "raises in a hook": (hook("1 / 0"), "contribute", "ZeroDivisionError", PluginState.QUARANTINED),
    "raises what has no text": (
        hook("raise Odd", before="class Odd(Exception):\n    def __str__(self): raise OSError\n"),
        "contribute",
        "Odd",
        PluginState.QUARANTINED,
    ),
    "returns rubbish": (hook("return ['a rate provider']"), "contribute", "gave a str where a RateProvider belongs", PluginState.QUARANTINED),
    "returns no iterable": (hook("return 7"), "contribute", "TypeError", PluginState.QUARANTINED),
    "yields rubbish after good ones": (
        hook(
            "yield R()\n    yield None",
            before="class R(RateProvider):\n    name = 'r'\n    async def rates(self, pairs): return {}\n",
        ),
        "contribute",
        "gave a NoneType",
        PluginState.QUARANTINED,
    ),
    "contributes a provider without a name": (
        hook("return [R()]", before="class R(RateProvider):\n    async def rates(self, pairs): return {}\n"),
        "contribute",
        "R.name must be a non-empty str",
        PluginState.QUARANTINED,
    ),
    "contributes what cannot be looked at": (
        hook(
            "return [R()]",
            before="class R(RateProvider):\n    @property\n    def name(self): raise SystemExit\n    async def rates(self, pairs): return {}\n",
        ),
        "contribute",
        "cannot be looked at: SystemExit",
        PluginState.QUARANTINED,
    ),
    "has a hook of the wrong colour": (
        HEAD + "@hookimpl\nasync def pepay_chains(ctx): return []",
        "register",
        "pepay_chains must be `def`",
        PluginState.QUARANTINED,
    ),
    "has an asynchronous generator": (
        HEAD + "@hookimpl\nasync def pepay_lifespan(ctx): yield",
        "register",
        "pepay_lifespan must be `def`",
        PluginState.QUARANTINED,
    ),
    "answers an event without async": (
        HEAD + "@hookimpl\ndef pepay_event(event): ...",
        "register",
        "pepay_event must be `async def`",
        PluginState.QUARANTINED,
    ),
    "asks for an unknown argument": (HEAD + "@hookimpl\ndef pepay_chains(ctx, database): ...", "register", "database", PluginState.QUARANTINED),
    "misspells a hook": (HEAD + "@hookimpl\ndef pepay_chainz(ctx): ...", "register", "pepay_chainz is not a hook", PluginState.QUARANTINED),
    "wraps the others": (
        HEAD + "import pluggy\n@pluggy.HookimplMarker('pepay')(wrapper=True)\ndef pepay_chains(ctx):\n    return (yield)",
        "register",
        "asks for wrapper",
        PluginState.QUARANTINED,
    ),
    "wants to be first": (
        HEAD + "import pluggy\n@pluggy.HookimplMarker('pepay')(tryfirst=True)\ndef pepay_chains(ctx): ...",
        "register",
        "asks for tryfirst",
        PluginState.QUARANTINED,
    ),
    "forgets the marker": (HEAD + "def pepay_chains(ctx): ...", "register", "not marked", PluginState.QUARANTINED),
    "contributes a chain without a valid id": (toy_chain("Toy One"), "contribute", "not a CAIP-2 chain id", PluginState.QUARANTINED),
    "contributes a token with negative decimals": (toy_chain(decimals=-1), "contribute", "has -1 decimals", PluginState.QUARANTINED),
    "contributes a token with True decimals": (toy_chain(decimals=True), "contribute", "has True decimals", PluginState.QUARANTINED),
    "names settings that do not exist": (
        "from pepay_core.api import PluginInfo\n__pepay__ = PluginInfo(api='1.0', settings='nowhere:Nothing')",
        "settings",
        "do not import",
        PluginState.QUARANTINED,
    ),
    "names settings that are none": (
        "from pepay_core.api import PluginInfo\n__pepay__ = PluginInfo(api='1.0', settings='builtins:dict')",
        "settings",
        "are not a PluginSettings",
        PluginState.QUARANTINED,
    ),
}


@pytest.mark.parametrize("does", HOSTILE)
def test_a_plugin_that_misbehaves_is_named_with_a_reason_and_a_next_step_and_the_others_run(does, install, assembled):
    source, stage, reason, state = HOSTILE[does]
    install("good")
    install("bad", source)

    assembly = assembled("bad", "good")

    status = assembly.statuses["bad"]
    assert (status.state, status.stage) == (state, stage)
    assert reason in status.reason
    assert status.hint
    assert status.contributes == ()
    assert assembly.host.plugins == ("good",)
    assert list(assembly.catalogue.rate_providers) == ["good"]


def test_a_name_that_two_distributions_claim_belongs_to_neither_and_neither_is_imported(install, assembled):
    install("good")
    first = install("acme", distribution="pepay-acme")
    second = install("acme", distribution="evil-acme")

    assembly = assembled("acme", "good")

    status = assembly.statuses["acme"]
    assert status.state is PluginState.REFUSED
    assert "evil-acme 1.2.3" in status.reason
    assert "pepay-acme 1.2.3" in status.reason
    assert "pip uninstall evil-acme" in status.hint
    assert not {first, second} & set(sys.modules)
    assert assembly.host.plugins == ("good",)


def test_a_claimed_name_stays_ambiguous_when_another_plugin_stands_between_the_claims(install, assembled):
    install("acme", distribution="pepay-acme")
    install("good")
    install("acme", distribution="evil-acme")

    assert assembled("acme", "good").statuses["acme"].state is PluginState.REFUSED


def test_a_distribution_that_takes_the_name_of_a_stock_plugin_is_not_enabled_by_default(install):
    from pepay_core.plugins.lifecycle import default_enabled

    module = install("jupiter", distribution="evil-jupiter")

    assert "jupiter" not in default_enabled(discover())
    assert module not in sys.modules


def test_an_editable_install_that_is_on_the_path_twice_is_one_plugin(install, assembled):
    install("acme", module="acme_plugin")
    install("acme", module="acme_plugin")

    assert assembled("acme").statuses["acme"].state is PluginState.CONFIGURED


def test_a_plugin_for_another_version_of_pepay_is_refused_before_it_is_imported(install, assembled):
    module = install("acme", requires=["pepay-core>=99"])

    status = assembled("acme").statuses["acme"]

    assert (status.state, status.stage) == (PluginState.REFUSED, "compatibility")
    assert "needs pepay-core>=99" in status.reason
    assert "pip install --upgrade" in status.hint
    assert module not in sys.modules


def test_a_plugin_that_is_not_installed_is_missing_with_the_command_that_installs_it(install, assembled):
    install("good")

    status = assembled("absent", "good").statuses["absent"]

    assert (status.state, status.reason, status.hint) == (
        PluginState.REFUSED,
        "is not installed",
        "pip install pepay-absent, or take it out of [plugins]",
    )


def test_a_misspelt_plugin_is_told_the_nearest_name(install, assembled):
    install("good")

    assert "'good'" in assembled("goood").statuses["goood"].hint


def test_an_entry_point_that_names_an_object_is_refused_before_it_is_imported(install, assembled):
    module = install("acme", module="acme_object", target="acme_object:plugin")

    status = assembled("acme").statuses["acme"]

    assert status.state is PluginState.REFUSED
    assert "not a module" in status.reason
    assert module not in sys.modules


@pytest.mark.parametrize("name", ["server", "plugin", "Acme", "acme_1"])
def test_a_plugin_may_not_take_a_name_of_pepays_own_or_one_that_the_environment_cannot_spell(name, install, assembled):
    install(name, distribution="pepay-x")

    assert assembled(name).statuses[name].state is PluginState.REFUSED


@pytest.mark.parametrize("metadata", [b"", b"\xff\xfe\x00garbage", b"Name: pepay-acme\nVersion: 1\nRequires-Dist: ???\n"])
def test_broken_metadata_costs_its_owner_only(metadata, install, assembled):
    install("good")
    install("acme", metadata=metadata)

    assembly = assembled("acme", "good")

    assert assembly.host.plugins in {("good",), ("acme", "good")}
    assert assembly.statuses["acme"].distribution


def test_entry_points_that_cannot_be_read_cost_their_owner_only(install, assembled):
    install("acme", entry_points="[pepay.plugins\nno equals sign ] \n= = =\n")
    install("good")

    assert assembled("good").host.plugins == ("good",)


def test_two_plugins_that_claim_a_chain_both_lose_it_until_the_operator_decides(install, assembled):
    install("one", toy_chain())
    install("two", toy_chain())
    install("good")

    assembly = assembled("one", "two", "good")

    assert assembly.catalogue.chains == {}
    assert assembly.catalogue.tokens == {}
    for name, other in (("one", "two"), ("two", "one")):
        status = assembly.statuses[name]
        assert status.state is PluginState.DEGRADED
        assert f"chain toy:one is contributed by {other} too" in status.reason
        assert '"toy:one" = "one" or "two"' in status.hint
    assert assembly.statuses["good"].state is PluginState.CONFIGURED

    decided = assembled("one", "two", "good", prefer={"toy:one": "two"})

    assert decided.catalogue.owner("chain", "toy:one") == "two"
    assert decided.statuses["one"].state is PluginState.CONFIGURED


def test_a_plugin_that_claims_the_name_of_another_rate_provider_is_told_so(install, assembled):
    install("one", module="rates_one")
    install("two", module="rates_two", source="from rates_one import *\nfrom rates_one import __pepay__, pepay_rate_providers")

    assembly = assembled("one", "two")

    assert assembly.catalogue.rate_providers == {}
    assert '"rates:one"' in assembly.statuses["two"].hint


def test_a_token_whose_decimals_are_disputed_is_not_offered_by_anybody(install, assembled):
    install("one", toy_chain(decimals=18))
    install("two", HEAD + "@hookimpl\ndef pepay_tokens(ctx, chains): return [Token('toy:one/slip44:1', 'TOY', 6, 'toy')]")

    assembly = assembled("one", "two")

    assert assembly.catalogue.tokens == {}
    assert "18 by one, 6 by two" in assembly.statuses["one"].reason
    assert assembled("one", "two", prefer={"toy:one/slip44:1": "one"}).catalogue.token("toy:one/slip44:1").decimals == 18


def test_a_token_that_two_plugins_name_alike_is_described_by_the_one_that_has_the_chain(install, assembled):
    install("two", HEAD + "@hookimpl\ndef pepay_tokens(ctx, chains): return [Token('toy:one/slip44:1', 'TOY', 18, 'bitcoin')]")
    install("one", toy_chain())

    assembly = assembled("two", "one")

    assert assembly.catalogue.token("toy:one/slip44:1").rate_id == "toy"
    assert assembly.catalogue.owner("token", "toy:one/slip44:1") == "one"


def test_a_token_on_a_chain_that_nobody_contributes_is_refused_with_a_reason(install, assembled):
    install("two", HEAD + "@hookimpl\ndef pepay_tokens(ctx, chains): return [Token('toy:one/slip44:1', 'TOY', 18, 'toy')]")

    status = assembled("two").statuses["two"]

    assert status.state is PluginState.DEGRADED
    assert "chain toy:one, which no running plugin contributes" in status.reason


def test_a_plugin_that_fails_in_a_later_hook_takes_its_chains_with_it(install, assembled):
    install("one", toy_chain() + "\n@hookimpl\ndef pepay_notifiers(ctx): raise RuntimeError")

    assembly = assembled("one")

    assert assembly.statuses["one"].state is PluginState.QUARANTINED
    assert assembly.catalogue.chains == {}
    assert assembly.catalogue.tokens == {}


def test_a_required_plugin_that_does_not_take_part_keeps_the_server_from_starting(install, assembled):
    install("bad", "import sys; sys.exit()")

    with pytest.raises(PluginError, match="plugin bad: is required, but does not take part: does not import: SystemExit") as caught:
        assembled("bad", required=["bad"])
    assert isinstance(caught.value, ConfigError)
    assert caught.value.hint
    with pytest.raises(PluginMissing, match="plugin gone: is required, but not installed"):
        assembled(required=["gone"])


def test_an_installed_plugin_that_nobody_enabled_is_not_imported(install, assembled):
    module = install("quiet")

    status = assembled().statuses["quiet"]

    assert (status.state, status.hint) == (PluginState.AVAILABLE, "pepay plugin enable quiet")
    assert module not in sys.modules


def test_safe_mode_leaves_out_all_that_are_not_stock(install, assembled):
    module = install("acme")

    status = assembled("acme", safe=True).statuses["acme"]

    assert (status.state, status.reason) == (PluginState.AVAILABLE, "safe mode leaves it out")
    assert module not in sys.modules


def test_a_secret_in_what_a_plugin_raises_does_not_reach_the_status(install, assembled):
    install("bad", hook("raise OSError('https://user:hunter2@node.example/v2/abcdef0123456789abcdef0123456789')"))

    reason = assembled("bad").statuses["bad"].reason

    assert "hunter2" not in reason
    assert "abcdef0123456789" not in reason
    assert "node.example" in reason
