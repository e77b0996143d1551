"""Proves that a plugin is a good guest: well formed, light to import, strict about its settings, and on the public API alone."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

from pepay_core.api import API_VERSION, PluginInfo, PluginSettings, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping
    from types import ModuleType

HEAVY = ("web3", "eth_account", "solana", "solders", "litestar", "piccolo", "aiohttp", "asyncpg", "requests", "httpx", "numpy", "pandas")
"""What costs so long to import, or so much memory, that only the code that needs it may."""

_TELLING = ("secret", "password", "api_key", "private_key", "mnemonic")


class PluginSuite:
    """Inherit it, and provide ``plugin``; where the plugin needs settings to contribute anything, ``settings`` too.

    ::

    class TestAcme(PluginSuite):
        @pytest.fixture
        def plugin(self):
            import pepay_acme

            return pepay_acme
    """

    also_imports: frozenset[str] = frozenset()
    """Other plugins' packages that this one may import, because its distribution requires theirs."""

    @pytest.fixture
    def plugin(self) -> ModuleType:
        """Return the module that the plugin's entry point names."""
        raise NotImplementedError("provide the fixture `plugin`: the module that the entry point names")

    @pytest.fixture
    def settings(self) -> Mapping[str, Any]:
        """Return what would stand in the plugin's section of ``pepay.toml``; nothing, unless you say otherwise."""
        return {}

    def test_it_says_which_api_it_needs_and_this_one_will_do(self, plugin: ModuleType) -> None:
        """Majors are equal, and its minor is not above ours."""
        info = _info(plugin)
        needs, has = [[int(part) for part in version.split(".")] for version in (info.api, API_VERSION)]
        assert needs[0] == has[0], f"it needs plugin API {info.api}, and this is {API_VERSION}"
        assert needs[1] <= has[1], f"it needs plugin API {info.api}, and this is {API_VERSION}"

    def test_one_name_derives_its_distribution_its_module_and_its_entry_point(self, plugin: ModuleType) -> None:
        """Settings, tables, routes and commands are named by it too."""
        name = _name(plugin)
        [entry_point] = [each for each in importlib.metadata.entry_points(group="pepay.plugins") if each.value == plugin.__name__]
        distribution = entry_point.dist.name if entry_point.dist else ""
        assert plugin.__name__ == f"pepay_{name.replace('-', '_')}", f"the module of the plugin {name} must be called pepay_{name.replace('-', '_')}"
        assert distribution.lower().replace("_", "-") == f"pepay-{name}", f"the distribution of the plugin {name} must be called pepay-{name}"

    def test_its_hooks_are_hooks_of_the_right_colour_with_the_right_arguments(self, plugin: ModuleType) -> None:
        """The host would quarantine it, and say what is said here."""
        from pepay_core.plugins.host import PluginHost  # the real one: what it takes here, it takes there

        host, name = PluginHost(), plugin.__name__
        assert host.register(name, plugin, None), f"{host.quarantined[name].reason}; {host.quarantined[name].hint}"
        assert host.hooks_of(name), "it implements no hook, so it does nothing"

    def test_it_contributes_what_the_contracts_ask_for_without_asking_the_network(self, plugin: ModuleType, settings: Mapping[str, Any]) -> None:
        """Drivers connect when they are opened, not when they are made."""
        from pepay_core.clock import SystemClock
        from pepay_core.plugins.lifecycle import PluginState, assemble
        from pepay_core.settings import Settings

        name = _name(plugin)
        given = Settings(plugins={"enabled": (name,)}, plugin={name: dict(settings)} if settings else {})  # type: ignore[arg-type]
        assembly = assemble(given, clock=SystemClock(), http=_NoNetwork(), strict=False)
        status = assembly.statuses[name]
        assert status.state is PluginState.CONFIGURED, f"{status.stage}: {status.reason}; {status.hint}"

    def test_importing_it_costs_next_to_nothing(self, plugin: ModuleType) -> None:
        """Every command that starts PePay imports every plugin that is enabled."""
        code = f"import sys, {plugin.__name__}; print(*{{name.partition('.')[0] for name in sys.modules}})"
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)  # noqa: S603 - ourselves
        heavy = sorted(set(done.stdout.split()) & set(HEAVY))
        assert not heavy, f"importing {plugin.__name__} imports {', '.join(heavy)}: import them inside the hook or the driver that needs them"

    def test_a_key_that_its_settings_do_not_have_is_an_error(self, plugin: ModuleType) -> None:
        """A misspelt key that is silently ignored is a setting that somebody believes in."""
        for model in _settings_models(plugin):
            assert model.model_config.get("extra") == "forbid", f"{model.__name__} takes any key: give it extra='forbid', as PluginSettings has"

    def test_its_secrets_are_not_printed(self, plugin: ModuleType) -> None:
        """Settings end up in logs, tracebacks and bug reports."""
        for model in _settings_models(plugin):
            for key, field in model.model_fields.items():
                if any(word in key for word in _TELLING):
                    shown = str(field.annotation)
                    assert "Secret" in shown, f"{model.__name__}.{key} is {shown}: make it a pydantic.SecretStr, which is never printed"

    def test_it_imports_nothing_of_ours_but_the_api(self, plugin: ModuleType) -> None:
        """What is not in the api may change in any release."""
        fine = {plugin.__name__, "pepay_core.api", *self.also_imports}
        for path in sorted(_folder(plugin).rglob("*.py")):
            for imported, line in _imports(path):
                if imported.partition(".")[0].startswith("pepay_"):
                    known = any(imported == each or imported.startswith(f"{each}.") for each in fine)
                    assert known, f"{path.name}:{line} imports {imported}: plugins import pepay_core.api, and nothing else of PePay's"

    def test_its_types_reach_those_who_use_it(self, plugin: ModuleType) -> None:
        """Without the marker, type checkers ignore every annotation."""
        assert (_folder(plugin) / "py.typed").is_file(), f"there is no py.typed beside {plugin.__file__}"

    def test_its_migrations_cannot_be_taken_for_those_of_another_plugin(self, plugin: ModuleType) -> None:
        """They are imported by their bare file name."""
        module = _info(plugin).piccolo_app
        if module is None:
            return
        app, name = importlib.import_module(module).APP_CONFIG, _name(plugin).replace("-", "_")
        assert app.app_name == name, f"the tables' app must be called {name}, not {app.app_name}"
        files = [path.name for path in Path(app.migrations_folder_path).glob("*.py") if path.name != "__init__.py"]
        assert all(each.startswith(f"{name}_") for each in files), f"migrations must be called {name}_…: {files}"


