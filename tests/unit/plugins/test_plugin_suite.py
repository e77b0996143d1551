"""The kit, held against plugins with one fault each: the test that names the fault is the one that fails."""

import importlib
import sys
from textwrap import dedent

import pytest

from pepay_core.testing import PluginSuite

SOUND = """
from pepay_core.api import PluginInfo, hookimpl

__pepay__ = PluginInfo(api="1.0", settings="pepay_probe.settings:ProbeSettings")

@hookimpl
def pepay_rate_providers(ctx):
    return []
"""
SETTINGS = """
from pydantic import SecretStr
from pepay_core.api import PluginSettings

class ProbeSettings(PluginSettings):
    base_url: str = "https://rates.example"
    api_key: SecretStr = SecretStr("")
"""

TESTS = [name for name in vars(PluginSuite) if name.startswith("test_")]


@pytest.fixture
def probe(tmp_path, monkeypatch):
    """Build a plugin called probe with some files replaced, install it, and return its module."""

    def build(name="probe", distribution="pepay-probe", requires="", **files):
        package = tmp_path / "pepay_probe"
        package.mkdir()
        contents = {"__init__.py": SOUND, "settings.py": SETTINGS, "py.typed": ""}
        contents.update({key.replace("__dot__", "."): text for key, text in files.items()})
        for file, text in contents.items():
            if text is not None:
                (package / file).parent.mkdir(exist_ok=True, parents=True)
                (package / file).write_text(dedent(text))
        info = tmp_path / "pepay_probe-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1\n{requires}")
        (info / "entry_points.txt").write_text(f"[pepay.plugins]\n{name} = pepay_probe\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        return importlib.import_module("pepay_probe")

    yield build
    for name in [each for each in sys.modules if each.partition(".")[0] == "pepay_probe"]:
        del sys.modules[name]


def failing(module, settings=None):
    """Return what the suite says of a plugin: the tests that fail, with their reasons."""
    found = {}
    for test in TESTS:
        suite, takes = PluginSuite(), {"plugin": module, "settings": settings or {}}
        function = getattr(suite, test)
        wanted = function.__code__.co_varnames[1 : function.__code__.co_argcount]
        try:
            function(**{key: takes[key] for key in wanted})
        except AssertionError as exc:
            found[test.removeprefix("test_")] = str(exc)
    return found


def test_a_sound_plugin_passes(probe):
    assert failing(probe()) == {}


FAULTS = {
    "an API of tomorrow": (
        {"__init____dot__py": SOUND.replace('"1.0"', '"1.99"')},
        {"it_says_which_api_it_needs_and_this_one_will_do", "it_contributes_what_the_contracts_ask_for_without_asking_the_network"},
    ),
    "another distribution": ({"distribution": "acme"}, {"one_name_derives_its_distribution_its_module_and_its_entry_point"}),
    "another name": ({"name": "other", "distribution": "pepay-other"}, {"one_name_derives_its_distribution_its_module_and_its_entry_point"}),
    "a hook of the wrong colour": (
        {"__init____dot__py": SOUND.replace("def pepay_rate", "async def pepay_rate")},
        {
            "its_hooks_are_hooks_of_the_right_colour_with_the_right_arguments",
            "it_contributes_what_the_contracts_ask_for_without_asking_the_network",
        },
    ),
    "no hook": (
        {"__init____dot__py": SOUND.partition("@hookimpl")[0]},
        {"its_hooks_are_hooks_of_the_right_colour_with_the_right_arguments"},
    ),
    "rubbish": (
        {"__init____dot__py": SOUND.replace("return []", "return ['x']")},
        {"it_contributes_what_the_contracts_ask_for_without_asking_the_network"},
    ),
    "a heavy import": ({"__init____dot__py": "import aiohttp\n" + SOUND}, {"importing_it_costs_next_to_nothing"}),
    "settings that take any key": (
        {"settings__dot__py": SETTINGS + "    model_config = {'extra': 'ignore'}\n"},
        {"a_key_that_its_settings_do_not_have_is_an_error"},
    ),
    "a nested model that takes any key": (
        {
            "settings__dot__py": "from pydantic import BaseModel\nclass Inner(BaseModel):\n    x: int = 1\n"
            + SETTINGS
            + "    inner: dict[str, list[Inner] | None] = {}\n"
        },
        {"a_key_that_its_settings_do_not_have_is_an_error"},
    ),
    "a secret in the open": ({"settings__dot__py": SETTINGS.replace("SecretStr = SecretStr", "str = str")}, {"its_secrets_are_not_printed"}),
    "a private door": (
        {"driver__dot__py": "def f():\n    from pepay_core.domain.money import plain\n"},
        {"it_imports_nothing_of_ours_but_the_api"},
    ),
    "another plugin": ({"driver__dot__py": "import pepay_evm.chain\n"}, {"it_imports_nothing_of_ours_but_the_api"}),
    "no py.typed": ({"py__dot__typed": None}, {"its_types_reach_those_who_use_it"}),
    "a migration with a common name": (
        {
            "__init____dot__py": SOUND.replace("settings=", "piccolo_app='pepay_probe.tables', settings="),
            "tables__dot__py": "from pathlib import Path\nclass APP_CONFIG:\n    app_name = 'probe'\n"
            "    migrations_folder_path = Path(__file__).parent / 'migrations'\n",
            "migrations/initial__dot__py": "",
        },
        {"its_migrations_cannot_be_taken_for_those_of_another_plugin"},
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_plugin_with_one_fault_is_caught_by_the_test_that_names_it(fault, probe):
    given, caught = FAULTS[fault]

    found = failing(probe(**given))

    assert set(found) == caught
    assert all(found.values())


def test_a_plugin_that_asks_the_network_while_it_contributes_is_caught(probe):
    source = SOUND.replace("return []", "import asyncio; return asyncio.run(ctx.http.get('https://x'))")

    found = failing(probe(__init____dot__py=source))

    assert "there is no network here" in found["it_contributes_what_the_contracts_ask_for_without_asking_the_network"]


def test_settings_that_the_plugin_refuses_are_caught(probe):
    found = failing(probe(), {"base_uri": "x"})

    assert "did you mean 'base_url'?" in found["it_contributes_what_the_contracts_ask_for_without_asking_the_network"]


def test_a_suite_without_its_fixture_says_which_one_to_provide():
    with pytest.raises(NotImplementedError, match="provide the fixture `plugin`"):
        PluginSuite.plugin.__wrapped__(PluginSuite())
