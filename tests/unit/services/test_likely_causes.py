"""What probably went wrong with a webhook."""

import pytest

from pepay_core.services.likely_causes import likely_cause


def delivery(state="pending", status=None, error=None, attempts=1):
    return {"state": state, "last_status": status, "last_error": error, "attempts": [{}] * attempts}


def test_nothing_is_wrong_with_what_was_delivered():
    assert likely_cause(delivery("delivered", 204)) is None


def test_what_was_not_tried_waits():
    assert "not been tried" in likely_cause(delivery(attempts=0))


@pytest.mark.parametrize(
    ("status", "word"),
    [(301, "Redirects"), (401, "signature"), (404, "path"), (418, "418"), (500, "log"), (502, "proxy"), (429, "later")],
)
def test_a_status_names_where_to_look(status, word):
    assert word in likely_cause(delivery(status=status))


@pytest.mark.parametrize(
    ("error", "word"),
    [
        ("shop.example: the host name does not resolve", "DNS"),
        ("shop.example: the TLS certificate is not valid for this host", "run out"),
        ("shop.example: cannot connect (Connection refused)", "firewall"),
        ("shop.example did not answer within 10 s", "204"),
        ("something new", "something new"),
    ],
)
def test_an_error_names_where_to_look(error, word):
    assert word in likely_cause(delivery(error=error))


def test_every_error_of_our_client_has_a_cause():
    from pathlib import Path

    import pepay_core.http as client

    source = Path(client.__file__).read_text(encoding="utf-8")
    said = [line.split('"')[1] for line in source.split("def _reason")[1].splitlines() if 'return "' in line]
    assert said
    assert not [each for each in said if (likely_cause(delivery(error=each)) or "").startswith("The last attempt")]
