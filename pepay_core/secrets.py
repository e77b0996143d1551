"""The master key, and what is sealed with it: stored secrets survive a stolen database, and open in their own row only."""

from __future__ import annotations

import base64
import importlib.metadata
import os
import secrets
import stat
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from stevedore.driver import DriverManager
from stevedore.exception import NoMatches

from pepay_core.contracts.secrets import SecretsDriver
from pepay_core.domain.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pepay_core.settings import Settings

__all__ = ["EnvSecrets", "FileSecrets", "SecretsDriver", "Vault", "open_vault"]

GROUP: Final = "pepay.secrets"
VARIABLE: Final = "PEPAY_MASTER_KEY"
KEY_BYTES: Final = 32

_FORMAT: Final = b"\x01"
_ID_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_WRAPPED_BYTES: Final = KEY_BYTES + 16
_HEADER_BYTES: Final = len(_FORMAT) + _ID_BYTES


def encode_key(key: bytes) -> str:
    """Return a master key as the text that the file and the environment hold."""
    return base64.urlsafe_b64encode(key).decode().rstrip("=")


def _decode_key(text: str, source: str) -> bytes:
    text = text.strip()
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(
            f"{source} does not hold a master key",
            hint="it is 32 random bytes in URL-safe base64, as `openssl rand -base64 32 | tr +/ -_` prints them",
        )
    return key


class EnvSecrets(SecretsDriver):
    """The master key from ``PEPAY_MASTER_KEY``, for platforms that hand secrets over in the environment."""

    def master_key(self) -> bytes:
        """Return the key, or raise ConfigError."""
        text = self.environ.get(VARIABLE)
        if not text:
            raise ConfigError(f"{VARIABLE} is not set", hint='set it, or keep the key in a file with `driver = "file"` in [secrets]')
        return _decode_key(text, VARIABLE)


class FileSecrets(SecretsDriver):
    """The master key from a file that only its owner may read."""

    def master_key(self) -> bytes:
        """Return the key, or raise ConfigError."""
        try:
            with self.path.open(encoding="ascii", errors="replace") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                text = file.read(1024)
        except FileNotFoundError:
            raise ConfigError(f"there is no master key file {self.path}", hint="make one with `pepay init`, or restore the one you had") from None
        except OSError as exc:
            raise ConfigError(f"the master key file {self.path} cannot be read: {exc.strerror}", hint="let the user that runs PePay own it") from None
        if os.name == "posix" and mode & 0o077:
            raise ConfigError(f"other users may read the master key file {self.path} (mode {mode:04o})", hint=f"chmod 600 {self.path}")
        return _decode_key(text, f"the file {self.path}")

    def create(self) -> bytes:
        """Make a new key and write its file; refuses to replace one, because what was sealed with it would be lost."""
        key = secrets.token_bytes(KEY_BYTES)
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise ConfigError(f"the master key file {self.path} exists", hint="keep it: the secrets in the database open with no other") from None
        except OSError as exc:
            raise ConfigError(f"the master key file {self.path} cannot be made: {exc.strerror}", hint="choose another path in [secrets]") from None
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(encode_key(key) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return key


class _Drivers(DriverManager[SecretsDriver]):
    """Looks at what is installed now: the library's cache on disk does not know who ships an entry point."""

    def list_entry_points(self) -> list[importlib.metadata.EntryPoint]:
        return list(importlib.metadata.entry_points(group=self.namespace))


def _driver_names() -> list[str]:
    return sorted({each.name for each in importlib.metadata.entry_points(group=GROUP)})


def open_driver(settings: Settings, environ: Mapping[str, str]) -> SecretsDriver:
    """Return the secrets driver that is configured, or raise ConfigError."""
    name = settings.secrets.driver
    try:
        driver = _Drivers(GROUP, name, invoke_on_load=True, invoke_args=(settings.key_path, environ), on_missing_entrypoints_callback=None).driver
    except NoMatches:
        raise ConfigError(f"there is no secrets driver {name!r}", hint=f"set [secrets] driver to one of: {', '.join(_driver_names())}") from None
    except ConfigError:
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as exc:
        # A driver is somebody else's code, and its message could quote the key.
        raise ConfigError(f"the secrets driver {name!r} does not load: {type(exc).__name__}", hint="reinstall it, or choose another") from exc
    if not isinstance(driver, SecretsDriver):
        raise ConfigError(f"the secrets driver {name!r} is not a SecretsDriver", hint="ask its author, or choose another")
    return driver


def open_vault(settings: Settings, environ: Mapping[str, str]) -> Vault:
    """Return the vault of this installation, or raise ConfigError."""
    return Vault(open_driver(settings, environ).master_key())


def _hkdf(key: bytes, info: str, length: int = KEY_BYTES) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info.encode()).derive(key)


