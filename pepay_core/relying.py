"""Passkeys as WebAuthn has them: what a browser is asked, and whether its answer holds.

A passkey belongs to the exact address that ``[server] base_url`` names. It signs a challenge that is used once, and only after its
user was verified on the device; one whose counter goes back has been copied, and is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pepay_core.domain.errors import Conflict, InvalidInput, SignInFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATIENCE_MS: Final = 300_000
"""How long a browser lets somebody look for their passkey."""


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """What a device has made: the public half, and how often it says it has signed."""

    credential: bytes
    public_key: bytes
    signatures: int


class RelyingParty:
    """This server, as passkeys know it."""

    def __init__(self, base_url: str, name: str = "PePay") -> None:
        parts = urlsplit(base_url)
        self.id = (parts.hostname or "").lower()
        self.origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}".removesuffix(":443" if parts.scheme == "https" else ":80")
        self.name = name

    @property
    def is_able(self) -> bool:
        """Whether browsers make passkeys for this server: it needs a name, and https unless it is this machine."""
        try:
            ip_address(self.id)
        except ValueError:
            return self.origin.startswith("https://") or self.id == "localhost" or self.id.endswith(".localhost")
        return False

    def insist_on_able(self) -> None:
        """Raise Conflict where browsers make no passkeys for this server."""
        if not self.is_able:
            raise Conflict("passkeys need https and a host name in [server] base_url")

    def creation(self, user: str, email: str, name: str, challenge: bytes, known: Sequence[bytes]) -> dict[str, Any]:
        """Return what ``navigator.credentials.create`` is asked, in its JSON form; devices with a known passkey make no second one."""
        import webauthn
        from webauthn.helpers import structs

        options = webauthn.generate_registration_options(
            rp_id=self.id,
            rp_name=self.name,
            user_id=user.encode(),
            user_name=email,
            user_display_name=name,
            challenge=challenge,
            timeout=PATIENCE_MS,
            # One that the device itself keeps signs in without an address; one that it does not keep is a second factor still.
            authenticator_selection=structs.AuthenticatorSelectionCriteria(
                resident_key=structs.ResidentKeyRequirement.PREFERRED, user_verification=structs.UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=each) for each in known],
        )
        return json.loads(webauthn.options_to_json(options))

    def request(self, challenge: bytes, known: Sequence[bytes]) -> dict[str, Any]:
        """Return what ``navigator.credentials.get`` is asked, in its JSON form; where no passkey is known, the user chooses one."""
        import webauthn
        from webauthn.helpers import structs

        options = webauthn.generate_authentication_options(
            rp_id=self.id,
            challenge=challenge,
            timeout=PATIENCE_MS,
            allow_credentials=[structs.PublicKeyCredentialDescriptor(id=each) for each in known],
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        )
        return json.loads(webauthn.options_to_json(options))

    def created(self, answer: Mapping[str, Any], challenge: bytes) -> NewPasskey:
        """Return the passkey that a browser has made; raises InvalidInput where the answer does not hold."""
        import webauthn

        try:
            _insist_on_this_page(answer)
            found = webauthn.verify_registration_response(
                credential=dict(answer),
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
                require_user_verification=True,
            )
        except Exception as exc:  # the library raises many kinds for what a stranger has sent
            raise InvalidInput("this is no answer of a passkey to what it was asked", field="passkey") from exc
        return NewPasskey(found.credential_id, found.credential_public_key, found.sign_count)

    @staticmethod
    def challenge_of(answer: Mapping[str, Any]) -> bytes:
        """Return what an answer says it was asked; raises SignInFailed."""
        from webauthn.helpers import base64url_to_bytes

        try:
            return base64url_to_bytes(json.loads(base64url_to_bytes(answer["response"]["clientDataJSON"]))["challenge"])
        except Exception as exc:
            raise SignInFailed from exc

    @staticmethod
    def credential_of(answer: Mapping[str, Any]) -> bytes:
        """Return which passkey an answer says it is from; raises SignInFailed."""
        from webauthn.helpers import base64url_to_bytes

        try:
            return base64url_to_bytes(answer["rawId"])
        except Exception as exc:
            raise SignInFailed from exc

    def signed(self, answer: Mapping[str, Any], challenge: bytes, public_key: bytes, signatures: int) -> int:
        """Return how often the passkey says it has signed; raises SignInFailed where the answer does not hold."""
        import webauthn

        try:
            _insist_on_this_page(answer)
            found = webauthn.verify_authentication_response(
                credential=dict(answer),
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
                credential_public_key=public_key,
                credential_current_sign_count=signatures,
                require_user_verification=True,
            )
        except Exception as exc:  # as above
            raise SignInFailed from exc
        return found.new_sign_count


def _insist_on_this_page(answer: Mapping[str, Any]) -> None:
    """Raise ValueError for an answer that was given inside of somebody else's page."""
    from webauthn.helpers import base64url_to_bytes

    if json.loads(base64url_to_bytes(answer["response"]["clientDataJSON"])).get("crossOrigin", False) is not False:
        raise ValueError("given in a frame of another page")
