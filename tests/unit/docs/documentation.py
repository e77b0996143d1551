"""Reads the pages for users: their sections, tables, code blocks and links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_CELL = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Block:
    """A fenced block of code, with what the fence says it is."""

    language: str
    code: str


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def name(self):
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self):
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def prose(self):
        """The text without its code blocks."""
        return _FENCE.sub("", self.text)

    def blocks(self, *languages):
        """Return the code blocks, of some languages where they are given, in their order."""
        found = [Block(language, code) for language, code in _FENCE.findall(self.text)]
        return [each for each in found if not languages or each.language in languages]

    @cached_property
    def sections(self):
        """The text below each heading up to the next one of any level, by the heading without backticks."""
        parts = _HEADING.split(self.prose)[1:]
        return {title.replace("`", ""): body for _, title, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True)}

    def rows(self, section=None):
        """Return the cells of every table row, of one section where it is named, without heads."""
        lines = [line for line in (self.sections[section] if section else self.prose).splitlines() if line.startswith("|")]
        heads = {place - 1 for place, line in enumerate(lines) if set(line) <= set("|- :")}
        kept = [line for place, line in enumerate(lines) if place not in heads and place - 1 not in heads]
        return [[cell.strip().replace("\\|", "|") for cell in _CELL.split(line)[1:-1]] for line in kept]

    @cached_property
    def anchors(self):
        """What a link may name after ``#``, as GitHub makes it of headings."""
        slugs = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for _, title in _HEADING.findall(self.prose)]
        return {slug if slugs[:place].count(slug) == 0 else f"{slug}-{slugs[:place].count(slug)}" for place, slug in enumerate(slugs)}

    @cached_property
    def links(self):
        """Every target of a link."""
        return re.findall(r"\]\(([^)\s]+)\)", self.prose)


def code(cell):
    """Return what a cell says in code, or None when it says something else."""
    found = re.fullmatch(r"`([^`]+)`", cell)
    return found[1] if found else None


def page(name):
    """Return a page below ``docs/``."""
    return Page(DOCS / name)


PAGES = [
    *(Page(path) for path in sorted(DOCS.rglob("*.md"))),
    *(Page(ROOT / name) for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
]
