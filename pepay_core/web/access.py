"""Whom a route lets in: the markers that stand in its ``opt["access"]``. Anything else there is a scope."""

from __future__ import annotations

from typing import Final

ANYBODY: Final = "anybody"
"""A public route; everything else needs somebody."""
DOOR: Final = "door"
"""Anybody who is about to show who they are: counted strictly by address, and refused from pages of other origins."""
BUYER: Final = "buyer"
"""Whoever holds an invoice's client token; the path names the invoice."""
BUYER_PAGE: Final = "buyer-page"
"""The same for pages: who has no token is told that there is no page."""
ENTERING: Final = "entering"
"""Whoever has a session, also one that still owes the second factor."""
USER: Final = "user"
"""Any signed-in user, on behalf of no merchant."""
ADMIN: Final = "admin"
"""A signed-in admin of the platform."""
PLUGIN: Final = "plugin"
"""A plugin's route, which does its own authentication."""

SESSIONS_ONLY: Final = frozenset({ENTERING, USER, ADMIN})
"""What no API key opens."""
MARKERS: Final = frozenset({ANYBODY, DOOR, BUYER, BUYER_PAGE, PLUGIN}) | SESSIONS_ONLY


def is_scope(access: str) -> bool:
    """Tell whether a route is opened by a scope, which keys and members of a merchant have."""
    return access not in MARKERS
