"""What doctor says of proxies, certificates and files."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pepay_core.contracts.check import Verdict
from pepay_core.services.checking_exposure import ExposureCheck
from pepay_core.settings import load_settings

DAY = timedelta(days=1)


def write(folder, *names, days=90, begins=-1, other_key=False):
    """Write a certificate for some names and its key, or another one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ignored")])
    now = datetime.now(UTC)
    listed = [x509.IPAddress(ipaddress.ip_address(each)) if each[0].isdigit() else x509.DNSName(each) for each in names]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + min(begins, days - 1) * DAY)
        .not_valid_after(now + days * DAY + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(listed), critical=False)
        .sign(key, SHA256())
    )
    shown = ec.generate_private_key(ec.SECP256R1()) if other_key else key
    (folder / "chain.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(shown.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "key.pem").chmod(0o600)


@pytest.fixture
def found(tmp_path):
    """Return what is found with a configuration, as (verdict, subject, message)."""

    async def look(base_url="https://pay.example.com", server="", rest=""):
        file = tmp_path / "pepay.toml"
        file.write_text(f'[server]\nbase_url = "{base_url}"\n{server}\n{rest}')
        file.chmod(0o600)
        return [(each.verdict, each.subject, each.message) for each in await ExposureCheck(load_settings(file, {})).run()]

    return look


TLS = 'tls_certificate = "chain.pem"\ntls_key = "key.pem"'


async def test_a_proxy_that_is_named_is_in_order(found):
    assert await found(server='trusted_proxies = ["127.0.0.1"]') == []


async def test_a_proxy_that_nobody_named_is_told(found):
    ((verdict, subject, message),) = await found()
    assert (verdict, subject) == (Verdict.WARNING, "server.trusted_proxies")
    assert "all count as one address" in message


async def test_a_proxy_with_a_plain_base_url_is_a_problem(found):
    ((verdict, subject, _),) = await found("http://pay.example.com", 'trusted_proxies = ["127.0.0.1"]')
    assert (verdict, subject) == (Verdict.PROBLEM, "server.base_url")


@pytest.mark.parametrize("names", [["pay.example.com"], ["*.example.com"], ["other.example", "PAY.example.com"]])
async def test_a_certificate_for_the_name_is_in_order(found, tmp_path, names):
    write(tmp_path, *names)
    assert await found(server=TLS) == []


async def test_an_address_can_be_certified_too(found, tmp_path):
    write(tmp_path, "192.0.2.1")
    assert await found("https://192.0.2.1", TLS) == []


@pytest.mark.parametrize(
    ("made", "verdict", "said"),
    [
        ({"names": ["other.example"]}, Verdict.PROBLEM, "is not for pay.example.com"),
        ({"names": ["*.pay.example.com"]}, Verdict.PROBLEM, "is not for pay.example.com"),
        ({"names": ["*.com"]}, Verdict.PROBLEM, "is not for pay.example.com"),
        ({"days": 13}, Verdict.WARNING, "expires in 13 days"),
        ({"days": -1}, Verdict.PROBLEM, "expired at"),
        ({"begins": 2}, Verdict.PROBLEM, "not valid yet"),
        ({"other_key": True}, Verdict.PROBLEM, "the key is not the certificate's"),
    ],
)
async def test_what_is_wrong_with_a_certificate_is_told(found, tmp_path, made, verdict, said):
    write(tmp_path, *made.pop("names", ["pay.example.com"]), **made)
    ((given, subject, message),) = await found(server=TLS)
    assert (given, subject) == (verdict, "server.tls_certificate")
    assert said in message


async def test_files_that_are_no_certificate_are_told(found, tmp_path):
    for name in ("chain.pem", "key.pem"):
        (tmp_path / name).write_text("nothing")
        (tmp_path / name).chmod(0o600)
    ((verdict, _, message),) = await found(server=TLS)
    assert verdict is Verdict.PROBLEM
    assert "cannot be read" in message


async def test_a_certificate_without_an_https_base_url_is_a_problem(found, tmp_path):
    write(tmp_path, "localhost")
    ((verdict, _, message),) = await found("http://localhost", TLS)
    assert verdict is Verdict.PROBLEM
    assert "base_url is not https" in message


@pytest.mark.parametrize("name", ["pepay.toml", "pepay.key", "pepay.db", "key.pem"])
async def test_files_that_everybody_can_read_are_told(found, tmp_path, name):
    write(tmp_path, "pay.example.com")
    for each in ("pepay.key", "pepay.db"):
        (tmp_path / each).write_text("")
        (tmp_path / each).chmod(0o600)
    assert await found(server=TLS) == []
    (tmp_path / name).chmod(0o644)
    settings = load_settings(tmp_path / "pepay.toml", {})
    (finding,) = await ExposureCheck(settings).run()
    assert (finding.verdict, finding.remedy) == (Verdict.PROBLEM, f"chmod 600 {tmp_path / name}")


async def test_private_webhooks_on_a_public_server_are_a_problem(found):
    given = await found(server='trusted_proxies = ["127.0.0.1"]', rest="[webhooks]\nallow_private = true")
    assert [(verdict, subject) for verdict, subject, _ in given] == [(Verdict.PROBLEM, "webhooks.allow_private")]
