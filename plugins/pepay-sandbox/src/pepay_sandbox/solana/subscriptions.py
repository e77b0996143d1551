"""Subscriptions: what happens on the chain, told to whoever asked to hear of it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from solders.account import Account
from solders.pubkey import Pubkey

from pepay_sandbox.jsonrpc import METHOD_NOT_FOUND, RpcError
from pepay_sandbox.solana import params, programs
from pepay_sandbox.solana.encoding import account_body
from pepay_sandbox.solana.ledger import Watcher
from pepay_sandbox.solana.methods_accounts import account_filter
from pepay_sandbox.solana.params import Config, invalid
from pepay_sandbox.solana.records import Block, Commitment, Landed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pepay_sandbox.solana.ledger import Ledger

    Send = Callable[[Any], None]

_KINDS: Final = ("account", "logs", "program", "root", "signature", "slot")
_NOBODY: Final = Account(0, b"", Pubkey.from_string(programs.SYSTEM), executable=False)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Somebody's wish: ``subject`` is an address or a signature, None for all."""

    number: int
    kind: str
    subject: str | None
    commitment: Commitment
    config: Config
    wanted: Callable[[Account], bool]
    send: Send


class Subscriptions(Watcher):
    """All subscriptions of one node. ``send`` of each takes a message, and must not wait."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._subscriptions: dict[int, Subscription] = {}
        self._numbers = itertools.count(1)
        ledger.watchers.append(self)

    def answer(self, method: str, given: list[Any], send: Send) -> Any:
        """Subscribe or unsubscribe, and return what the caller is to be told; raises RpcError."""
        if method.endswith("Unsubscribe") and method.removesuffix("Unsubscribe") in _KINDS:
            return self._unsubscribe(given)
        kind = method.removesuffix("Subscribe")
        if not method.endswith("Subscribe") or kind not in _KINDS:
            raise RpcError(METHOD_NOT_FOUND, "Method not found")
        return self._subscribe(kind, given, send)

    def forget(self, numbers: Iterable[int]) -> None:
        """End what a connection has subscribed to."""
        for number in numbers:
            self._subscriptions.pop(number, None)

    def settle(self, number: int) -> None:
        """Tell a new subscriber what has happened already; to be called when he knows his number."""
        subscription = self._subscriptions.get(number)
        if subscription is None or subscription.kind != "signature" or subscription.subject is None:
            return
        landed = self._ledger.find(subscription.subject)
        if landed is not None and self._ledger.commitment(landed.block) >= subscription.commitment:
            self._tell_signature(subscription, landed)

    def _subscribe(self, kind: str, given: list[Any], send: Send) -> int:
        takes_subject = kind not in {"root", "slot"}
        if takes_subject and not 1 <= len(given) <= 2:
            raise invalid("`params` should have at least 1 argument(s)")
        config = Config(given[1] if takes_subject and len(given) > 1 else None)
        subscription = Subscription(
            next(self._numbers),
            kind,
            _subject(kind, given[0]) if takes_subject else None,
            config.commitment(),
            config,
            account_filter(config) if kind == "program" else lambda _: True,
            send,
        )
        if kind in {"account", "program"}:  # what cannot be encoded is said now, not later
            account_body(self._ledger, _NOBODY, config, "binary")
        self._subscriptions[subscription.number] = subscription
        return subscription.number

    def _unsubscribe(self, given: list[Any]) -> bool:
        number = params.number(given[0]) if given else -1
        if self._subscriptions.pop(number, None) is None:
            raise invalid("Invalid subscription id.")
        return True

    # --- what happens -----------------------------------------------------------------

    def received(self, signature: str) -> None:
        """Tell who waits for a signature that it is here."""
        for each in self._of("signature"):
            if each.subject == signature and each.config.flag("enableReceivedNotification"):
                self._notify(each, "receivedSignature", self._ledger.tip.slot)

    def opened(self, block: Block) -> None:
        """Tell of a slot."""
        for each in self._of("slot"):
            root = self._ledger.at(Commitment.FINALIZED).slot
            self._send(each, {"slot": block.slot, "parent": block.parent_slot, "root": root})

    def landed(self, landed: Landed) -> None:
        """Tell who wants to know at once."""
        self._tell([landed], landed.block, Commitment.PROCESSED)

    def reached(self, block: Block, commitment: Commitment) -> None:
        """Tell who waited until a block is sure."""
        self._tell(block.landed, block, commitment)
        if commitment is Commitment.FINALIZED:
            for each in self._of("root"):
                self._send(each, block.slot)

    def undone(self, addresses: set[str]) -> None:
        """Tell who wants to know at once that accounts are as they were."""
        self._tell_accounts(addresses, self._ledger.tip, Commitment.PROCESSED)

    def _tell(self, transactions: list[Landed], block: Block, commitment: Commitment) -> None:
        for landed in transactions:
            for each in self._of("signature", commitment):
                if each.subject == landed.signature:
                    self._tell_signature(each, landed)
            for each in self._of("logs", commitment):
                if each.subject is None or each.subject in landed.keys.all:
                    value = {"signature": landed.signature, "err": landed.error, "logs": landed.outcome.logs}
                    self._notify(each, value, block.slot)
        self._tell_accounts({address for landed in transactions for address in landed.replaced}, block, commitment)

    def _tell_accounts(self, addresses: set[str], view: Block, commitment: Commitment) -> None:
        for each in self._of("account", commitment):
            if each.subject in addresses:
                account = self._ledger.account(each.subject, view) or _NOBODY
                self._notify(each, account_body(self._ledger, account, each.config, "binary"), view.slot)
        for each in self._of("program", commitment):
            for address in sorted(addresses):
                account = self._ledger.account(address, view)
                if account is not None and str(account.owner) == each.subject and each.wanted(account):
                    value = {"pubkey": address, "account": account_body(self._ledger, account, each.config, "binary")}
                    self._notify(each, value, view.slot)

    def _tell_signature(self, subscription: Subscription, landed: Landed) -> None:
        # It happens once, and so the subscription is over.
        self._subscriptions.pop(subscription.number, None)
        self._notify(subscription, {"err": landed.error}, landed.block.slot)

    def _of(self, kind: str, commitment: Commitment | None = None) -> list[Subscription]:
        return [each for each in self._subscriptions.values() if each.kind == kind and commitment in {None, each.commitment}]

    def _notify(self, subscription: Subscription, value: Any, slot: int) -> None:
        self._send(subscription, {"context": {"slot": slot}, "value": value})

    def _send(self, subscription: Subscription, result: Any) -> None:
        params = {"result": result, "subscription": subscription.number}
        subscription.send({"jsonrpc": "2.0", "method": f"{subscription.kind}Notification", "params": params})


def _subject(kind: str, given: Any) -> str | None:
    if kind == "signature":
        return params.signature(given)
    if kind != "logs":
        return params.address(given)
    if given in ("all", "allWithVotes"):
        return None
    mentions = Config(given).get("mentions")
    if not isinstance(mentions, list) or len(mentions) != 1:
        raise invalid("Invalid Request: Only 1 address supported")
    return params.address(mentions[0])