class _NoNetwork:
    """An HTTP client for a place without a network."""

    async def _refuse(self, *_: Any, **__: Any) -> Any:
        raise Unavailable("there is no network here")

    async def listen(self, *_: Any, **__: Any) -> AsyncGenerator[bytes, None]:
        """Refuse to listen as well."""
        await self._refuse()
        yield b""

    get = post = post_public = check_public = _refuse


def _info(plugin: ModuleType) -> PluginInfo:
    info = vars(plugin).get("__pepay__")
    assert isinstance(info, PluginInfo), f'{plugin.__name__} must have: __pepay__ = PluginInfo(api="{API_VERSION}")'
    return info


def _name(plugin: ModuleType) -> str:
    names = sorted({each.name for each in importlib.metadata.entry_points(group="pepay.plugins") if each.value == plugin.__name__})
    assert len(names) == 1, f"one entry point in the group pepay.plugins must name {plugin.__name__}; found {names}"
    return names[0]


def _folder(plugin: ModuleType) -> Path:
    assert plugin.__file__, f"{plugin.__name__} has no file"
    return Path(plugin.__file__).parent


def _settings_models(plugin: ModuleType) -> list[Any]:
    """Return the plugin's settings class and every class that its fields lead to."""
    place = _info(plugin).settings
    if place is None:
        return []
    module, _, name = place.partition(":")
    root = getattr(importlib.import_module(module), name)
    assert isinstance(root, type), f"{place} is not a class"
    assert issubclass(root, PluginSettings), f"{place} must inherit from PluginSettings"
    found: list[Any] = []
    waiting: list[Any] = [root]
    while waiting:
        each = waiting.pop()
        if isinstance(each, type) and hasattr(each, "model_fields"):
            if each not in found:
                found.append(each)
                waiting += [field.annotation for field in each.model_fields.values()]
        else:
            waiting += get_args(each)
    return found


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((each.name, node.lineno) for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((f"{node.module}.{each.name}", node.lineno) for each in node.names)
