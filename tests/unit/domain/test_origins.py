import pytest

from pepay_core.domain.errors import InvalidInput
from pepay_core.domain.origins import is_secure, parse_origin


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example.com",
        "https://shop.example.com:8443",
        "https://xn--bcher-kva.example",
        "http://localhost",
        "http://localhost:3000",
        "http://127.0.0.1:9000",
        "http://shop.localhost:3000",
    ],
)
def test_an_origin_as_browsers_write_it_is_taken_as_it_is(origin):
    assert parse_origin(origin, field="x") == origin
    assert is_secure(origin) is origin.startswith("https")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "null",
        "https://*",
        "https://*.example.com",
        "https://Shop.example.com",
        "https://shop.example.com/",
        "https://shop.example.com/pay",
        "https://shop.example.com:443",
        "http://localhost:80",
        "https://shop.example.com:0",
        "https://shop.example.com:65536",
        "https://shop.example.com:08443",
        "https://shop.example.com.",
        "https://shop..example.com",
        "https://-shop.example.com",
        "https://user@shop.example.com",
        "https://shop.example.com 'self'",
        "https://shop.example.com;script-src *",
        "https://bücher.example",
        "https://" + "a" * 64 + ".example",
        "https://" + "a." * 127 + "example",
        "http://shop.example.com",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://192.168.0.7:3000",
        "https://[::1]",
        "javascript:alert(1)",
        "data:text/html,x",
        "chrome-extension://abcdef",
        "https://shop.example.com\n",
    ],
)
def test_whatever_would_never_match_or_would_match_too_much_is_refused(text):
    with pytest.raises(InvalidInput) as refused:
        parse_origin(text, field="embed_origins.0")

    assert refused.value.field == "embed_origins.0"
