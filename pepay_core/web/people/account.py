"""The page of one's own account, and what its forms have in common: they do what they ask for, or show the page again with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from pepay_core.domain.errors import Refused, Unavailable
from pepay_core.services.people.sessions import SignedIn
from pepay_core.web.asgi.facts import facts
from pepay_core.web.forms import form
from pepay_core.web.people.answers import HOME, lead, present, show
from pepay_core.web.sessions import keep_session, runtime_of
from pepay_core.web.timing import within_deadline

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from litestar import Request, Response

    from pepay_core.services.people.sessions import Opened

T = TypeVar("T")

# The first sign that is found decides: most browsers call themselves by the names of others too.
_PROGRAMS: Final = (("Firefox/", "Firefox"), ("Edg", "Edge"), ("OPR/", "Opera"), ("Chrome/", "Chrome"), ("CriOS/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


async def account_page(request: Request[Any, Any, Any], *, refusal: Refused | Unavailable | None = None, done: str | None = None) -> Response[str]:
    """Show how one signs in, and where one is signed in."""
    people, signed_in = runtime_of(request).people, present(request)
    return show(
        request,
        "security.html",
        refusal=refusal,
        done=done,
        passkeys=True,
        email=people.accounts.email_of(signed_in.user),
        factors=await people.second_factors.state(signed_in),
        here_is=browser_name(request.headers.get("user-agent", "")),
        sessions=[{**each, "browser": browser_name(each["agent"] or "")} for each in await people.sessions.list(signed_in)],
    )


async def attempted(
    request: Request[Any, Any, Any], act: Callable[[Mapping[str, str]], Awaitable[T]], then: Callable[[T], Response[str]]
) -> Response[str]:
    """Do what the page's form asks for, and answer with what follows; what is refused is told on the page."""
    sent = await form(request)
    try:
        async with within_deadline():
            made = await act(sent)
    except (Refused, Unavailable) as exc:
        return await account_page(request, refusal=exc)
    return then(made)


def done(request: Request[Any, Any, Any], what: str) -> Response[str]:
    """Lead back to the page, which says what was done."""
    return lead(request, f"{HOME}?done={what}")


def renewed(request: Request[Any, Any, Any], opened: Opened, what: str) -> Response[str]:
    """Give the browser the session that follows the one it had, and lead back."""
    keep_session(request, opened)
    return done(request, what)


def with_codes(request: Request[Any, Any, Any], opened: Opened, codes: list[str]) -> Response[str]:
    """Give the browser the session that follows the one it had, and show its recovery codes, the only time that they are shown."""
    keep_session(request, opened)
    facts(request.scope).signed_in = SignedIn(opened.session, opened.user)
    return show(request, "recovery.html", codes=codes)


def browser_name(agent: str) -> str:
    """Return what a browser calls itself in the words of its users; the first part of anything else."""
    program = next((name for sign, name in _PROGRAMS if sign in agent), None)
    system = next((name for sign, name in _SYSTEMS if sign in agent), None)
    if program is None:
        return agent.partition(" ")[0][:40] or "Unknown browser"
    return f"{program} on {system}" if system else program
