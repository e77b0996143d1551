"""HTTPS by certificate files."""

from __future__ import annotations

import contextlib
import os
import re
import ssl
import subprocess
import sys
import threading
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from pepay_core.domain.errors import ConfigError
from pepay_core.web.tls import Certificate

PEPAY = [sys.executable, "-m", "pepay_core.cli.main"]
SECONDS = 60


def write(folder, name="localhost", password=None):
    """Write a certificate of its own for a name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    (folder / "chain.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    return folder / "chain.pem", folder / "key.pem"


def environ(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PEPAY_")}
    return {**kept, "PEPAY_SERVER__PORT": "0", "PEPAY_PLUGINS__ENABLED": '["webhook-hmac"]', **more}


@pytest.fixture
def folder(tmp_path):
    subprocess.run([*PEPAY, "init", "--yes"], cwd=tmp_path, env=environ(), capture_output=True, check=True, timeout=SECONDS)
    return tmp_path


def test_pages_and_links_are_served_by_https(folder):
    write(folder)
    files = {"PEPAY_SERVER__TLS_CERTIFICATE": "chain.pem", "PEPAY_SERVER__TLS_KEY": "key.pem"}
    process = subprocess.Popen([*PEPAY, "serve"], cwd=folder, env=environ(**files), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    alarm = threading.Timer(SECONDS, process.kill)
    alarm.start()
    try:
        line = process.stdout.readline()
        found = re.fullmatch(r"PePay is ready at https://127\.0\.0\.1:(\d+)\n", line)
        assert found, line + process.communicate()[1]
        trusting = ssl.create_default_context(cafile=folder / "chain.pem")
        url = f"https://localhost:{found[1]}"
        with urllib.request.urlopen(f"{url}/schema/openapi.json", context=trusting, timeout=10) as answer:
            assert answer.headers["strict-transport-security"] == "max-age=31536000"
            assert url.encode() in answer.read()
        with pytest.raises(OSError, match=r"closed|reset|refused"):
            urllib.request.urlopen(f"http://localhost:{found[1]}/health/live", timeout=10)
    finally:
        alarm.cancel()
        process.terminate()
        process.communicate(timeout=30)


def test_renewed_files_are_served_to_whoever_connects_next(tmp_path):
    certificate = Certificate(*write(tmp_path, "one.example"))
    first = served(certificate)
    certificate.renew()
    assert served(certificate) == first

    write(tmp_path, "two.example")
    certificate.renew()
    assert served(certificate) != first


def test_renewed_files_that_do_not_fit_change_nothing(tmp_path, caplog):
    certificate = Certificate(*write(tmp_path, "one.example"))
    first = served(certificate)
    (tmp_path / "key.pem").write_text("half a file")
    certificate.renew()
    assert served(certificate) == first
    assert "was not renewed" in caplog.text


def served(certificate):
    """Return the certificate that a client is shown in a handshake."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = (ssl.MemoryBIO(), ssl.MemoryBIO()), (ssl.MemoryBIO(), ssl.MemoryBIO())
    ours = client.wrap_bio(incoming[0], outgoing[0])
    theirs = certificate.context.wrap_bio(incoming[1], outgoing[1], server_side=True)
    for side in (ours, theirs, ours, theirs, ours):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
        incoming[1].write(outgoing[0].read())
        incoming[0].write(outgoing[1].read())
    return ours.getpeercert(binary_form=True)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "chain.pem").unlink(), "tls_certificate"),
        (lambda folder: (folder / "key.pem").write_text("no key"), "not a certificate chain and its key"),
        (lambda folder: write(folder, password=b"secret"), "without a password"),
    ],
)
def test_files_that_cannot_be_used_are_named_with_what_to_do(tmp_path, damage, message):
    files = write(tmp_path)
    damage(tmp_path)
    with pytest.raises(ConfigError) as caught:
        Certificate(*files)
    assert message in f"{caught.value.message} {caught.value.hint}"


def test_half_of_a_pair_is_refused(folder):
    answer = subprocess.run(
        [*PEPAY, "serve"], cwd=folder, env=environ(PEPAY_SERVER__TLS_KEY="key.pem"), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert answer.returncode == 78
    assert "both tls_certificate and tls_key" in answer.stderr
