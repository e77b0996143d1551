"""The notifier of ``mailto`` endpoints, which PePay's own letters go by as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_core.api import GiveUp, Notifier, Receipt, Unavailable
from pepay_email.messages import message, recipient
from pepay_email.server import Refusal, Unreachable

if TYPE_CHECKING:
    from pepay_core.api import Delivery
    from pepay_email.server import Server
    from pepay_email.settings import EmailSettings


class NotSent(Unavailable):
    """Not taken this time; ``receipt`` is what the server said."""

    def __init__(self, text: str, receipt: Receipt) -> None:
        super().__init__(text)
        self.receipt = receipt


class NeverSent(GiveUp):
    """The server knows no such recipient, or will never take this text."""

    def __init__(self, text: str, receipt: Receipt) -> None:
        super().__init__(text)
        self.receipt = receipt


class MailNotifier(Notifier):
    """Hands each delivery to the mail server, as one mail to one address."""

    scheme = "mailto"

    def __init__(self, server: Server, settings: EmailSettings) -> None:
        self._server = server
        self._sender = settings.from_address

    async def check(self, url: str) -> None:
        """Raise InvalidInput unless the URL is ``mailto:`` and one address."""
        recipient(url)

    async def deliver(self, delivery: Delivery) -> Receipt:
        """Return what the server answered when it took the mail; raises Unavailable, or GiveUp when it never will."""
        to = recipient(delivery.url)
        try:
            answer = await self._server.hand_over(message(delivery, self._sender), self._sender.addr_spec, to)
        except Unreachable as exc:
            raise NotSent(str(exc), Receipt(excerpt=str(exc))) from None
        except Refusal as exc:
            text = str(exc).replace(to, "[address]")
            receipt = Receipt(exc.code, text)
            # What is wrong with our password or sender is for the operator to put right, and then it goes.
            hopeless = exc.for_good and (exc.about == "the recipient" or (exc.about == "the text" and delivery.letter is not None))
            if hopeless:
                raise NeverSent(text, receipt) from None
            raise NotSent(text, receipt) from None
        return Receipt(250, answer)
