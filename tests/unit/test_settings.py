from decimal import Decimal
from textwrap import dedent

import pytest

from pepay_core.domain.errors import ConfigError
from pepay_core.settings import Settings, load_settings


@pytest.fixture
def load(tmp_path):
    def run(toml="", **environ):
        path = tmp_path / "pepay.toml"
        path.write_text(dedent(toml))
        return load_settings(path, {f"PEPAY_{key}": value for key, value in environ.items()})

    return run


def complaint(load, *args, **environ):
    with pytest.raises(ConfigError) as caught:
        load(*args, **environ)
    return caught.value


def test_an_empty_file_gives_the_defaults_that_are_documented(load):
    settings = load()

    assert (settings.server.host, settings.server.port, settings.server.base_url) == ("127.0.0.1", 8000, "http://localhost:8000")
    assert (settings.rates.providers, settings.rates.quorum, settings.rates.max_age) == (None, 2, 120)
    assert settings.rates.max_deviation == Decimal("0.02")
    assert (settings.plugins.enabled, settings.plugins.required, settings.plugins.prefer) == (None, (), {})
    assert settings.secrets.driver == "file"
    assert settings.webhooks.allow_private is False
    assert (settings.limits.writes_per_minute, settings.limits.reads_per_minute) == (100, 1000)


def test_the_environment_overrides_the_file_key_by_key(load):
    settings = load('[server]\nhost = "0.0.0.0"\nport = 1', SERVER__PORT="9000")

    assert (settings.server.host, settings.server.port) == ("0.0.0.0", 9000)


@pytest.mark.parametrize("text", ['["evm", "kraken"]', "evm,kraken", " evm , kraken ,"])
def test_a_list_in_the_environment_is_json_or_separated_by_commas(text, load):
    assert load(PLUGINS__ENABLED=text).plugins.enabled == ("evm", "kraken")


def test_no_plugin_at_all_can_be_said_in_the_environment(load):
    assert load(PLUGINS__ENABLED="").plugins.enabled == ()
    assert load(PLUGINS__ENABLED="[]").plugins.enabled == ()


def test_other_words_in_the_environment_are_plugins_settings(load):
    settings = load('[plugin.evm.networks.dev]\nname = "Dev"', EVM__NETWORKS__DEV__TESTNET="true", WEBHOOK_HMAC__RETRIES="3")

    assert settings.plugin == {"evm": {"networks": {"dev": {"name": "Dev", "testnet": "true"}}}, "webhook-hmac": {"retries": "3"}}


def test_json_in_the_environment_and_single_keys_below_it_are_put_together(load):
    settings = load(EVM__NETWORKS='{"dev": {"name": "Dev", "factor": 1.5}}', EVM__NETWORKS__DEV__RPC="http://x")

    assert settings.plugin["evm"]["networks"]["dev"] == {"name": "Dev", "factor": Decimal("1.5"), "rpc": "http://x"}


def test_variables_that_belong_to_the_tests_and_the_master_key_are_not_settings(load):
    settings = load(TEST_REQUIRE="anvil", ANVIL="/usr/bin/anvil", MASTER_KEY="x", CONFIG="y", TEST_X__Y="z")

    assert settings.plugin == {}


def test_variables_that_an_orchestrator_sets_for_a_service_called_pepay_are_ignored(load):
    assert load(SERVICE_HOST="10.0.0.1", PORT="tcp://10.0.0.1:80", SERVER_PORT="tcp://10.0.0.1:80") == load()


def test_a_variable_with_one_underscore_too_few_is_told_its_spelling(load):
    error = complaint(load, SERVER_PORT="9000")

    assert "PEPAY_SERVER_PORT" in error.message
    assert error.hint == "write PEPAY_SERVER__PORT"


