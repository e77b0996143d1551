"""What `pepay doctor` asks of a plugin."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``remedy`` says what to do, and is required unless all is well."""

    verdict: Verdict
    subject: str
    message: str
    remedy: str = ""


class Check(ABC):
    """One question that `pepay doctor` asks."""

    name: str

    @abstractmethod
    async def run(self) -> list[Finding]:
        """Look, and return what was found; an exception becomes a finding of its own."""
