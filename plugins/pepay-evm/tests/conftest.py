from __future__ import annotations

from pepay_core.testing.anvil import anvil

__all__ = ["anvil"]
