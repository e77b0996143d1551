"""A passkey in software: makes key pairs and signs as a device does, and lies where a test says so."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import struct
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    if number < 256:
        return bytes([major << 5 | 24, number])
    return bytes([major << 5 | 25]) + struct.pack(">H", number)


def cbor(value: Any) -> bytes:
    """Write the little of CBOR that an authenticator says."""
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    return _head(5, len(value)) + b"".join(cbor(key) + cbor(each) for key, each in value.items())


@dataclass
class Authenticator:
    """A device with one passkey; ``signatures`` is its counter."""

    origin: str = "https://pay.example.com"
    signatures: int = 0
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def create(self, options: dict[str, Any], **lies: Any) -> dict[str, Any]:
        """Answer ``navigator.credentials.create``."""
        numbers = self.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + struct.pack(">H", len(self.credential)) + self.credential + cbor(public)
        data = self._data(options["rp"]["id"], ATTESTED, lies) + attested
        response = {"attestationObject": encode(cbor({"fmt": "none", "attStmt": {}, "authData": data}))}
        return self._answer("webauthn.create", options["challenge"], response, lies)

    def get(self, options: dict[str, Any], **lies: Any) -> dict[str, Any]:
        """Answer ``navigator.credentials.get``."""
        self.signatures += lies.get("step", 1)
        data = self._data(options["rpId"], 0, lies)
        answer = self._answer("webauthn.get", options["challenge"], {"authenticatorData": encode(data)}, lies)
        client = base64.urlsafe_b64decode(answer["response"]["clientDataJSON"] + "==")
        answer["response"]["signature"] = encode(lies.get("key", self.key).sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256())))
        return answer

    def _data(self, rp_id: str, flags: int, lies: dict[str, Any]) -> bytes:
        flags |= lies.get("flags", PRESENT | VERIFIED)
        return hashlib.sha256(lies.get("rp_id", rp_id).encode()).digest() + bytes([flags]) + struct.pack(">I", self.signatures)

    def _answer(self, kind: str, challenge: str, response: dict[str, Any], lies: dict[str, Any]) -> dict[str, Any]:
        client = {
            "type": lies.get("type", kind),
            "challenge": lies.get("challenge", challenge),
            "origin": lies.get("origin", self.origin),
            "crossOrigin": lies.get("cross_origin", False),
        }
        response = {"clientDataJSON": encode(json.dumps(client).encode()), **response}
        return {"id": encode(self.credential), "rawId": encode(self.credential), "type": "public-key", "response": response}
