"""What a plugin adds to the dashboards."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """A page below ``/dashboard/x/<plugin>/<slug>``, rendered from a template that the plugin ships."""

    slug: str
    title: str
    template: str
