"""What ``pepay chain status`` says of a statement that nobody renews."""

import pytest

from pepay_core.cli.chains import _stale

NOW = 1_793_534_400


@pytest.mark.parametrize("checked_at", [None, NOW, NOW - 60, NOW + 5])
def test_what_was_written_down_lately_needs_no_remark(checked_at):
    assert _stale(checked_at, NOW) is None


def test_what_is_old_is_said_to_be_and_why_it_may_be():
    said = _stale(NOW - 7200, NOW)
    assert "120 min ago" in said
    assert "`pepay serve`" in said
