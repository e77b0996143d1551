"""The hooks: every way in which a plugin adds to PePay.

Capability hooks are plain functions that do no I/O; the drivers they return are async. Two hooks are coroutines, and core awaits
them with a deadline. Each spec says what happens when a plugin fails in it: lose the plugin (QUARANTINE), lose the answer (SKIP),
or refuse the operation because money is at stake (ABORT).
"""

# A spec has no body: it is never called, only described.
# pyright: reportReturnType=false

from __future__ import annotations

import enum
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractAsyncContextManager

    import click

    from pepay_core.contracts.chain import Chain
    from pepay_core.contracts.check import Check
    from pepay_core.contracts.context import PluginContext
    from pepay_core.contracts.converter import Converter
    from pepay_core.contracts.notifier import Notifier
    from pepay_core.contracts.pages import CheckoutPart, Page
    from pepay_core.contracts.rates import RateProvider
    from pepay_core.domain.assets import Token
    from pepay_core.domain.events import Event
    from pepay_core.domain.invoices import InvoiceDraft

PROJECT: Final = "pepay"
hookimpl = pluggy.HookimplMarker(PROJECT)
_hookspec = pluggy.HookspecMarker(PROJECT)
_F = TypeVar("_F", bound="Callable[..., Any]")


class OnError(enum.Enum):
    """What a failure in a hook costs."""

    QUARANTINE = "quarantine"
    SKIP = "skip"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class SpecInfo:
    """What the host and the documentation know of a hook."""

    name: str
    since: str
    on_error: OnError
    is_async: bool


def _spec(*, since: str, on_error: OnError) -> Callable[[_F], _F]:
    def mark(function: _F) -> _F:
        function.pepay_info = SpecInfo(function.__name__, since, on_error, inspect.iscoroutinefunction(function))  # type: ignore[attr-defined]
        return _hookspec(function)

    return mark


