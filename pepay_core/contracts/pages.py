"""What a plugin adds to the pages: dashboards of merchants, and the page on which buyers pay."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """A page below ``/dashboard/x/<plugin>/<slug>``, rendered from a template that the plugin ships."""

    slug: str
    title: str
    template: str


@dataclass(frozen=True, slots=True)
class CheckoutPart:
    """Something above the page on which a buyer pays.

    ``html`` goes into the page as it is, so the plugin escapes what it did not write. ``styles`` and ``scripts`` are addresses of the
    plugin's own routes, below ``/x/<plugin>/``; the page's policy lets neither inline ones nor those of other hosts in.
    """

    html: str
    styles: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
