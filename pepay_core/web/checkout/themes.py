"""How a merchant's page looks: a stylesheet of a few variables, made from the preferences that were checked when they were set."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.colors import BRAND, DARK_CARD, READABLE, ink, lighter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_RADII: Final = {"none": "0", "small": ".5", "medium": "1", "large": "1.5"}
_FONTS: Final = {
    "inter": None,
    "system": "ui-sans-serif, system-ui, sans-serif",
    "serif": 'ui-serif, Georgia, Cambria, "Times New Roman", serif',
}
_SCHEMES: Final = {"auto": None, "light": "light", "dark": "dark"}


@dataclass(frozen=True, slots=True)
class Theme:
    """The look of one merchant's pages; without a stylesheet it is ours."""

    merchant: str = ""
    css: str = ""
    logo: str | None = None
    """The file name of the logo, which is named after what is in it."""
    languages: Sequence[str] = ()
    code: str | None = None
    """Which QR code is shown first: ``address``, or ``amount`` for one with the amount in it."""
    auto_return: bool = False
    help_url: str | None = None
    own_font: bool = False

    @property
    def stylesheet(self) -> str | None:
        """The address of the stylesheet; it changes with its content."""
        return f"/theme/{self.merchant}/{fingerprint(self.css)}.css" if self.css else None

    @property
    def logo_url(self) -> str | None:
        """The address of the logo."""
        return f"/theme/{self.merchant}/{self.logo}" if self.logo else None


def fingerprint(css: str) -> str:
    """Return what a stylesheet is named after."""
    return sha256(css.encode()).hexdigest()[:16]


def theme(merchant: str, branding: Mapping[str, Any]) -> Theme:
    """Return the look that a merchant's preferences ask for."""
    email = branding.get("support_email")
    return Theme(
        merchant=merchant,
        css=_css(branding),
        logo=branding.get("logo"),
        languages=tuple(branding.get("languages") or ()),
        code=branding.get("code"),
        auto_return=bool(branding.get("auto_return")),
        help_url=branding.get("support_url") or (f"mailto:{email}" if email else None),
        own_font=_FONTS[branding.get("font") or "inter"] is not None,
    )


def _css(branding: Mapping[str, Any]) -> str:
    rules: list[str] = []
    # What is stored under the older name was not checked for its contrast when it was set: it is left as it was set.
    accent = branding.get("accent") or branding.get("color") or (BRAND if branding.get("accent_dark") else None)
    if accent:
        dark = branding.get("accent_dark") or lighter(accent, DARK_CARD, READABLE)
        rules += [f"--brand:light-dark({accent},{dark})", f"--on-brand:light-dark({ink(accent)},{ink(dark)})"]
    if radius := branding.get("radius"):
        rules.append(f"--rounding:{_RADII[radius]}")
    if font := _FONTS[branding.get("font") or "inter"]:
        rules.append(f"--font:{font}")
    if scheme := _SCHEMES[branding.get("scheme") or "auto"]:
        rules.append(f"color-scheme:{scheme}")
    return f":root{{{';'.join(rules)}}}" if rules else ""
