"""What browsers may do with an answer: the content security policies of data, of plain pages, and of pages with a script."""

from __future__ import annotations

from typing import Final

DATA: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
"""The policy of what is no page."""
PLAIN: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""The policy of a page that needs no script, and so gets none."""


def scripted(frame_ancestors: str = "'none'") -> str:
    """Return the policy of a page with scripts of our own.

    They come from this origin, talk to this origin, and can put markup into the page through the one Trusted Types policy ``pepay`` only.
    ``frame_ancestors`` are the origins that may show the page in a frame; ``data:`` images are the icons that wallets announce.
    """
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
        f"manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors {frame_ancestors}; "
        "require-trusted-types-for 'script'; trusted-types pepay"
    )
