"""Why a webhook was probably not taken: one sentence that says where to look first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_BY_STATUS: Final = {
    400: "Your server could not read it. Take the body as bytes and parse it as JSON after the signature was checked.",
    401: "Your server did not accept the signature. Check it over the bytes as they came, before any parsing, and with the secret of this endpoint.",
    403: "Your server, or something in front of it, let it not in. Look for a rule for bots, for CSRF or for addresses.",
    404: "Your server has nothing at this address. Compare the path with the one that your application listens to.",
    405: "Your server does not take POST at this address.",
    410: "Your server said that it wants no more webhooks, so the endpoint was disabled.",
    413: "Your server takes no bodies of this size.",
    415: "Your server does not take application/json.",
    422: "Your server could not read it. Events grow: ignore members that you do not know.",
    429: "Your server was asked too often. It is tried again later by itself.",
}
_BY_WORDS: Final = (
    ("does not resolve", "The host name does not exist, or not yet. Look for a typing error, and at your DNS."),
    ("certificate", "The TLS certificate is not valid for this host: it has run out, is of another name, or lacks the certificates in between."),
    ("TLS", "No TLS connection could be made. See whether the port speaks HTTPS."),
    ("cannot connect", "Nothing listens there, or a firewall stands before it. See whether your server runs, and can be reached from this machine."),
    ("did not answer", "Your server took too long. Answer 204 at once, and do the work afterwards."),
    ("closed before", "Your server hung up in the middle. It has probably crashed while handling this event: look at its log."),
    ("broke off", "Your server hung up in the middle. It has probably crashed while handling this event: look at its log."),
    ("not public", "The address is a private one, to which nothing is sent. For development, set allow_private in [webhooks]."),
)


def likely_cause(delivery: Mapping[str, Any]) -> str | None:
    """Return what probably went wrong with a delivery, as the API shows it, or None where nothing did."""
    if delivery["state"] == "delivered":
        return None
    if not delivery["attempts"]:
        return "It has not been tried yet: that happens in a moment, unless the endpoint is disabled."
    status, error = delivery["last_status"], delivery["last_error"] or ""
    if status is not None:
        return _of_status(status)
    return next((told for words, told in _BY_WORDS if words in error), f"The last attempt ended with: {error}." if error else None)


def _of_status(status: int) -> str:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if 300 <= status < 400:
        return "Your server sent it elsewhere. Redirects are not followed, since a signature is for one address: register the final one."
    if status in {502, 503, 504}:
        return f"A proxy in front of your server answered {status}: it was reached, and your application behind it was not, or took too long."
    if status >= 500:
        return f"Your server failed with {status} while handling this event. It was reached, and the request was well formed: look at its log."
    return f"Your server answered {status}. Anything but 2xx counts as not taken."
