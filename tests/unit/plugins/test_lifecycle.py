import logging

import pytest
from pydantic import SecretStr

from pepay_core import __version__
from pepay_core.clock import SystemClock
from pepay_core.domain.errors import ConfigError
from pepay_core.plugins.lifecycle import PluginState, assemble, default_enabled, rehearse
from pepay_core.plugins.loader import STOCK, discover, load
from pepay_core.plugins.problems import Stage
from pepay_core.settings import Settings

CONFIGURABLE = """
from pydantic import BaseModel, ConfigDict, SecretStr
from pepay_core.api import PluginInfo, PluginSettings, hookimpl

class Network(BaseModel):
    model_config = ConfigDict(extra="forbid")
    rpc: list[str]
    confirmations: int = 12

class Configurable(PluginSettings):
    rpc: tuple[str, ...] = ()
    api_key: SecretStr = SecretStr("")
    networks: dict[str, Network] = {}

__pepay__ = PluginInfo(api="1.0", settings=f"{__name__}:Configurable", piccolo_app=__name__)
APP_CONFIG = None

@hookimpl
def pepay_chains(ctx):
    return []
"""


@pytest.fixture
def configured(install, tmp_path):
    """Install the configurable plugin, and assemble it with a file and an environment."""
    from pepay_core.settings import load_settings

    install("acme", CONFIGURABLE)

    def run(toml="", **environ):
        path = tmp_path / "pepay.toml"
        path.write_text('[plugins]\nenabled = ["acme"]\n' + toml)
        settings = load_settings(path, {f"PEPAY_{key}": value for key, value in environ.items()})
        return assemble(settings, clock=SystemClock(), http=None)

    return run


def test_without_a_word_the_stock_plugins_that_are_installed_are_enabled_and_the_sandbox_is_not():
    enabled = default_enabled(discover())

    assert {"evm", "coingecko", "coinbase", "kraken", "webhook-hmac"} <= set(enabled) <= set(STOCK)
    assert "sandbox" not in enabled


def test_plugins_are_loaded_in_the_order_in_which_they_are_enabled(install):
    install("one")
    install("two")

    assert list(load(["two", "one", "two"], __version__).loaded) == ["two", "one"]


def test_a_plugin_is_given_its_own_settings_and_nothing_of_the_others(configured):
    ctx = configured('[plugin.acme]\nrpc = ["http://a"]\napi_key = "hunter2"\n').contexts["acme"]

    assert (ctx.plugin, ctx.settings.rpc, ctx.log.name) == ("acme", ("http://a",), "pepay.plugin.acme")
    assert ctx.settings.api_key == SecretStr("hunter2")
    assert "hunter2" not in repr(ctx)


def test_the_environment_reaches_into_a_plugins_settings_and_may_separate_a_list_by_commas(configured):
    environ = {"ACME__RPC": "http://a, http://b", "ACME__NETWORKS__DEV__RPC": "http://c", "ACME__NETWORKS__DEV__CONFIRMATIONS": "2"}

    settings = configured("[plugin.acme.networks.dev]\nconfirmations = 5\nrpc = []", **environ).contexts["acme"].settings

    assert settings.rpc == ("http://a", "http://b")
    assert (settings.networks["dev"].rpc, settings.networks["dev"].confirmations) == (["http://c"], 2)


@pytest.mark.parametrize(
    ("toml", "environ", "reason", "hint"),
    [
        ("[plugin.acme]\napi_keys = 'hunter2'", {}, "[plugin.acme] has no key 'api_keys'", "did you mean 'api_key'?"),
        (
            "[plugin.acme.networks.dev]\nrpc = ['hunter2']\nzzz = 1",
            {},
            "[plugin.acme.networks.dev] has no key 'zzz'",
            "valid keys: rpc, confirmations",
        ),
        ("[plugin.acme.networks.dev]\nconfirmations = 1", {}, "[plugin.acme.networks.dev] needs the key 'rpc'", "set rpc in"),
        ("[plugin.acme]\napi_key = 1", {}, "[plugin.acme] api_key: must be a valid string", "correct api_key"),
        ("", {"ACME__API_KEYS": "hunter2"}, "(set by PEPAY_ACME__API_KEYS)", "did you mean 'api_key'?"),
    ],
)
def test_a_wrong_key_costs_the_plugin_and_names_the_key_and_the_nearest_valid_one(toml, environ, reason, hint, configured, caplog):
    status = configured(toml, **environ).statuses["acme"]

    assert (status.state, status.stage) == (PluginState.QUARANTINED, "settings")
    assert reason in status.reason
    assert status.hint.startswith(hint)
    assert "hunter2" not in f"{status} {caplog.text}"


def test_settings_for_a_plugin_that_has_none_are_named(install, assembled):
    install("good")

    status = assembled("good", plugin={"good": {"speed": 1}}).statuses["good"]

    assert status.state is PluginState.QUARANTINED
    assert "[plugin.good] sets speed" in status.reason


def test_a_section_for_a_misspelt_plugin_stops_the_server_because_somebody_believes_in_it(install, assembled):
    install("good")

    with pytest.raises(ConfigError, match=r"\[plugin\.goood\]") as caught:
        assembled("good", plugin={"goood": {}})
    assert caught.value.hint == "did you mean [plugin.good]?"


