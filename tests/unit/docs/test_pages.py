"""Links lead somewhere, every page can be found from the first one, and pages are written so that a change is a line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from documentation import DOCS, PAGES, ROOT, Page

OURS = [each for each in PAGES if each.path.is_relative_to(DOCS)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_repository_leads_to_a_page_and_a_heading(page):
    broken = []
    for link in page.links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.path.parent / path).resolve() if path else page.path
        if not target.exists() or (anchor and anchor not in Page(target).anchors):
            broken.append(link)

    assert not broken


def test_every_page_is_reached_from_the_map():
    reached, waiting = set(), [DOCS / "index.md"]
    while waiting:
        path = waiting.pop().resolve()
        if path in reached or path.suffix != ".md" or not path.is_file():
            continue
        reached.add(path)
        waiting += [path.parent / link.partition("#")[0] for link in Page(path).links if not re.match(r"[a-z]+:", link)]

    lost = sorted(each.name for each in OURS if each.path.resolve() not in reached)
    assert not lost, "link them from docs/index.md"


@pytest.mark.parametrize("page", OURS, ids=lambda page: page.name)
def test_a_page_begins_with_its_title_and_has_no_two_headings_of_one_name(page):
    assert page.text.startswith("# ")
    titles = re.findall(r"^#+ (.+)$", page.prose, re.MULTILINE)
    assert len(titles) == len(set(titles))


# The reference of hooks repeats what the specs say, word by word.
@pytest.mark.parametrize("page", [each for each in OURS if each.path.name != "hooks.md"], ids=lambda page: page.name)
def test_what_is_not_there_is_not_promised(page):
    promised = re.findall(r"\b(dashboard|graphql|coming soon|in a later version)\b", page.prose, re.IGNORECASE)

    assert not promised


def test_the_map_names_folders_that_exist():
    assert {path.name for path in DOCS.iterdir() if path.is_dir() and path.name != "_ext"} == {"explanation", "how-to", "reference", "tutorials"}
    assert Path(ROOT / "docs" / "index.md").is_file()
