"""What plugins put above the page on which a buyer pays."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Final

from pepay_core.contracts.pages import CheckoutPart

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pepay_core.runtime import Runtime

log = logging.getLogger(__name__)

_ADDRESS: Final = r"/x/{}/[\w./?=&%-]+"


def parts_of(runtime: Runtime, invoice: Mapping[str, Any], token: str) -> list[CheckoutPart]:
    """Return the plugins' parts; one with an address that is not its plugin's own is left out, as is whatever a failing plugin would have given."""
    given = runtime.assembly.host.collect("pepay_checkout", CheckoutPart, invoice=invoice, token=token)
    found: list[CheckoutPart] = []
    for each in given:
        own = re.compile(_ADDRESS.format(re.escape(each.plugin)), re.ASCII)
        if all(own.fullmatch(address) for address in (*each.value.styles, *each.value.scripts)):
            found.append(each.value)
        else:
            log.warning("plugin %s: a part of the checkout has an address that is not below /x/%s/", each.plugin, each.plugin)
    return found
