"""The look of the hosted page, as a merchant may set it: a few choices, each checked, so that every page stays readable."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.colors import COLOR, DARK_CARD, LIGHT_CARD, VISIBLE, contrast
from pepay_core.domain.errors import InvalidInput, NotFound
from pepay_core.domain.ids import MerchantId
from pepay_core.domain.images import read_image
from pepay_core.domain.languages import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pepay_core.domain.images import Image
    from pepay_core.services.callers import Caller
    from pepay_core.services.ports import Store
    from pepay_core.services.recording import Recorder

RADII: Final = ("none", "small", "medium", "large")
FONTS: Final = ("inter", "system", "serif")
SCHEMES: Final = ("auto", "light", "dark")
CODES: Final = ("address", "amount")

_KEYS: Final = ("accent", "accent_dark", "radius", "font", "scheme", "languages", "code", "auto_return", "logo", "support_email", "support_url")
_EMAIL: Final = re.compile(r"[^@\s<>\"]{1,64}@[^@\s<>\"]{1,190}")
_WEB: Final = re.compile(r"https://[a-z0-9.-]{1,253}(:\d{1,5})?(/[!-;=?-~]{0,400})?", re.ASCII | re.IGNORECASE)


def branding(present: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the look with the given choices put in, None taking one back; raises InvalidInput naming the field."""
    changed = dict(present)
    for key, value in given.items():
        if key == "logo":
            # What was read can be written back; another one is an image, and comes by itself.
            if value != present.get("logo"):
                raise InvalidInput("is put with POST /api/v1/merchant/logo and taken away with DELETE", field="branding.logo")
            continue
        # The older name of the accent.
        name = "accent" if key == "color" else key
        if value is not None:
            _CHECKS[key](value, f"branding.{key}")
        changed[name] = value
    return {key: value for key, value in changed.items() if value is not None}


def branding_object(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the look as the API shows it."""
    return {key: stored.get(key) for key in _KEYS} | {"color": stored.get("accent")}


def _colour(ground: str) -> Callable[[Any, str], None]:
    def check(value: Any, field: str) -> None:
        if not COLOR.fullmatch(value):
            raise InvalidInput("must be a colour such as #4f46e5", field=field)
        ratio = contrast(value, ground)
        if ratio < VISIBLE:
            raise InvalidInput(
                f"has a contrast of {ratio:.1f}:1 to {ground}, on which the page shows it; it needs {VISIBLE:.0f}:1 to be seen by everybody",
                field=field,
            )

    return check


def _one_of(known: tuple[str, ...]) -> Callable[[Any, str], None]:
    def check(value: Any, field: str) -> None:
        if value not in known:
            raise InvalidInput(f"must be one of {', '.join(known)}", field=field)

    return check


def _matching(shape: re.Pattern[str], meant: str) -> Callable[[Any, str], None]:
    def check(value: Any, field: str) -> None:
        if not shape.fullmatch(value):
            raise InvalidInput(f"must be {meant}", field=field)

    return check


def _languages(value: Any, field: str) -> None:
    if not value or len(set(value)) != len(value) or any(each not in LANGUAGES for each in value):
        raise InvalidInput(f"must be some of {', '.join(LANGUAGES)}, the preferred one first", field=field)


_CHECKS: Final[Mapping[str, Callable[[Any, str], None]]] = {
    "accent": _colour(LIGHT_CARD),
    "color": _colour(LIGHT_CARD),
    "accent_dark": _colour(DARK_CARD),
    "radius": _one_of(RADII),
    "font": _one_of(FONTS),
    "scheme": _one_of(SCHEMES),
    "code": _one_of(CODES),
    "auto_return": lambda _value, _field: None,
    "languages": _languages,
    "support_email": _matching(_EMAIL, "an e-mail address"),
    "support_url": _matching(_WEB, "an https URL"),
}


class Logos:
    """The merchants' logos."""

    def __init__(self, store: Store, recorder: Recorder) -> None:
        self._store = store
        self._recorder = recorder

    async def put(self, caller: Caller, text: str) -> None:
        """Take a logo, as base64 of a PNG or WebP image; raises InvalidInput."""
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidInput("must be base64", field="image") from None
        image = read_image(data, field="image")
        await self._set(caller, image)

    async def remove(self, caller: Caller) -> None:
        """Take the logo away again."""
        await self._set(caller, None)

    async def get(self, merchant: str, name: str) -> Image:
        """Return a merchant's logo by its file name; raises NotFound."""
        async with self._store.read() as tx:
            found = await tx.merchants.logo(MerchantId(merchant))
        if found is None or found.name != name:
            raise NotFound("there is no such image")
        return found

    async def _set(self, caller: Caller, image: Image | None) -> None:
        async with self._store.begin() as tx:
            merchant = await tx.merchants.get(caller.merchant)
            look = {key: value for key, value in merchant.branding.items() if key != "logo"}
            if image is not None:
                look["logo"] = image.name
            await tx.merchants.save(replace(merchant, branding=look))
            await tx.merchants.put_logo(merchant.id, image)
            await self._recorder.note(tx, caller, "merchant.changed", merchant.id, {"branding.logo": image.name if image else None})