def _bound(header: bytes, purpose: str, row_id: str) -> bytes:
    """Return what ties a record to its place; the length keeps ``ab|c`` apart from ``a|bc``."""
    return header + len(purpose.encode()).to_bytes(4, "big") + purpose.encode() + row_id.encode()


class Vault:
    """Seals secrets for storage. Each record has its own random key, wrapped by one that the master key and the purpose make.

    A sealed record is: format (1 byte), id of the master key (8), nonce (12) and wrapped record key (48), nonce (12), ciphertext and
    tag. Purpose and row are authenticated, so a record that is copied to another row or column does not open.
    ``previous`` are master keys that were replaced: they open, and never seal.
    """

    def __init__(self, master_key: bytes, *, previous: Sequence[bytes] = ()) -> None:
        keys = [master_key, *previous]
        if any(len(key) != KEY_BYTES for key in keys):
            raise ConfigError("a master key must have 32 bytes", hint="make one with `pepay init`")
        self._master = master_key
        self._keys = {_hkdf(key, "pepay/key-id", _ID_BYTES): key for key in keys}

    def __repr__(self) -> str:
        return f"<Vault {self.key_check()}>"

    def seal(self, purpose: str, row_id: str, plaintext: bytes) -> bytes:
        """Return the plaintext sealed for one row of one purpose."""
        header = _FORMAT + _hkdf(self._master, "pepay/key-id", _ID_BYTES)
        bound = _bound(header, purpose, row_id)
        record_key = secrets.token_bytes(KEY_BYTES)
        outer, inner = secrets.token_bytes(_NONCE_BYTES), secrets.token_bytes(_NONCE_BYTES)
        wrapped = self._wrapping(self._master, purpose).encrypt(outer, record_key, bound)
        return header + outer + wrapped + inner + AESGCM(record_key).encrypt(inner, plaintext, bound)

    def open(self, purpose: str, row_id: str, sealed: bytes) -> bytes:
        """Return what was sealed for this row and purpose; raises ConfigError when it was not, or was with another master key."""
        header, rest = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES:]
        if header[:1] != _FORMAT or len(rest) < 2 * _NONCE_BYTES + _WRAPPED_BYTES + 16:
            raise ConfigError(f"a stored {purpose} is damaged", hint="restore the database from a backup")
        key = self._keys.get(header[1:])
        if key is None:
            raise ConfigError(f"a stored {purpose} was sealed with another master key", hint="restore the master key that belongs to this database")
        bound = _bound(header, purpose, row_id)
        outer, rest = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
        wrapped, rest = rest[:_WRAPPED_BYTES], rest[_WRAPPED_BYTES:]
        inner, ciphertext = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
        try:
            record_key = self._wrapping(key, purpose).decrypt(outer, wrapped, bound)
            return AESGCM(record_key).decrypt(inner, ciphertext, bound)
        except InvalidTag:
            raise ConfigError(
                f"a stored {purpose} is damaged, or stands in a row that is not its own", hint="restore the database from a backup"
            ) from None

    def knows(self, sealed: bytes) -> bool:
        """Tell whether a record was sealed with the present master key or a previous one, so that it opens if it is whole."""
        return sealed[1:_HEADER_BYTES] in self._keys

    def is_current(self, sealed: bytes) -> bool:
        """Tell whether a record was sealed with the present master key, and not with a previous one."""
        return sealed[1:_HEADER_BYTES] == _hkdf(self._master, "pepay/key-id", _ID_BYTES)

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes for one purpose: for keyed hashes, which cannot be opened again."""
        return _hkdf(self._master, f"pepay/derive/{purpose}")

    def key_check(self) -> str:
        """Return a text that tells this master key from others and nothing about it: stored beside the data, compared at start."""
        return _hkdf(self._master, "pepay/key-check", 16).hex()

    def _wrapping(self, master: bytes, purpose: str) -> AESGCM:
        return AESGCM(_hkdf(master, f"pepay/wrap/{purpose}"))
