"""Whoever pays for a transaction: an account whose key is given for one command, and kept nowhere."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Self

from pepay_core.api import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Payer:
    """An account that can sign. What it shows of itself is its address."""

    def __init__(self, account: Any) -> None:
        self._account = account
        self.address: str = account.address

    def __repr__(self) -> str:
        return f"<Payer {self.address}>"

    @classmethod
    def ask(cls, *, key_env: str | None, keystore: Path | None, prompt: Callable[[str], str]) -> Self:
        """Return the account of a key in an environment variable, in a keystore file, or typed unseen; raises ConfigError."""
        from eth_account import Account

        if keystore is not None:
            try:
                content = json.loads(keystore.read_text(encoding="utf-8"))
                return cls(Account.from_key(Account.decrypt(content, prompt("Password of the keystore"))))
            except OSError as exc:
                raise ConfigError(f"{keystore.name} cannot be read: {exc.strerror}") from None
            except Exception:  # noqa: BLE001 - whatever it says may quote the password or the key
                raise ConfigError(f"{keystore.name} cannot be opened with that password, or is no keystore") from None
        if key_env is not None:
            key = os.environ.get(key_env, "")
            if not key:
                raise ConfigError(f"the environment variable {key_env} is empty")
        else:
            key = prompt("Private key of the account that pays for gas")
        try:
            return cls(Account.from_key(key.strip()))
        except Exception:  # noqa: BLE001 - whatever it says may quote the key
            raise ConfigError("this is no private key: 64 hexadecimal digits") from None

    def sign(self, transaction: dict[str, int | str]) -> tuple[str, str]:
        """Return a signed transaction as it is sent, and its hash."""
        signed = self._account.sign_transaction(transaction)
        return "0x" + signed.raw_transaction.hex().removeprefix("0x"), "0x" + signed.hash.hex().removeprefix("0x")
