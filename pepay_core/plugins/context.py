"""What each plugin is given: its own settings, checked by its own class, and its own logger."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING

from pepay_core.contracts.context import PluginContext
from pepay_core.domain.errors import PluginBroken, PluginError
from pepay_core.plugins.problems import told
from pepay_core.plugins.settings import PluginSettings
from pepay_core.plugins.validating import Invalid, validate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pepay_core.contracts.context import Clock, Http
    from pepay_core.plugins.info import PluginInfo


def build_context(plugin: str, info: PluginInfo, given: Mapping[str, Any], *, clock: Clock, http: Http, base_url: str) -> PluginContext:
    """Return a plugin's context; ``given`` is its section of the configuration. Raises PluginError, without any value in it."""
    return PluginContext(
        plugin=plugin,
        settings=_settings(plugin, info, given),
        http=http,
        clock=clock,
        log=logging.getLogger(f"pepay.plugin.{plugin}"),
        base_url=base_url,
    )


def settings_class(plugin: str, info: PluginInfo) -> type[PluginSettings] | None:
    """Return the class that a plugin's settings are made of, or None when it has none; raises PluginBroken."""
    if info.settings is None:
        return None
    module, _, name = str(info.settings).partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except KeyboardInterrupt:
        raise
    except BaseException as exc:
        raise PluginBroken(plugin, f"its settings {info.settings!r} do not import: {told(exc)}", hint="ask its author") from exc
    if not (isinstance(found, type) and issubclass(found, PluginSettings)):
        raise PluginBroken(plugin, f"its settings {info.settings!r} are not a PluginSettings", hint="ask its author")
    return found


def _settings(plugin: str, info: PluginInfo, given: Mapping[str, Any]) -> PluginSettings | None:
    section = f"plugin.{plugin}"
    model = settings_class(plugin, info)
    if model is None:
        if given:
            raise PluginError(plugin, f"it has no settings, and [{section}] sets {', '.join(sorted(given))}", hint=f"take [{section}] out")
        return None
    try:
        return validate(model, given, section=section)
    except Invalid as exc:
        raise PluginError(plugin, str(exc), hint=exc.hint) from None
    except KeyboardInterrupt:
        raise
    except BaseException as exc:
        raise PluginBroken(plugin, f"its settings could not be checked: {told(exc)}", hint="ask its author") from exc