def test_a_section_for_a_plugin_that_was_uninstalled_is_said_and_ignored(install, assembled, caplog):
    install("good")

    assembly = assembled("good", plugin={"quite-different": {}, "solana": {}})

    assert assembly.host.plugins == ("good",)
    assert "[plugin.quite-different] has no effect" in caplog.text
    assert "[plugin.solana]" not in caplog.text


def test_the_tables_of_a_plugin_are_handed_on_and_taken_back_when_it_is_lost(configured):
    assembly = configured()
    assert list(assembly.piccolo_apps) == ["acme"]

    assembly.quarantine("acme", Stage.MIGRATE, "its migration failed", "see the log")

    assert assembly.piccolo_apps == {}
    assert assembly.host.plugins == ()
    status = assembly.statuses["acme"]
    assert (status.state, status.stage, status.reason, status.hint) == (PluginState.QUARANTINED, "migrate", "its migration failed", "see the log")


def test_tables_that_cannot_be_imported_cost_their_plugin_and_nothing_else(install, assembled):
    install("good")
    install("untabled", source='from pepay_core.api import PluginInfo\n__pepay__ = PluginInfo(api="1.0", piccolo_app="nowhere.at.all")\n')

    assembly = assembled("good", "untabled")

    status = assembly.statuses["untabled"]
    assert (status.state, status.stage) == (PluginState.QUARANTINED, "migrate")
    assert "nowhere" in status.reason
    assert status.hint
    assert assembly.host.plugins == ("good",)


def test_a_plugin_goes_from_configured_to_running_and_never_back_from_quarantine(install, assembled):
    install("good")
    assembly = assembled("good")

    for state in (PluginState.MIGRATED, PluginState.RUNNING, PluginState.DEGRADED, PluginState.RUNNING, PluginState.STOPPED):
        assembly.mark("good", state)
        assert assembly.statuses["good"].state is state
    assert assembly.statuses["good"].contributes == ("rates good",)

    assembly.quarantine("good", Stage.RUN, "it crashed", "restart PePay")
    assembly.mark("good", PluginState.RUNNING)
    assert assembly.statuses["good"].state is PluginState.QUARANTINED


def test_a_plugin_that_lost_a_part_to_another_stays_degraded_while_it_runs(install, assembled):
    install("one")
    install("two", module="two_rates", source=open_source("one"))
    assembly = assembled("one", "two")

    assembly.mark("one", PluginState.RUNNING)

    assert assembly.statuses["one"].state is PluginState.DEGRADED
    assert "contributed by two too" in assembly.statuses["one"].reason


def open_source(name):
    return (
        "from pepay_core.api import PluginInfo, RateProvider, hookimpl\n__pepay__ = PluginInfo(api='1.0')\n"
        f"class R(RateProvider):\n    name = {name!r}\n    async def rates(self, pairs): return {{}}\n"
        "@hookimpl\ndef pepay_rate_providers(): return [R()]\n"
    )


def test_what_keeps_a_plugin_out_is_logged_once_with_the_next_step(install, assembled, caplog):
    install("bad", "raise SystemExit")
    with caplog.at_level(logging.ERROR):
        assembled("bad")

    [record] = [each for each in caplog.records if each.name == "pepay.plugins"]
    assert "SystemExit" in record.getMessage()
    assert "next: " in record.getMessage()


def test_two_applications_in_one_process_do_not_know_of_each_other(install, assembled):
    install("good")
    one, two = assembled("good"), assembled("good")

    one.quarantine("good", Stage.RUN, "it crashed", "restart")

    assert one.catalogue.rate_providers == {}
    assert list(two.catalogue.rate_providers) == ["good"]


def test_assembling_the_defaults_imports_nothing_heavy():
    import subprocess
    import sys

    code = (
        "import sys\nfrom pepay_core.plugins.lifecycle import assemble\nfrom pepay_core.settings import Settings\n"
        "a = assemble(Settings(), clock=None, http=None)\nprint(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert not {"web3", "eth_account", "solana", "litestar", "piccolo", "aiohttp"} & set(done.stdout.split())


def test_settings_made_by_hand_are_enough():
    assembly = assemble(Settings(plugins={"enabled": ()}), clock=SystemClock(), http=None)

    assert assembly.host.plugins == ()
    assert {each.state for each in assembly.statuses.values()} <= {PluginState.AVAILABLE}


def test_what_only_a_running_server_asks_for_is_asked_by_those_who_look(install, assembled):
    install("good")
    head = 'from pepay_core.api import PluginInfo, hookimpl\n__pepay__ = PluginInfo(api="1.0")\n@hookimpl\n'
    install("badpages", source=head + "def pepay_pages(ctx):\n    return [1]\n")
    install("badlife", source=head + "def pepay_lifespan(ctx):\n    raise RuntimeError('no life')\n")
    install("badroutes", source=head + "def pepay_routes(ctx):\n    raise SystemExit(3)\n")
    install("badchecks", source=head + "def pepay_checks(ctx):\n    raise RuntimeError('boom')\n")
    assembly = assembled("good", "badpages", "badlife", "badroutes", "badchecks")

    rehearse(assembly)

    found = {name: (status.state, status.reason) for name, status in assembly.statuses.items()}
    assert found["good"] == (PluginState.CONFIGURED, "")
    assert {name for name, (state, _) in found.items() if state is PluginState.QUARANTINED} == {"badpages", "badlife", "badroutes"}
    assert found["badchecks"][0] is PluginState.DEGRADED
    assert "boom" in found["badchecks"][1]
    assert all(assembly.statuses[name].hint for name in ("badpages", "badlife", "badroutes", "badchecks"))
