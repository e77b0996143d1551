"""Logging to standard error: who asked, about which invoice, and never a secret."""

from __future__ import annotations

import json
import logging
import re
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

request_id: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
invoice_id: Final[ContextVar[str | None]] = ContextVar("invoice_id", default=None)

HIDDEN: Final = "[hidden]"

_TELLING: Final = r"[\w-]*(?:token|secret|passw(?:or)?d|api[-_]?key|access[-_]?key|private[-_]?key|signature|mnemonic)"

_RULES: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    # Our own keys keep their public id, by which `pepay key list` finds them.
    (re.compile(r"\b(pepay_(?:test|live)_[0-9A-Za-z]+)_[0-9A-Za-z_-]+"), rf"\1_{HIDDEN}"),
    (re.compile(r"\bwhsec_[0-9A-Za-z+/=_-]+"), f"whsec_{HIDDEN}"),
    # Extended keys of every prefix: a public one tells a merchant's whole income, a private one is the money itself.
    (re.compile(r"\b([xyztuvXYZTUV](?:pub|prv))[1-9A-HJ-NP-Za-km-z]{40,}"), rf"\1{HIDDEN}"),
    # Up to the last @ of the authority: passwords contain @ more often than they should.
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/?#]+@", re.IGNORECASE), rf"\1{HIDDEN}@"),
    (re.compile(r"(\bauthorization['\"]?\s*[:=]\s*['\"]?(?:bearer|basic)\s+)[^\s'\",]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(rf"(\b{_TELLING}=)[^\s&#'\",;)\]}}]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(rf"(\b{_TELLING}['\"]?\s*:\s*['\"]?)[^\s'\",;)\]}}]+", re.IGNORECASE), rf"\1{HIDDEN}"),
)

_URL: Final = re.compile(r"\b(?:https?|wss?)://[^\s'\"<>]+", re.IGNORECASE)
# Node providers put their key into the path: a long segment that mixes letters and digits.
_SEGMENT: Final = re.compile(r"(?<=/)(?!0x)(?![a-z]{3}_[0-9a-z]{26}(?![0-9A-Za-z_-]))(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{20,}(?=[/?#]|$)")


def redact(text: str) -> str:
    """Return the text without API keys, webhook secrets, tokens, extended keys, passwords, and keys in the paths of URLs."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return _URL.sub(lambda url: _SEGMENT.sub(HIDDEN, url[0]), text)


@contextmanager
def bound(*, request: str | None = None, invoice: str | None = None) -> Iterator[None]:
    """Have every line that is logged inside carry the id of a request, of an invoice, or of both."""
    tokens = [(variable, variable.set(value)) for variable, value in ((request_id, request), (invoice_id, invoice)) if value is not None]
    try:
        yield
    finally:
        for variable, token in reversed(tokens):
            variable.reset(token)


def _context() -> dict[str, str]:
    found = {"request_id": request_id.get(), "invoice_id": invoice_id.get()}
    return {name: value for name, value in found.items() if value is not None}


class TextFormatter(logging.Formatter):
    """One line for people: time, level, logger, message, ids. Tracebacks follow, redacted like everything else."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        ids = "".join(f" {name}={value}" for name, value in _context().items())
        # Inside the message a line break would let whoever wrote the text forge a line of ours.
        message = record.getMessage().replace("\n", "\n    ").replace("\r", "\\r")
        return redact(f"{at} {record.levelname.lower():<8} {record.name}: {message}{ids}{_trace(self, record)}")


class JsonFormatter(logging.Formatter):
    """One JSON object per line, for machines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
            **_context(),
        }
        if trace := _trace(self, record):
            entry["exception"] = redact(trace.lstrip("\n"))
        return json.dumps(entry, ensure_ascii=False)


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = []
    if record.exc_info and record.exc_info[0] is not None:
        parts.append(formatter.formatException(record.exc_info))
    elif record.exc_text:
        parts.append(record.exc_text)
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "".join(f"\n{part}" for part in parts)


def configure(*, level: str = "info", as_json: bool = False, stream: TextIO | None = None) -> None:
    """Send what this process logs to standard error, or to ``stream``; calling it again replaces the setting."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    root = logging.getLogger()
    for old in [each for each in root.handlers if getattr(each, "of_pepay", False)]:
        root.removeHandler(old)
    handler.of_pepay = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(level.upper())
