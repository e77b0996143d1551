"""Who may import whom. The table is the architecture; the walk below only reads it."""

import pytest
from source import files, imports, module_name, plugin_sources, within

# The longest entry that matches a module is the one that holds for it. Every module must match one.
MAY_IMPORT = {
    "pepay_core": [],
    "pepay_core.domain": ["domain"],
    "pepay_core.contracts": ["domain", "contracts"],
    "pepay_core.hookspecs": ["domain", "contracts"],
    "pepay_core.log": [],
    "pepay_core.clock": [],
    "pepay_core.certificates": [],
    "pepay_core.egress": ["domain"],
    "pepay_core.http": ["domain", "contracts", "egress"],
    "pepay_core.plugins": ["domain", "contracts", "hookspecs", "plugins", "settings", "log"],
    "pepay_core.plugins.info": [],
    "pepay_core.plugins.settings": [],
    "pepay_core.plugins.validating": [],
    "pepay_core.plugins.catalogue": ["domain", "contracts", "plugins.problems"],
    "pepay_core.api": ["domain", "contracts", "hookspecs", "plugins.info", "plugins.settings"],
    "pepay_core.settings": ["domain", "plugins.validating"],
    "pepay_core.master_keys": ["domain", "contracts"],
    "pepay_core.secrets": ["domain", "contracts", "settings", "master_keys"],
    "pepay_core.tokens": ["secrets"],
    "pepay_core.passwords": ["domain"],
    "pepay_core.relying": ["domain"],
    "pepay_core.services": ["domain", "contracts", "plugins.catalogue", "secrets", "tokens", "passwords", "relying", "services"],
    # What doctor asks includes whether the configuration is wise.
    "pepay_core.services.checking_exposure": ["domain", "contracts", "settings", "certificates"],
    "pepay_core.services.checking": ["domain", "contracts", "plugins.catalogue", "services", "settings"],
    "pepay_core.storage": ["domain", "contracts", "services", "secrets", "settings", "log", "storage"],
    "pepay_core.web": [
        "domain",
        "contracts",
        "hookspecs",
        "plugins",
        "services",
        "storage",
        "settings",
        "secrets",
        "tokens",
        "http",
        "clock",
        "log",
        "egress",
        "runtime",
        "web",
    ],
    "pepay_core.background": ["domain", "services", "runtime"],
    "pepay_core.runtime": [
        "background",
        "domain",
        "contracts",
        "plugins",
        "services",
        "storage",
        "settings",
        "secrets",
        "tokens",
        "http",
        "clock",
        "log",
        "egress",
    ],
    "pepay_core.cli": [
        "domain",
        "contracts",
        "plugins",
        "services",
        "storage",
        "web",
        "settings",
        "secrets",
        "tokens",
        "http",
        "clock",
        "log",
        "egress",
        "runtime",
        "cli",
    ],
    "pepay_core.testing": ["api", "testing"],
}

# Each library has one home, so that it can be replaced there.
HOMES = {
    "stevedore": ["pepay_core.plugins.loader", "pepay_core.secrets"],
    "pluggy": ["pepay_core.hookspecs", "pepay_core.plugins.host"],
    "piccolo": ["pepay_core.storage"],
    "asyncpg": ["pepay_core.storage"],
    "aiosqlite": ["pepay_core.storage"],
    "litestar": ["pepay_core.web"],
    "aiohttp": ["pepay_core.http"],
    # Mail goes out by a plugin, and by nothing else.
    "smtplib": [],
    "aiosmtplib": [],
    "pydantic": ["pepay_core.settings", "pepay_core.plugins.settings", "pepay_core.plugins.validating"],
    "pydantic_settings": ["pepay_core.settings"],
    "cryptography": ["pepay_core.certificates", "pepay_core.secrets"],
    "argon2": ["pepay_core.passwords"],
    "webauthn": ["pepay_core.relying"],
    "click": ["pepay_core.cli", "pepay_core.hookspecs"],
    "tomlkit": ["pepay_core.cli"],
    "pytest": ["pepay_core.testing"],
    "web3": [],
    "eth_account": [],
    "solana": [],
    "solders": [],
}

CORE_FILES = files("pepay_core")
PLUGIN_FILES = plugin_sources()


def named(path):
    return module_name(path) if path in CORE_FILES else path.parts[path.parts.index("plugins") + 1] + "/" + path.name


def rule_for(module):
    return max((layer for layer in MAY_IMPORT if within(module, layer)), key=len)


@pytest.mark.parametrize("path", CORE_FILES, ids=named)
def test_a_module_imports_only_what_its_layer_may(path):
    module = module_name(path)
    layer = rule_for(module)
    if layer == "pepay_core":
        assert module == "pepay_core", f"{module} is in no layer: say in MAY_IMPORT what it may import"
    allowed = [f"pepay_core.{each}" for each in MAY_IMPORT[layer]]
    for imported, line, inside in imports(path):
        if not within(imported, "pepay_core") or imported in {"pepay_core.__version__", "pepay_core"}:
            continue
        # The kit builds the application inside fixtures, so that importing it costs nothing.
        if layer == "pepay_core.testing" and inside:
            continue
        assert any(within(imported, each) for each in allowed), f"{path.name}:{line} imports {imported}, and {layer} may import {allowed}"


@pytest.mark.parametrize("path", CORE_FILES, ids=named)
def test_a_library_is_imported_in_its_home_only(path):
    module = module_name(path)
    for imported, line, inside in imports(path):
        homes = HOMES.get(imported.partition(".")[0])
        if homes is None or (inside and within(module, "pepay_core.testing")):
            continue
        assert any(within(module, home) for home in homes), f"{path.name}:{line} imports {imported}, which belongs to {homes}"


@pytest.mark.parametrize("path", CORE_FILES, ids=named)
def test_core_imports_no_plugin(path):
    for imported, line, _ in imports(path):
        assert not imported.startswith("pepay_") or within(imported, "pepay_core"), f"{path.name}:{line} imports {imported}"


@pytest.mark.parametrize("path", PLUGIN_FILES, ids=named)
def test_a_plugin_imports_the_api_and_nothing_else_of_ours(path):
    own = path.parts[path.parts.index("src") + 1]
    # The sandbox runs the stock drivers against its own chain; it may use the kit, and what it plays to.
    others = {"pepay_sandbox": {"pepay_evm", "pepay_webhook_hmac", "pepay_core.testing"}}.get(own, set())
    for imported, line, _ in imports(path):
        if not imported.startswith("pepay_"):
            continue
        fine = any(within(imported, each) for each in {own, "pepay_core.api", *others})
        assert fine, f"{path.name}:{line} imports {imported}"


def test_imports_inside_functions_and_by_name_are_seen(tmp_path):
    path = tmp_path / "probe.py"
    path.write_text("def f():\n    import litestar.app\n    from pepay_core.web import app\n    import_module('pepay_evm.chain')\n")

    assert [(module, inside) for module, _, inside in imports(path)] == [
        ("litestar.app", True),
        ("pepay_core.web.app", True),
        ("pepay_evm.chain", True),
    ]
