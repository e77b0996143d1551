"""The words of letters: one text per kind and language, below ``pepay_core/mails``, into which values are put when a letter is sent.

A text has its subject in the first line, and names its values as ``$value``. Values are text and stay text: on one line, and
without characters that cannot be seen.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from pepay_core.contracts.notifier import Letter

if TYPE_CHECKING:
    from collections.abc import Mapping

LANGUAGE: Final = "en"
"""What there is every text in."""

_TEXTS: Final = Path(__file__).parent.parent / "mails"
_SUBJECT: Final = "Subject: "
_NAME: Final = re.compile(r"[a-z]+(?:_[a-z]+)*")
_MAX_SUBJECT: Final = 200
_MAX_VALUE: Final = 2000


def kinds() -> list[str]:
    """Return every kind of letter there is."""
    return sorted(path.stem for path in (_TEXTS / LANGUAGE).glob("*.txt"))


def compose(kind: str, values: Mapping[str, object], language: str = LANGUAGE) -> Letter:
    """Return a letter in a language, or in English where it has not been translated.

    Raises LookupError for a kind that there is no text of, and for a value that the text names and is not given.
    """
    subject, text = _text(kind, language)
    shown = {name: _plain(str(value)) for name, value in values.items()}
    return Letter(subject.substitute(shown)[:_MAX_SUBJECT], text.substitute(shown))


@cache
def _text(kind: str, language: str) -> tuple[Template, Template]:
    if not _NAME.fullmatch(kind):
        raise LookupError(f"there is no letter {kind!r}")
    paths = [_TEXTS / each / f"{kind}.txt" for each in (language, LANGUAGE) if re.fullmatch(r"[A-Za-z-]+", each)]
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        raise LookupError(f"there is no letter {kind!r}")
    first, _, rest = found.read_text(encoding="utf-8").partition("\n")
    return Template(first.removeprefix(_SUBJECT)), Template(rest.lstrip("\n"))


def _plain(text: str) -> str:
    """Return a value on one line, so that it can neither add a header to a letter nor lines that look like ours."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:_MAX_VALUE]
