"""Origins of pages, spelled as browsers spell them: what is compared exactly must have one spelling."""

from __future__ import annotations

import re
from typing import Final

from pepay_core.domain.errors import InvalidInput

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_SHAPE: Final = re.compile(rf"(https?)://({_LABEL}(?:\.{_LABEL})*)(?::([1-9]\d{{0,4}}))?", re.ASCII)
_MAX_HOST: Final = 253
_MAX_PORT: Final = 65_535
_DEFAULTS: Final = {"https": "443", "http": "80"}


def parse_origin(text: str, *, field: str) -> str:
    """Return an origin whose pages may hold a checkout: https, or plain http of this machine; raises InvalidInput.

    A name is given in lower case and without a dot at its end, a port only where it is not the scheme's own, and there are no wildcards:
    an origin of which a browser says it in another way would never match.
    """
    found = _SHAPE.fullmatch(text)
    if found is None or len(found[2]) > _MAX_HOST or int(found[3] or 1) > _MAX_PORT:
        raise InvalidInput(
            "must be an origin such as https://shop.example.com: scheme, name in lower case, and port if it is a special one", field=field
        )
    scheme, host, port = found.groups()
    if port == _DEFAULTS[scheme]:
        raise InvalidInput(f"must be {scheme}://{host}, as browsers write it: without the usual port", field=field)
    if scheme == "http" and not _is_local(host):
        raise InvalidInput("must be https; plain http is for localhost and 127.0.0.1, to try things out", field=field)
    return text


def is_secure(origin: str) -> bool:
    """Tell whether an origin is one that real money may be asked for on; plain http on this machine is for tests alone."""
    return origin.startswith("https://")


def _is_local(host: str) -> bool:
    return host in {"localhost", "127.0.0.1"} or host.endswith(".localhost")