@pytest.mark.parametrize(
    ("toml", "named", "hint"),
    [
        ("[server]\nprot = 1", "[server] has no key 'prot'", "did you mean 'port'?"),
        ("[sever]\nport = 1", "has no key 'sever'", "did you mean 'server'?"),
        ("[rates]\nzzz = 1", "[rates] has no key 'zzz'", "valid keys: providers, quorum, max_age, max_deviation"),
        ('[server]\nport = "many"', "[server] port: must be a valid integer", "correct port in [server]"),
        ("[server]\nport = 70000", "[server] port: must be less than or equal to 65535", "correct port in [server]"),
        ("[plugins]\nenabled = 7", "[plugins] enabled: must be a list", "correct enabled in [plugins]"),
        ('[plugins]\nenabled = "evm"', "[plugins] enabled: must be a list", "correct enabled in [plugins]"),
        ("[rates]\nquorum = 0", "[rates] quorum: must be greater than or equal to 1", "correct quorum in [rates]"),
        ('[server]\nbase_url = "localhost"', "[server] base_url: must be a URL", "correct base_url in [server]"),
        ("server = 1", "server: must be a valid dictionary", "correct server"),
        ("[server\n", "is not valid TOML", "strings need quotes"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_what_to_do(toml, named, hint, load):
    error = complaint(load, toml)

    assert named in error.message
    assert error.hint.startswith(hint)


def test_a_wrong_variable_is_named_as_it_is_spelt_in_the_environment(load):
    assert "(set by PEPAY_SERVER__PROT)" in complaint(load, SERVER__PROT="1").message
    assert "(set by PEPAY_SERVER__PORT)" in complaint(load, SERVER__PORT="many").message


def test_every_wrong_key_is_named_at_once(load):
    message = complaint(load, "[server]\nprot = 1\n[rates]\nquorum = 0").message

    assert "'prot'" in message
    assert "quorum" in message


@pytest.mark.parametrize("url", ["mysql://root:hunter2@db/x", "hunter2"])
def test_a_password_in_a_database_url_is_never_printed(url, load):
    assert "hunter2" not in str(complaint(load, DATABASE__URL=url))
    settings = load(DATABASE__URL="postgres://pepay:hunter2@db/pepay?sslpassword=hunter2")
    assert settings.database_url == "postgres://pepay:hunter2@db/pepay?sslpassword=hunter2"
    assert settings.database_name == "postgres://db/pepay"
    assert "hunter2" not in repr(settings)


def test_settings_of_plugins_are_kept_out_of_the_repr(load):
    assert "hunter2" not in repr(load('[plugin.email]\npassword = "hunter2"'))


def test_a_relative_database_and_key_lie_beside_the_configuration_wherever_pepay_is_started(load, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    settings = load()

    assert settings.database_url == f"sqlite:///{tmp_path}/pepay.db"
    assert settings.key_path == tmp_path / "pepay.key"


@pytest.mark.parametrize("url", ["sqlite:////var/lib/pepay.db", "sqlite:///:memory:", "postgres://db/pepay"])
def test_any_other_database_url_is_taken_as_it_is(url, load):
    assert load(DATABASE__URL=url).database_url == url


def test_a_configuration_that_was_asked_for_must_be_there(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no configuration file .*gone\.toml"):
        load_settings(tmp_path / "gone.toml", {})


def test_without_a_file_the_one_in_the_working_directory_is_read_if_there_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_settings(None, {}).config_path is None

    (tmp_path / "pepay.toml").write_text("[server]\nport = 1234")
    settings = load_settings(None, {})

    assert (settings.server.port, settings.config_path) == (1234, tmp_path / "pepay.toml")


def test_a_decimal_in_the_file_is_exact(load):
    assert load("[rates]\nmax_deviation = 0.1").rates.max_deviation == Decimal("0.1")


def test_settings_that_are_constructed_directly_read_nothing_by_themselves(monkeypatch):
    monkeypatch.setenv("PEPAY_SERVER__PORT", "1")
    monkeypatch.setenv("SERVER", '{"port": 2}')

    assert Settings().server.port == 8000


def test_settings_cannot_be_changed(load):
    with pytest.raises(ValueError, match="frozen"):
        load().server.port = 1
