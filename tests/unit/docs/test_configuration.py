"""Every key that can be configured is documented, with its type and default, and no other."""

from __future__ import annotations

import importlib
import json
import tomllib
import types
import typing
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from documentation import PAGES, code, page
from pydantic import BaseModel, SecretStr

from pepay_core.plugins.loader import discover
from pepay_core.plugins.settings import PluginSettings
from pepay_core.settings import Settings, load_settings

CONFIGURATION = page("reference/configuration.md")
# Tables inside a network or a cluster have a section of their own.
INNER = {
    "pepay_evm.settings": {"NativeSettings": "native", "TokenSettings": "tokens", "BandSettings": "confirmations by amount"},
    "pepay_solana.settings": {"TokenSettings": "tokens of a cluster", "BandSettings": "commitment by amount"},
}


def settings_of_plugins():
    """Return the settings class of every stock plugin that has one, by the plugin's name."""
    found = {}
    for each in discover():
        if each.is_stock:
            place = importlib.import_module(each.target).__pepay__.settings
            if place:
                module, _, name = place.partition(":")
                found[each.name] = getattr(importlib.import_module(module), name)
    return found


def models_in(annotation):
    """Yield the settings classes that an annotation leads to."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for each in typing.get_args(annotation):
        yield from models_in(each)


def sections():
    """Return the settings class of every section that the page must have."""
    found = {f"[{name}]": field.annotation for name, field in Settings.model_fields.items() if name != "plugin"}
    for name, model in settings_of_plugins().items():
        found[f"[plugin.{name}]"] = model
        for key, field in model.model_fields.items():
            for network in models_in(field.annotation):
                found[f"[plugin.{name}.{key}.NAME]"] = network
                for inner in network.model_fields.values():
                    found |= {INNER[each.__module__][each.__name__]: each for each in models_in(inner.annotation)}
    return found


SECTIONS = sections()


def types_of(annotation):
    """Return the words for the types that a key takes."""
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return types_of(inside[0])
    if origin in {types.UnionType, typing.Union}:
        return [word for each in inside if each is not type(None) for word in types_of(each)]
    if origin is typing.Literal:
        return [f"`{json.dumps(each)}`" for each in inside]
    if origin in {tuple, list}:
        return ["list of tables" if list(models_in(annotation)) else "list of texts"]
    if origin in {dict, Mapping} or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return ["table"]
    words = {str: "text", SecretStr: "text", Path: "path", int: "integer", bool: "boolean", float: "number", Decimal: "decimal"}
    return [words[annotation]]


def type_words(annotation):
    *others, last = types_of(annotation)
    return f"{', '.join(others)} or {last}" if others else last


def default_literal(field):
    """Return a default as TOML has it; None where the page says it in words."""
    value = field.get_default(call_default_factory=True)
    if value is None:
        return None
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return json.dumps(str(value) if isinstance(value, Decimal | Path) else value)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_documents_exactly_the_keys_that_it_has(section):
    documented = [code(row[0]) for row in CONFIGURATION.rows(section)]
    fields = list(SECTIONS[section].model_fields)

    missing, stale = sorted(set(fields) - set(documented)), sorted(set(documented) - set(fields))
    assert not missing, f"docs/reference/configuration.md, {section}: document {missing}"
    assert not stale, f"docs/reference/configuration.md, {section}: {stale} is no key any more"
    assert len(documented) == len(set(documented))


@pytest.mark.parametrize("section", SECTIONS)
def test_the_type_and_the_default_of_every_key_are_those_of_the_code(section):
    for name, kind, default, meaning in CONFIGURATION.rows(section):
        field = SECTIONS[section].model_fields[code(name)]
        assert kind == type_words(field.annotation), f"{section} {name}"
        if field.is_required():
            assert default == "required", f"{section} {name}"
        elif default_literal(field) is None:
            assert default and code(default) is None, f"{section} {name}: the default is made elsewhere, so say it in words"  # noqa: PT018
        else:
            assert code(default) == default_literal(field), f"{section} {name}"
        assert meaning


def test_no_section_is_documented_that_does_not_exist():
    documented = {title for title in CONFIGURATION.sections if title.startswith("[")}

    assert documented == {title for title in SECTIONS if title.startswith("[")}


def test_every_stock_plugin_is_named():
    missing = [
        each.name for each in discover() if each.is_stock and f"{each.name}`" not in CONFIGURATION.text and f".{each.name}]" not in CONFIGURATION.text
    ]

    assert not missing


def configurations():
    """Yield every block of TOML that is a configuration; one that begins with a comment naming another file is not."""
    for each in PAGES:
        for number, block in enumerate(each.blocks("toml")):
            if "pyproject.toml" not in block.code.partition("\n")[0]:
                yield pytest.param(block.code, id=f"{each.name}-{number}")


@pytest.mark.parametrize("text", list(configurations()))
def test_a_configuration_that_is_shown_is_one(text, tmp_path):
    # What a reader fills in.
    filled = text.replace("0x…", "0x5FbDB2315678afecb367f032d93F642f64180aa3")
    path = tmp_path / "pepay.toml"
    path.write_text(filled, encoding="utf-8")

    settings = load_settings(path, {})

    known = settings_of_plugins()
    for name, section in settings.plugin.items():
        model = known.get(name)
        assert model is None or isinstance(model.model_validate(section), PluginSettings)
    assert tomllib.loads(filled)


def test_environment_variables_override_as_the_page_says(tmp_path):
    assert "`PEPAY_SERVER__PORT=9000`" in CONFIGURATION.text
    assert "`PEPAY_COINGECKO__API_KEY`" in CONFIGURATION.text

    settings = load_settings(None, {"PEPAY_SERVER__PORT": "9000", "PEPAY_COINGECKO__API_KEY": "k", "PEPAY_PLUGINS__REQUIRED": "evm,kraken"})

    assert settings.server.port == 9000
    assert settings.plugin == {"coingecko": {"api_key": "k"}}
    assert settings.plugins.required == ("evm", "kraken")
