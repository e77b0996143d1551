"""The page about the embed says what its script and the page in the frame do."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

from documentation import ROOT, code, page

from pepay_core.web.embed import VERSION, releases
from pepay_core.web.templating import STATIC

EMBED = page("reference/embed.md")
HOW_TO = page("how-to/embed-the-checkout.md")


def source(name):
    return Path(ROOT / "frontend" / f"{name}.ts").read_text()


def first(section):
    return [code(row[0]) for row in EMBED.rows(section)]


def test_every_option_is_documented_and_no_other():
    (options,) = re.findall(r"interface Options \{(.*?)\n\}", source("embed"), re.DOTALL)
    named = re.findall(r"^  (\w+)\??:", options, re.MULTILINE)

    assert first("Options") == [each for each in named if not each.startswith("on")]
    assert [code(row[1]) for row in EMBED.rows("Options")] == [f"data-pepay-{each}" for each in first("Options")]
    assert [code(row[1]).partition("(")[0] for row in EMBED.rows("Events")] == [each for each in named if each.startswith("on")]


def test_every_event_and_message_is_documented_and_no_other():
    script, frame = source("embed"), source("frame")
    said = set(re.findall(r'\b(?:tell|ask)\("([\w.]+)"', frame + source("wallets")))
    heard = set(re.findall(r'said\.type === "([\w.]+)"', frame))
    emitted = set(re.findall(r'\bemit\("(\w+)"', script))
    tables = re.findall(r"From the (.*?): `\{source: \"([\w-]+)\".*?\n\n(\|.*?)\n\n", EMBED.text, re.DOTALL)

    documented = {who: set(re.findall(r"^\| `([\w.]+)` \|", table, re.MULTILINE)) for _, who, table in tables}

    assert documented == {"pepay": said, "pepay-host": heard}
    assert {code(row[0]) for row in EMBED.rows("Events")} == {f"pepay:{each}" for each in emitted}


def test_what_a_wallet_may_answer_is_documented_and_has_a_sentence_on_the_page():
    (line,) = re.findall(r"`error` is one word: (.*)\.", EMBED.text)
    documented = re.findall(r"`(\w+)`", line)
    known = set(re.findall(r'(?:return|Trouble\() ?"(\w+)"', source("drivers")))

    assert set(documented) == known
    assert all(f'"{each}"' in (STATIC.parent / "templates" / "pay" / "wallets.html").read_text() for each in known)


def test_the_hash_of_every_release_is_the_real_one():
    documented = {code(row[0]): code(row[1]) for row in EMBED.rows("Releases")}

    assert documented == {each.version: each.integrity for each in releases().values()}
    assert f"/embed/{VERSION}.js" in HOW_TO.text


def test_the_script_is_as_small_as_is_said():
    assert "below 3 kB compressed" in EMBED.text
    assert len(gzip.compress((STATIC / "embed.js").read_bytes(), 9, mtime=0)) <= 3000


def test_what_is_said_of_waiting_is_so():
    (patience,) = re.findall(r"const PATIENCE = ([\d_]+);", source("embed"))

    assert int(patience) == 15_000
    assert "After fifteen seconds" in HOW_TO.text
