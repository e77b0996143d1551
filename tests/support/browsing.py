"""A real Chromium as a buyer has it: a screen, what went wrong on it, what its codes say, and whether everybody can use it.

::

    def test_something(pages, town):
        page = pages.open(invoice["payment_url"], PHONE)
        assert page.qr() == invoice_option["payment_uri"]
        page.shows("paid")
        page.keep("paid")  # a screenshot, checked for scroll bars
        page.axe()

What a page must never do (a violation of its policies, an error in the console, a request to somebody else, a scroll bar across)
fails the test at its end without being asked for; ``page.watch.forgive("…")`` names what a test brings about on purpose.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import npm
import zxingcpp
from PIL import Image
from playwright.sync_api import expect

if TYPE_CHECKING:
    import re

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

BROWSER_TESTS = Path(__file__).parents[1] / "browser"
FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--font-render-hinting=none",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
)
SECONDS = 20
_STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Runs before the page's own scripts: what it reports outlives the page that it happened on.
_REPORTING = """
addEventListener("securitypolicyviolation", (e) => {
  __pepayReport(JSON.stringify(["violation", `${e.effectiveDirective} blocked ${e.blockedURI} ${e.sample}`]));
});
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (!entry.hadRecentInput) __pepayReport(JSON.stringify(["shift", entry.value]));
  }
}).observe({ type: "layout-shift", buffered: true });
"""


@dataclass(frozen=True)
class Screen:
    """What a buyer looks at."""

    width: int = 1280
    height: int = 900
    theme: str = "light"
    language: str = "en-US"
    javascript: bool = True
    touch: bool = False

    @property
    def name(self) -> str:
        """A name for files: the width, the theme, and the language where it is not English."""
        other = "" if self.language.startswith("en") else f"-{self.language}"
        return f"{self.width}-{self.theme}{other}{'' if self.javascript else '-noscript'}"

    def but(self, **fields: Any) -> Screen:
        """Return the screen with something changed."""
        return replace(self, **fields)


DESKTOP = Screen()
PHONE = Screen(390, 844, touch=True)
SMALL = Screen(320, 640, touch=True)
SCREENS = tuple(screen.but(theme=theme) for screen in (PHONE, DESKTOP) for theme in ("light", "dark"))


@dataclass
class Watch:
    """What went wrong on a page, whatever it was that the test looked at."""

    origins: set[str] = field(default_factory=set)
    found: list[str] = field(default_factory=list)
    shift: float = 0.0
    _forgiven: list[str] = field(default_factory=list)

    def forgive(self, text: str) -> None:
        """Let pass what holds this text, which the test brings about on purpose."""
        self._forgiven.append(text)

    def allow(self, url: str) -> None:
        """Let the page ask another origin, which the test has put there."""
        self.origins.add(_origin(url))

    def note(self, text: str) -> None:
        self.found.append(text)

    def reported(self, text: str) -> None:
        kind, what = json.loads(text)
        if kind == "shift":
            self.shift += what
        else:
            self.note(f"{kind}: {what}")

    def console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.note(f"console: {message.text} {message.location.get('url', '')}")

    def request(self, request: Request) -> None:
        if urlsplit(request.url).scheme in {"http", "https", "ws", "wss"} and _origin(request.url) not in self.origins:
            self.note(f"third party: {request.url}")

    def check(self) -> None:
        """Fail with what went wrong."""
        wrong = [each for each in self.found if not any(text in each for text in self._forgiven)]
        assert not wrong, "\n".join(wrong)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme.replace('ws', 'http', 1)}://{parts.netloc}"


class BrowserPage:
    """A page on a screen. ``page`` is Playwright's own, for all that has no name here."""

    def __init__(self, page: Page, screen: Screen, watch: Watch, pictures: Path) -> None:
        self.page, self.screen, self.watch, self._pictures = page, screen, watch, pictures
        self._protocol = page.context.new_cdp_session(page)
        self._world: tuple[str, int] | None = None

    def open(self, url: str) -> BrowserPage:
        """Go to an address, whose origin is no third party from now on."""
        self.watch.allow(url)
        self.page.goto(url)
        return self

    def shows(self, text: str | re.Pattern[str], seconds: float = SECONDS) -> None:
        """Wait until a text can be seen."""
        expect(self.page.get_by_text(text).locator("visible=true").first).to_be_visible(timeout=seconds * 1000)

    def has(self, selector: str, seconds: float = SECONDS) -> None:
        """Wait until there is a visible element."""
        expect(self.page.locator(selector).locator("visible=true").first).to_be_visible(timeout=seconds * 1000)

    def value(self, expression: str) -> Any:
        """Return what an expression is on the page, whatever the page's policy says of eval."""
        answer = self._protocol.send("Runtime.evaluate", {"expression": expression, "returnByValue": True, "awaitPromise": True})
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def click(self, name: str | re.Pattern[str], role: Any = "button") -> None:
        """Press a button, or another thing that has a name."""
        self.page.get_by_role(role, name=name).first.click()

    def turn(self, screen: Screen) -> BrowserPage:
        """Show the same page on another screen: another width or theme. It is not loaded again."""
        self.page.set_viewport_size({"width": screen.width, "height": screen.height})
        self.page.emulate_media(color_scheme=screen.theme)
        self.screen = screen
        return self

    @property
    def state(self) -> str | None:
        """In which state the checkout is shown."""
        return self.page.locator("#checkout").get_attribute("data-state")

    def reaches(self, *states: str, seconds: float = SECONDS) -> None:
        """Wait until the checkout shows one of these states, without being loaded again."""
        self.has(", ".join(f'#checkout[data-state="{each}"]' for each in states), seconds)

    def mark(self) -> None:
        """Remember this loading of the page."""
        self.value("void (window.pepayMark = true)")

    @property
    def marked(self) -> bool:
        """Whether the page is still the one that was loaded when it was marked."""
        return self.value("window.pepayMark === true")

    # --- what it looks like -------------------------------------------------------------

    def scrolls(self) -> list[str]:
        """Return what makes the page wider than the screen; nothing, if all is well."""
        return self.value(
            f"""(() => {{
              const width = Math.min({self.screen.width}, document.documentElement.clientWidth);
              if (document.documentElement.scrollWidth <= width) return [];
              const over = [...document.body.querySelectorAll("*")].filter((each) => each.getBoundingClientRect().right > width + 0.5);
              return [`${{document.documentElement.scrollWidth}} > ${{width}}`, ...over.slice(0, 5).map((each) => each.outerHTML.slice(0, 120))];
            }})()"""
        )

    def keep(self, name: str) -> Path:
        """Keep a picture of the whole page, and see that it does not scroll sideways."""
        path = self._pictures / f"{name}-{self.screen.name}.png"
        if self.screen.touch:
            # While a picture of more than the screen is taken, a page is told that no finger points at it: so the screen is made as high.
            height = max(self.screen.height, self.value("document.documentElement.scrollHeight"))
            self.page.set_viewport_size({"width": self.screen.width, "height": height})
            self.page.screenshot(path=path, animations="disabled", caret="hide")
            self.page.set_viewport_size({"width": self.screen.width, "height": self.screen.height})
        else:
            self.page.screenshot(path=path, full_page=True, animations="disabled", caret="hide")
        assert not (wide := self.scrolls()), (name, wide)
        return path

    def qr(self) -> str:
        """Return what the one code says that can be seen on the page."""
        image = Image.open(BytesIO(self.page.screenshot(full_page=True, animations="disabled")))
        found = {each.text for each in zxingcpp.read_barcodes(image.convert("L"))}
        assert len(found) == 1, f"{len(found)} codes on the page: {found}"
        return found.pop()

    # --- whether everybody can use it -----------------------------------------------------

    def axe(self, *, without: tuple[str, ...] = ()) -> None:
        """Fail with what axe-core finds wrong. It runs in a world of its own, so that the page keeps its policies."""
        world = self._axe()
        options = {"runOnly": _STANDARDS, "resultTypes": ["violations"], "rules": {each: {"enabled": False} for each in without}}
        found = self._in(world, f"axe.run(document, {json.dumps(options)}).then((r) => JSON.stringify(r.violations))")
        wrong = [
            f"{each['id']} ({each['impact']}): {node['html'][:200]} {node['failureSummary']}" for each in json.loads(found) for node in each["nodes"]
        ]
        assert not wrong, f"{self.screen.name}: " + "\n".join(wrong)

    def _axe(self) -> int:
        """Return the world in which axe-core is, in this loading of the page."""
        frame = self._protocol.send("Page.getFrameTree")["frameTree"]["frame"]
        if self._world is None or self._world[0] != frame["loaderId"]:
            world = self._protocol.send("Page.createIsolatedWorld", {"frameId": frame["id"], "worldName": "axe"})["executionContextId"]
            self._in(world, axe_source() + "\n;0")
            self._world = frame["loaderId"], world
        return self._world[1]

    def _in(self, world: int, expression: str) -> Any:
        asked = {"expression": expression, "contextId": world, "returnByValue": True, "awaitPromise": True, "allowUnsafeEvalBlockedByCSP": True}
        answer = self._protocol.send("Runtime.evaluate", asked)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")


