"""What `pepay doctor` looks at: each question by itself, so that one that fails hides no other."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pepay_core.contracts.check import Check, Finding, Verdict
from pepay_core.domain.errors import PePayError, RatesUnavailable
from pepay_core.domain.invoices import Status
from pepay_core.domain.ledger import Account, balances
from pepay_core.domain.rates import Pair
from pepay_core.services.paging import Page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pepay_core.domain.assets import AssetId
    from pepay_core.domain.ids import MerchantId
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.ports import Store
    from pepay_core.services.pricing import RateDesk, RateRules

_LOOKED_AT: Final = 100
_PATIENCE: Final = 20.0


async def examine(checks: Sequence[Check]) -> list[Finding]:
    """Run every check; one that fails or hangs becomes a finding."""
    findings: list[Finding] = []
    for check in checks:
        try:
            async with asyncio.timeout(_PATIENCE):
                findings += await check.run()
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - whatever goes wrong in a check is what doctor is asked for
            text = str(exc) or type(exc).__name__
            findings.append(
                Finding(Verdict.PROBLEM, check.name, f"the check itself failed: {text}", "see the message; report it if it is not yours to change")
            )
    return findings


class ServerCheck(Check):
    """How others reach this server."""

    name = "server"

    def __init__(self, base_url: str, *, allow_private: bool) -> None:
        self._base_url = base_url
        self._allow_private = allow_private

    async def run(self) -> list[Finding]:
        """Look at the base URL and the development switches."""
        parts = urlsplit(self._base_url)
        local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        findings: list[Finding] = []
        if parts.scheme != "https" and not local:
            findings.append(
                Finding(
                    Verdict.PROBLEM,
                    "server.base_url",
                    f"{self._base_url} is not https: buyers could be shown another address to pay to",
                    "put a proxy with TLS in front and set base_url to its https address",
                )
            )
        if local:
            findings.append(
                Finding(Verdict.WARNING, "server.base_url", "payment links lead to this machine only", "set server.base_url before going live")
            )
        if self._allow_private:
            findings.append(
                Finding(
                    Verdict.WARNING,
                    "webhooks.allow_private",
                    "webhooks may reach this machine and its network",
                    "take it out of the configuration unless this is for development",
                )
            )
        return findings or [Finding(Verdict.OK, "server", f"reached at {self._base_url}")]


class RatesCheck(Check):
    """Whether there are prices."""

    name = "rates"

    def __init__(self, rules: RateRules, catalogue: Catalogue, desk: RateDesk) -> None:
        self._rules = rules
        self._catalogue = catalogue
        self._desk = desk

    async def run(self) -> list[Finding]:
        """Ask for the price of every known asset."""
        providers = sorted(self._catalogue.rate_providers)
        wanted = self._rules.providers
        findings = [
            Finding(Verdict.PROBLEM, "rates.providers", f"the provider {name} is not running", "see `pepay plugin list`")
            for name in wanted or ()
            if name not in providers
        ]
        used = [name for name in (wanted or providers) if name in providers]
        fixed = [name for name in used if self._catalogue.rate_providers[name].fixed]
        if fixed:
            findings.append(
                Finding(Verdict.WARNING, "rates", f"{', '.join(fixed)} gives configured prices, not measured ones", "do not use it for real money")
            )
        if self._rules.quorum == 1:
            findings.append(
                Finding(Verdict.WARNING, "rates.quorum", "one provider alone decides prices", "enable a second provider and set quorum = 2")
            )
        elif len(used) < self._rules.quorum and not (fixed and len(fixed) == len(used)):
            findings.append(
                Finding(
                    Verdict.PROBLEM,
                    "rates.quorum",
                    f"{len(used)} providers are running and {self._rules.quorum} must agree: nothing can be priced",
                    "enable more rate providers",
                )
            )
        for coin in sorted({token.rate_id for token in self._catalogue.tokens.values()}):
            try:
                await self._desk.rate(Pair(coin, "USD"))
            except RatesUnavailable as exc:
                findings.append(
                    Finding(Verdict.PROBLEM, f"rates: {coin}", str(exc), "check the network and the providers; until then the asset is not offered")
                )
        return findings or [Finding(Verdict.OK, "rates", f"asked of {', '.join(used)}")]


class ChainsCheck(Check):
    """Whether there is anything to pay with."""

    name = "chains"

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def run(self) -> list[Finding]:
        """Look for networks."""
        names = [chain.name for chain in self._catalogue.chains.values()]
        if names:
            return [Finding(Verdict.OK, "chains", ", ".join(names))]
        return [
            Finding(
                Verdict.PROBLEM,
                "chains",
                "no network is configured, so nothing can be paid with",
                "name one under [plugin.evm.networks] or [plugin.solana.clusters]",
            )
        ]


class MerchantsCheck(Check):
    """Whether merchants can be paid."""

    name = "merchants"

    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self._store = store
        self._catalogue = catalogue

    async def run(self) -> list[Finding]:
        """Look for merchants without a wallet."""
        findings: list[Finding] = []
        families = {chain.id.partition(":")[0] for chain in self._catalogue.chains.values()}
        async with self._store.read() as tx:
            merchants = await tx.merchants.all()
            for merchant in merchants:
                wallets = [*await tx.wallets.active(merchant.id, livemode=True), *await tx.wallets.active(merchant.id, livemode=False)]
                missing = sorted(families - {wallet.family for wallet in wallets})
                if missing:
                    findings.append(
                        Finding(
                            Verdict.WARNING,
                            f"merchant {merchant.id}",
                            f"{merchant.name} has no wallet for {', '.join(missing)}",
                            "add one with POST /api/v1/wallets",
                        )
                    )
        if not merchants:
            findings.append(Finding(Verdict.PROBLEM, "merchants", "there is no merchant", "make one with `pepay merchant create NAME`"))
        return findings or [Finding(Verdict.OK, "merchants", f"{len(merchants)} can be paid")]


class LedgerCheck(Check):
    """Whether the books balance, and every newest paid invoice is justified by them."""

    name = "ledger"

    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(self) -> list[Finding]:
        """Recompute."""
        findings: list[Finding] = []
        async with self._store.read() as tx:
            findings += [
                Finding(Verdict.PROBLEM, "ledger", f"posting {posting} does not sum to zero", "restore a backup, and report this")
                for posting in await tx.ledger.imbalances()
            ]
            for merchant in await tx.merchants.all():
                for livemode in (True, False):
                    for status in (Status.PAID, Status.OVERPAID):
                        page = await tx.invoices.page(merchant.id, livemode=livemode, page=Page(limit=_LOOKED_AT), where={"status": str(status)})
                        for invoice in page.items:
                            if not _holds(balances(await tx.ledger.of(invoice.id))):
                                findings.append(
                                    Finding(
                                        Verdict.PROBLEM,
                                        f"invoice {invoice.id}",
                                        "it is paid, and the ledger holds nothing for it",
                                        "do not deliver; report this",
                                    )
                                )
        return findings or [Finding(Verdict.OK, "ledger", "every posting sums to zero, every paid invoice is justified")]


def _holds(held: Mapping[tuple[MerchantId, Account, AssetId], int]) -> bool:
    """Tell whether there is money of some asset, where it came in or where it went on to."""
    totals: Counter[AssetId] = Counter()
    for (_, account, asset), units in held.items():
        if account in {Account.WALLET, Account.TREASURY}:
            totals[asset] += units
    return any(units > 0 for units in totals.values())


class DatabaseCheck(Check):
    """Whether the database answers."""

    name = "database"

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._database = name

    async def run(self) -> list[Finding]:
        """Ask it something."""
        try:
            async with self._store.read() as tx:
                await tx.merchants.all()
        except PePayError as exc:
            return [Finding(Verdict.PROBLEM, "database", str(exc), "start the database, or correct [database] url")]
        return [Finding(Verdict.OK, "database", self._database)]
