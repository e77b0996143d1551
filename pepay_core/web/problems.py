"""Refusals as the outside sees them: problem documents (RFC 9457), and the one map that makes them from exceptions."""

from __future__ import annotations

import dataclasses
import logging
import re
from typing import TYPE_CHECKING, Any, Final

from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException

from pepay_core.domain import errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MEDIA_TYPE: Final = "application/problem+json"
_log: Final = logging.getLogger("pepay.web")


class InvalidJson(errors.Refused):
    """The body is not JSON, or is JSON in a form that could be read in more than one way."""

    code = "invalid_json"
    status = 400


class InvalidRequestLine(errors.Refused):
    """The path, the query or the headers cannot be read."""

    code = "bad_request"
    status = 400


class WrongHost(errors.Refused):
    """The request is for a host that this server is not."""

    code = "misdirected_request"
    status = 421


class TooLarge(errors.Refused):
    """The body is larger than this server takes."""

    code = "request_too_large"
    status = 413


class WrongMediaType(errors.Refused):
    """The body is not in the format that this takes."""

    code = "unsupported_media_type"
    status = 415


class MethodNotAllowed(errors.Refused):
    """The path exists, and does not take this method; the Allow header says which it takes."""

    code = "method_not_allowed"
    status = 405


class SecondFactorRequired(errors.Unauthenticated):
    """The password was right, and the second factor is still owed."""

    code = "second_factor_required"


class SignInAgain(errors.Forbidden):
    """This can do much, so it asks for a sign-in that is at most five minutes old."""

    code = "sign_in_again"


class ForgedRequest(errors.Forbidden):
    """The request has a session and was not made by one of our own pages: its token is missing, or it comes from another origin."""

    code = "forged_request"


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """What a refused request is told."""

    status: int
    code: str
    message: str
    field: str | None = None
    details: tuple[dict[str, str], ...] = ()
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def document(self, base_url: str, request_id: str) -> dict[str, Any]:
        """Return the body, the same shape for every refusal."""
        details = list(self.details) or ([{"field": self.field, "message": self.message}] if self.field else [])
        return {
            "type": f"{base_url}/errors/{self.code}",
            "title": title(self.code),
            "status": self.status,
            "detail": f"{self.field}: {self.message}" if self.field else self.message,
            "success": False,
            "error": {"code": self.code, "message": self.message, "details": details},
            "request_id": request_id,
        }


INTERNAL: Final = Problem(500, "internal", "something went wrong on this side; the request id finds it in the logs")


def problem_of(exc: BaseException) -> Problem:
    """Return the problem that an exception is to the caller; what nobody expected is logged, and told only by the request id."""
    if isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
        return problem_of(exc.exceptions[0])
    if isinstance(exc, errors.Refused):
        field = re.sub(r"\[(\d+)\]", r".\1", exc.field) if exc.field else None
        return Problem(exc.status, exc.code, exc.message, field, headers=_headers(exc))
    if isinstance(exc, errors.Unavailable):
        return Problem(exc.status, exc.code, exc.message, headers=_headers(exc))
    if isinstance(exc, errors.NotReady):
        return Problem(503, exc.code, "not started yet", headers={"Retry-After": "10"})
    if isinstance(exc, NotFoundException):
        return Problem(404, errors.NotFound.code, "there is nothing at this address")
    if isinstance(exc, MethodNotAllowedException):
        return Problem(405, MethodNotAllowed.code, "this address does not take this method", headers={"Allow": _allow(exc)})
    if isinstance(exc, HTTPException) and exc.status_code == TooLarge.status:
        return Problem(413, TooLarge.code, "the body is too large")
    if isinstance(exc, HTTPException) and exc.status_code < 500:
        return Problem(exc.status_code, "bad_request" if exc.status_code == 400 else "refused", "the request cannot be read")
    _log.error("request failed", exc_info=exc)
    return INTERNAL


def _headers(exc: errors.PePayError) -> dict[str, str]:
    if isinstance(exc, errors.Unauthenticated):
        return {"WWW-Authenticate": 'Bearer realm="pepay"'}
    if isinstance(exc, errors.Unavailable | errors.RateLimited | errors.RequestInProgress):
        return {"Retry-After": str(max(1, int(exc.retry_after)))}
    return {}


def _allow(exc: MethodNotAllowedException) -> str:
    methods = {each.strip() for each in (exc.headers or {}).get("allow", "").split(",")} - {""}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


def title(code: str) -> str:
    """Return the name of an error code for people."""
    return code.replace("_", " ").capitalize().replace("Api ", "API ").replace("json", "JSON").replace("Url ", "URL ")


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """One kind of error, as its public page tells it."""

    code: str
    status: int
    meaning: str


def kinds() -> dict[str, Kind]:
    """Return every kind of error that an answer can carry, by its code."""
    found = {INTERNAL.code: Kind(INTERNAL.code, 500, "Something went wrong on the server's side. The operator finds the reason by the request id.")}
    for cls in (*_tree(errors.Refused), *_tree(errors.Unavailable)):
        found.setdefault(cls.code, Kind(cls.code, cls.status, (cls.__doc__ or "").partition("\n")[0]))
    return found


def _tree(cls: type[errors.PePayError]) -> Iterator[type[Any]]:
    yield cls
    for sub in cls.__subclasses__():
        yield from _tree(sub)
