"""The watch that every page is under sees what it must see; a page that is well passes."""

from __future__ import annotations

import pytest
from browsing import DESKTOP, PHONE, SCREENS, SMALL, Pages


@pytest.fixture
def bad(browser, tmp_path):
    """Pages that a test looks at the problems of."""
    opened = Pages(browser, tmp_path)
    yield opened
    for context, _ in opened._opened:
        context.close()


def opened(bad, url, html, headers=(), screen=DESKTOP):
    """Return a page that holds a piece of HTML."""
    page = bad.new(screen)
    head = "<title>x</title><meta name=viewport content='width=device-width, initial-scale=1'>"
    body = f"<!doctype html><html lang=en>{head}<main><h1>x</h1>{html}</main>"
    page.page.context.route(f"{url}/**", lambda route: route.fulfill(body=body, content_type="text/html", headers=dict(headers)))
    return page.open(f"{url}/page")


def problems(bad):
    try:
        bad.close()
    except AssertionError as exc:
        return str(exc)
    return None


HERE = "http://pepay.test"


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.name)
def test_a_page_that_is_well_passes(bad, screen):
    page = opened(bad, HERE, "<p>hello", screen=screen)
    page.shows("hello")
    page.axe()
    assert page.keep("well").is_file()
    assert problems(bad) is None


@pytest.mark.parametrize(
    ("html", "headers", "told"),
    [
        ("<script>document.title = 1</script>", {"content-security-policy": "script-src 'self'"}, "violation: script-src-elem"),
        ("<p style='color: red'>", {"content-security-policy": "style-src 'self'"}, "violation: style-src-attr"),
        (
            "<script>try { document.body.innerHTML = 'x' } catch {}</script>",
            {"content-security-policy": "require-trusted-types-for 'script'"},
            "violation: require-trusted-types-for",
        ),
        ("<script>console.error('broken')</script>", {}, "console: broken"),
        ("<script>throw new Error('broken')</script>", {}, "error: broken"),
        ("<img alt='' src='http://elsewhere.test/x.png'>", {}, "third party: http://elsewhere.test/x.png"),
        ("<p style='width: 2000px'>wide", {}, "scrolls sideways"),
    ],
)
def test_what_a_page_must_not_do_is_told_at_the_end(bad, html, headers, told):
    page = opened(bad, HERE, html, headers.items())
    page.page.wait_for_load_state("networkidle")

    assert told in (problems(bad) or "")


def test_a_picture_of_a_page_that_is_too_wide_is_refused(bad):
    page = opened(bad, HERE, "<p style='width: 400px'>wide", screen=SMALL)

    with pytest.raises(AssertionError, match="wide"):
        page.keep("wide")
    assert opened(bad, HERE, "<p style='width: 300px'>narrow", screen=PHONE).keep("narrow").is_file()


def test_what_not_everybody_can_use_is_told_even_under_a_strict_policy(bad):
    policy = {"content-security-policy": "default-src 'none'; require-trusted-types-for 'script'"}
    page = opened(bad, HERE, "<input name=x>", policy.items())

    with pytest.raises(AssertionError, match="label"):
        page.axe()
    assert problems(bad) is None


def test_what_moves_by_itself_is_measured(bad):
    script = "<script>requestAnimationFrame(() => setTimeout(() => document.querySelector('h1').before(document.createElement('hr')), 100))</script>"
    page = opened(bad, HERE, "<style>hr { height: 300px }</style>" + script)
    page.has("hr")
    page.page.wait_for_function("true")
    page.page.screenshot()

    assert page.watch.shift > 0.01
