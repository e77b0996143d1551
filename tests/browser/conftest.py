"""One Chromium for all tests, and one gateway with both chains for the tests of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from browsing import DESKTOP, FLAGS, PHONE, SMALL, Pages, pictures
from playwright.sync_api import sync_playwright
from requiring import chromium
from town import Town, founded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from browsing import BrowserPage
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's Chromium, or a skip with the reason; with ``chromium`` in PEPAY_TEST_REQUIRE, a failure."""
    program = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A gateway that can be paid in five ways, and everything around it; with the sandbox's bar where a module says ``SIMULATED = True``."""
    with founded(tmp_path_factory.mktemp("gateway"), simulated=getattr(request.module, "SIMULATED", False)) as town:
        yield town


@pytest.fixture
def pages(browser: Browser) -> Iterator[Pages]:
    """Opens pages; what must never happen on one fails the test."""
    opened = Pages(browser, pictures())
    yield opened
    opened.close()


@pytest.fixture
def everywhere(pages: Pages, town: Town) -> Callable[..., None]:
    """Look at a state on every screen and in both directions of writing: pictures, axe, no scroll bar across, nothing that moves by itself.

    ``befall`` is what happens to a page after it was opened.
    """

    def look(invoice: Any, state: str, name: str | None = None, befall: Callable[[BrowserPage], None] = lambda _: None, **query: str) -> None:
        for screen in (PHONE, DESKTOP):
            for language in ("en", "ar"):
                page = pages.open(town.url(invoice, lang=language, **query), screen)
                page.reaches(state)
                befall(page)
                assert page.watch.shift <= 0.02, (state, screen.name, language, page.watch.shift)
                for theme in ("light", "dark"):
                    page.turn(screen.but(theme=theme, language="en-US" if language == "en" else "ar"))
                    page.keep(name or state)
                    page.axe()
                if screen is PHONE:
                    page.turn(SMALL)
                    assert not page.scrolls()
                page.page.close()

    return look
