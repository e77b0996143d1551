"""The conformance kit: inherit a suite, provide its fixtures, and know whether a plugin keeps the contract.

::

    from pepay_core.testing import PluginSuite


    class TestAcme(PluginSuite):
        @pytest.fixture
        def plugin(self):
            import pepay_acme

            return pepay_acme
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pepay_core.testing.chain import ChainSuite
    from pepay_core.testing.notifier import NotifierSuite
    from pepay_core.testing.plugin import PluginSuite
    from pepay_core.testing.rates import RateProviderSuite

# Looked up late, so that a suite costs only those who use it.
_HOMES: Final = {
    "ChainSuite": "pepay_core.testing.chain",
    "NotifierSuite": "pepay_core.testing.notifier",
    "PluginSuite": "pepay_core.testing.plugin",
    "RateProviderSuite": "pepay_core.testing.rates",
}

__all__ = ["ChainSuite", "NotifierSuite", "PluginSuite", "RateProviderSuite"]


def __getattr__(name: str) -> Any:
    """Return a suite from the module in which it lives."""
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(home), name)