class Pages:
    """Opens pages, each in a profile of its own, and looks at the end whether they behaved."""

    def __init__(self, browser: Browser, pictures: Path) -> None:
        self._browser, self._pictures = browser, pictures
        self._opened: list[tuple[BrowserContext, BrowserPage]] = []

    def new(self, screen: Screen = DESKTOP, **options: Any) -> BrowserPage:
        """Return an empty page on a screen."""
        context = self._browser.new_context(
            viewport={"width": screen.width, "height": screen.height},
            color_scheme=screen.theme,
            locale=screen.language,
            java_script_enabled=screen.javascript,
            has_touch=screen.touch,
            is_mobile=screen.touch,
            timezone_id="UTC",
            **options,
        )
        context.set_default_timeout(SECONDS * 1000)
        watch = Watch()
        context.expose_binding("__pepayReport", lambda _, text: watch.reported(text))
        context.add_init_script(_REPORTING)
        context.on("request", watch.request)
        context.on("console", watch.console)
        context.on("weberror", lambda error: watch.note(f"error: {error.error}"))
        page = BrowserPage(context.new_page(), screen, watch, self._pictures)
        self._opened.append((context, page))
        return page

    def open(self, url: str, screen: Screen = DESKTOP, **options: Any) -> BrowserPage:
        """Open an address on a screen."""
        return self.new(screen, **options).open(url)

    def close(self) -> None:
        """Close them, and fail with what went wrong on any."""
        opened, self._opened = self._opened, []
        problems = []
        for context, page in opened:
            if not page.page.is_closed() and page.page.url.startswith("http"):
                # A test may end while a page is being loaded, which has nothing on it then.
                page.page.wait_for_load_state()
                problems += [f"scrolls sideways: {each}" for each in page.scrolls()]
            context.close()
            try:
                page.watch.check()
            except AssertionError as exc:
                problems.append(str(exc))
        assert not problems, "\n".join(problems)


def axe_source() -> str:
    """Return axe-core, of the version that the lock file names."""
    return (npm.modules(BROWSER_TESTS) / "axe-core" / "axe.min.js").read_text()


def pictures() -> Path:
    """Return the folder in which screenshots are kept: ``$PEPAY_TEST_PICTURES``, or one beside the system's other temporary files."""
    named = os.environ.get("PEPAY_TEST_PICTURES")
    folder = Path(named) if named else Path(tempfile.gettempdir()) / "pepay-pictures"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