class Hooks:
    """The specs. ``ctx`` is always the plugin's own context; an implementation may take fewer arguments than its spec."""

    # --- what can be paid, and at what price ---------------------------------------

    @_spec(since="1.0", on_error=OnError.QUARANTINE)
    def pepay_chains(self, ctx: PluginContext) -> Iterable[Chain]:
        """Contribute chains.

        When: once, at start, before the database is opened.
        Must: return drivers whose ids no other plugin claims; connect in ``Chain.open``, not here.
        Fails: the plugin is quarantined.
        See: ``pepay_core.testing.ChainSuite``.
        """

    @_spec(since="1.0", on_error=OnError.QUARANTINE)
    def pepay_tokens(self, ctx: PluginContext, chains: Mapping[str, Chain]) -> Iterable[Token]:
        """Contribute the assets that can be paid with.

        When: once, at start, after every plugin has contributed its chains; ``chains`` holds them by id.
        Must: give decimals as the chain has them; the same asset with other decimals is refused.
        Fails: the plugin is quarantined.
        See: ``pepay_core.testing.ChainSuite``.
        """

    @_spec(since="1.0", on_error=OnError.QUARANTINE)
    def pepay_rate_providers(self, ctx: PluginContext) -> Iterable[RateProvider]:
        """Contribute sources of exchange rates.

        When: once, at start.
        Must: omit what the source does not know; never answer with a guess or a remembered price.
        Fails: the plugin is quarantined.
        See: ``pepay_core.testing.RateProviderSuite``.
        """

    # --- what happens with money and news afterwards --------------------------------

    @_spec(since="1.0", on_error=OnError.QUARANTINE)
    def pepay_converters(self, ctx: PluginContext) -> Iterable[Converter]:
        """Contribute ways to turn one asset into another.

        When: once, at start.
        Must: plan only; core's mover executes, at most once.
        Fails: the plugin is quarantined.
        See: ``pepay_core.testing.PluginSuite``.
        """

    @_spec(since="1.0", on_error=OnError.QUARANTINE)
    def pepay_notifiers(self, ctx: PluginContext) -> Iterable[Notifier]:
        """Contribute ways to deliver events.

        When: once, at start.
        Must: claim a scheme that no other plugin claims; send the stored bytes unchanged.
        Fails: the plugin is quarantined.
        See: ``pepay_core.testing.NotifierSuite``.
        """

    # --- the application ------------------------------------------------------------

    @_spec(since="1.0", on_error=OnError.QUARANTINE)
    def pepay_routes(self, ctx: PluginContext) -> Iterable[object]:
        """Contribute Litestar handlers and routers, mounted below ``/x/<plugin>``.

        When: once, when the web application is built; each is first mounted on a throw-away application.
        Must: annotate every parameter, and do its own authentication.
        Fails: the plugin is quarantined.
        See: ``pepay_core.testing.PluginSuite``.
        """

    @_spec(since="1.0", on_error=OnError.QUARANTINE)
    def pepay_pages(self, ctx: PluginContext) -> Iterable[Page]:
        """Contribute dashboard pages and panels.

        When: once, when the web application is built.
        Must: name a template that the plugin ships.
        Fails: the plugin is quarantined.
        See: ``pepay_core.testing.PluginSuite``.
        """

    @_spec(since="1.0", on_error=OnError.SKIP)
    def pepay_checkout(self, invoice: Mapping[str, object], token: str, ctx: PluginContext) -> Iterable[CheckoutPart]:
        """Contribute parts of the page on which a buyer pays.

        When: each time the page is shown; ``invoice`` is the object that its buyer may see, and ``token`` what opens it.
        Must: do no I/O, look at ``livemode``, and escape what it puts into ``html``.
        Fails: the plugin's parts are left out, and the page is shown without them.
        See: ``pepay_core.testing.PluginSuite``.
        """

    @_spec(since="1.0", on_error=OnError.SKIP)
    def pepay_commands(self) -> Iterable[click.Command]:
        """Contribute commands below ``pepay <plugin>``.

        When: only when ``pepay <plugin>`` is called, so that ``pepay --help`` imports no plugin.
        Must: import what is heavy inside the command; settings, clock, HTTP and what was issued come from click's context object, a ``Console``.
        Fails: the commands are left out, with a warning.
        See: ``pepay_core.testing.PluginSuite``.
        """

    @_spec(since="1.0", on_error=OnError.SKIP)
    def pepay_checks(self, ctx: PluginContext) -> Iterable[Check]:
        """Contribute questions for ``pepay doctor``.

        When: each time doctor runs.
        Must: name a remedy with every finding that is not well.
        Fails: doctor reports it and goes on.
        See: ``pepay_core.testing.PluginSuite``.
        """

    @_spec(since="1.0", on_error=OnError.QUARANTINE)
    def pepay_lifespan(self, ctx: PluginContext) -> AbstractAsyncContextManager[None]:
        """Run something for as long as the server runs.

        When: entered in the order of the plugins after the database is migrated, left in reverse.
        Must: raise NotReady to be entered again later; own every task that it starts.
        Fails: the plugin is quarantined.
        See: ``pepay_core.testing.PluginSuite``.
        """

    # --- while it runs --------------------------------------------------------------

    @_spec(since="1.0", on_error=OnError.SKIP)
    async def pepay_event(self, event: Event, ctx: PluginContext) -> None:
        """Observe an event in this process: best effort, no more than a hint. Webhooks are the reliable way.

        When: after the transaction that wrote the event.
        Must: return within ten seconds.
        Fails: logged; nobody else is affected.
        See: ``pepay_core.testing.PluginSuite``.
        """

    @_spec(since="1.0", on_error=OnError.ABORT)
    async def pepay_review_invoice(self, draft: InvoiceDraft, ctx: PluginContext) -> InvoiceDraft | None:
        """Look at an invoice before it exists: return a changed draft, None to leave it, or raise Refused.

        When: for every invoice, in the order of the plugins, each seeing what the one before returned.
        Must: not change the merchant, the environment or the currency.
        Fails: the invoice is refused.
        See: ``pepay_core.testing.PluginSuite``.
        """


def specs() -> dict[str, SpecInfo]:
    """Return every hook by name."""
    return {name: function.pepay_info for name, function in vars(Hooks).items() if hasattr(function, "pepay_info")}
