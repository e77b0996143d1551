"""Writes ``reference/hooks.md`` from the specs: ``python docs/_ext/pepay_hooks.py`` after a hook has changed."""
# ruff: noqa: INP001 - a script, not a package

from __future__ import annotations

import inspect
import re
from pathlib import Path

from pepay_core.hookspecs import Hooks, OnError, SpecInfo, specs

PAGE = Path(__file__).parents[1] / "reference" / "hooks.md"

HEAD = """\
# Hooks

A plugin adds to PePay by implementing hooks: functions in its module, marked with `@hookimpl`.
It implements those that it needs, and each may take fewer arguments than its spec, by the same names.
`ctx` is the plugin's own `PluginContext`: its settings, an HTTP client, a clock, a logger.

Hooks written `def` do no input or output; the drivers that they return do.
They are called while PePay starts, unless they say otherwise.
Hooks written `async def` are awaited for at most ten seconds.
Plugins are called in the order of `[plugins] enabled`, one at a time, and a hook that fails costs its own plugin only:

| on failure | what it costs |
|---|---|
| quarantine | the plugin is not called again until PePay is restarted, and what it contributed is not offered |
| skip | this one answer is left out, and the plugin stays |
| abort | the operation is refused, because an answer that is missing could have been a no |

The line *See* names the conformance suite that a plugin inherits to prove that it keeps the contract.
"""

COSTS = {OnError.QUARANTINE: "quarantine", OnError.SKIP: "skip", OnError.ABORT: "abort"}


def signature(name: str) -> str:
    """Return a hook as an implementation writes it."""
    function = getattr(Hooks, name)
    spec = inspect.signature(function)
    without_self = spec.replace(parameters=[each for each in spec.parameters.values() if each.name != "self"])
    # Annotations are text in the source, and are printed as they stand there.
    text = str(without_self).replace("'", "")
    return f"{'async def' if inspect.iscoroutinefunction(function) else 'def'} {name}{text}"


def header(name: str) -> dict[str, str]:
    """Return the four lines of a hook's docstring: When, Must, Fails, See."""
    lines = inspect.getdoc(getattr(Hooks, name)).splitlines()
    return {word: line.removeprefix(f"{word}: ") for line in lines for word in ("When", "Must", "Fails", "See") if line.startswith(f"{word}: ")}


def section(name: str, info: SpecInfo) -> str:
    """Return one hook's part of the page."""
    summary = inspect.getdoc(getattr(Hooks, name)).partition("\n\n")[0]
    four = header(name)
    text = "\n".join(
        [
            f"## {name}",
            "",
            summary,
            "",
            "```python",
            "@hookimpl",
            f"{signature(name)}: ...",
            "```",
            "",
            f"- **When:** {four['When']}",
            f"- **Must:** {four['Must']}",
            f"- **Fails:** {four['Fails']} ({COSTS[info.on_error]})",
            f"- **See:** {four['See']}",
            f"- **Since:** plugin API {info.since}",
            "",
        ]
    )
    # Docstrings are reStructuredText, the page is Markdown; its fences of three stay.
    return re.sub("(?<!`)``(?!`)", "`", text)


def page() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *(section(name, info) for name, info in specs().items())])


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
