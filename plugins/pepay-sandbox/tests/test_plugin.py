import pytest

import pepay_sandbox
from pepay_core.testing import PluginSuite


class TestSandbox(PluginSuite):
    also_imports = frozenset({"pepay_core.testing"})

    @pytest.fixture
    def plugin(self):
        return pepay_sandbox

    @pytest.fixture
    def settings(self):
        return {"rates": {"ethereum": "3000"}}
