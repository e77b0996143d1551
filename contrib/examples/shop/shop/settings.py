"""What the shop has to know, from the environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Settings:
    """Where PePay is, and by what the two know each other."""

    gateway: str
    key: str = field(repr=False)
    secret: str = field(repr=False)
    port: int = 9000
    database: str = "shop.db"


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings; raises KeyError with the name of what is missing."""
    return Settings(
        gateway=environ["PEPAY_URL"].rstrip("/"),
        key=environ["PEPAY_KEY"],
        secret=environ["PEPAY_WEBHOOK_SECRET"],
        port=int(environ.get("SHOP_PORT", "9000")),
        database=environ.get("SHOP_DATABASE", "shop.db"),
    )
