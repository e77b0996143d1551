"""Every command and option is documented, no other is, and every command line that is shown can be typed."""

from __future__ import annotations

import re
import shlex

import click
import pytest
from documentation import PAGES, code, page

from pepay_core.cli.invocation import Invocation
from pepay_core.cli.main import COMMANDS, cli
from pepay_core.plugins.loader import discover

CLI = page("reference/cli.md")


def tree():
    """Return every command there is by how it is typed: ours, and those of the stock plugins."""
    found = {}

    def walk(command, words, ctx):
        if isinstance(command, click.Group):
            for name in command.list_commands(ctx):
                inner = command.get_command(ctx, name)
                walk(inner, [*words, name], click.Context(inner, parent=ctx))
            if not words:
                return
        found[" ".join(["pepay", *words])] = command

    top = click.Context(cli, obj=Invocation(environ={}))
    walk(cli, [], top)
    # What a plugin's command is called by a word of its own is not said twice.
    borrowed = {entry.target.removeprefix("@").replace(":", " ") for entry in COMMANDS.values() if entry.target.startswith("@")}
    for each in discover():
        group = cli.get_command(top, each.name) if each.is_stock else None
        if isinstance(group, click.Group) and group.commands:
            walk(group, [each.name], click.Context(group, parent=top))
    return {name: command for name, command in found.items() if name.removeprefix("pepay ") not in borrowed}


TREE = tree()


def words_of(command):
    """Return the arguments and options of a command as the page writes them."""
    return {
        each.make_metavar(click.Context(command)).strip("[].") if isinstance(each, click.Argument) else each.opts[0]
        for each in command.params
        if not getattr(each, "hidden", False)
    }


def documented(title):
    return [code(row[0]) for row in CLI.rows(title)]


def test_every_command_is_documented_and_no_other():
    titles = {title for title in CLI.sections if title.startswith("pepay ")}
    missing, stale = sorted(set(TREE) - titles), sorted(titles - set(TREE))

    assert not missing, f"docs/reference/cli.md: document {missing}"
    assert not stale, f"docs/reference/cli.md: {stale} is no command any more"


@pytest.mark.parametrize("name", TREE)
def test_every_option_of_a_command_is_documented_and_no_other(name):
    if name not in CLI.sections:
        pytest.fail(f"docs/reference/cli.md has no section {name!r}; it needs a table with {sorted(words_of(TREE[name]))}")
    words = documented(name)
    missing, stale = sorted(words_of(TREE[name]) - set(words)), sorted(set(words) - words_of(TREE[name]))

    assert not missing, f"docs/reference/cli.md, {name}: document {missing}"
    assert not stale, f"docs/reference/cli.md, {name}: {stale} is no option any more"
    assert len(words) == len(set(words))


def test_the_options_before_every_command_are_documented():
    assert set(documented("Command line")) == words_of(cli) | {"--help"}


def shown():
    """Yield every command line of PePay in a block of shell or in a line of prose."""
    for each in PAGES:
        lines = [line for block in each.blocks("sh") for line in block.code.replace("\\\n", " ").splitlines()]
        lines += re.findall(r"`((?:uv run )?pepay [^`]+)`", each.prose)
        for line in lines:
            match = re.search(r"(?:^|&& |; |\| |\$\()(?:uv run )?(pepay [^|;&)#>]*)", line.strip())
            if match:
                yield pytest.param(match[1].strip(), id=f"{each.name}: {match[1].strip()}")


@pytest.mark.parametrize("line", list(shown()))
def test_a_command_line_that_is_shown_can_be_typed(line):
    words = [word for word in shlex.split(line)[1:] if word not in {"…", "..."}]
    command, known = cli, words_of(cli) | {"--help", "-h"}
    names = ["pepay"]
    while words:
        word = words.pop(0)
        if word.startswith("-"):
            assert word.partition("=")[0] in known, f"{' '.join(names)} has no option {word}"
            option = next((each for each in command.params if word in each.opts), None)
            if option is not None and not option.is_flag and "=" not in word and words:
                words.pop(0)
        elif isinstance(command, click.Group):
            if word.isupper() or word.startswith("<"):
                return
            names.append(word)
            assert " ".join(names) in TREE, f"there is no command {' '.join(names)!r}"
            command = TREE[" ".join(names)]
            known = words_of(command) | {"--help", "-h"}
