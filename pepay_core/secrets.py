"""The master key, and what is sealed with it: stored secrets survive a stolen database, and open in their own row only."""

from __future__ import annotations

import importlib.metadata
import logging
import secrets
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from stevedore.driver import DriverManager
from stevedore.exception import NoMatches

from pepay_core.contracts.secrets import SecretsDriver
from pepay_core.domain.errors import ConfigError
from pepay_core.master_keys import KEY_BYTES, EnvSecrets, FileSecrets, encode_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pepay_core.settings import Settings

__all__ = ["EnvSecrets", "FileSecrets", "SecretsDriver", "Vault", "encode_key", "open_driver", "open_vault"]

log: Final = logging.getLogger(__name__)

GROUP: Final = "pepay.secrets"

_FORMAT: Final = b"\x01"
_ID_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_WRAPPED_BYTES: Final = KEY_BYTES + 16
_HEADER_BYTES: Final = len(_FORMAT) + _ID_BYTES


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
    """Return the vault of this installation, locked until its database is known; raises ConfigError."""
    return Vault.of(open_driver(settings, environ))


def _hkdf(key: bytes, info: str, length: int = KEY_BYTES) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info.encode()).derive(key)


def _bound(header: bytes, purpose: str, row_id: str) -> bytes:
    """Return what ties a record to its place; the length keeps ``ab|c`` apart from ``a|bc``."""
    return header + len(purpose.encode()).to_bytes(4, "big") + purpose.encode() + row_id.encode()


class Vault:
    """Seals secrets for storage. Each record has its own random key, wrapped by one that the master key and the purpose make.

    A sealed record is: format (1 byte), id of the master key (8), nonce (12) and wrapped record key (48), nonce (12), ciphertext and
    tag. Purpose and row are authenticated, so a record that is copied to another row or column does not open.
    ``previous`` are other master keys: they open, and never seal. Keyed hashes come from ``root``, which outlasts master keys: the first
    master key itself where nothing else is given.
    """

    def __init__(self, master_key: bytes, *, previous: Sequence[bytes] = (), root: bytes | None = None) -> None:
        self._keys: dict[bytes, bytes] = {}
        self._wrappings: dict[tuple[bytes, str], AESGCM] = {}
        self._driver: SecretsDriver | None = None
        self._version: object = None
        self._root: bytes | None = root or master_key
        self.refuses_clear = False
        self.know(master_key, *previous)
        self._take(master_key)

    @classmethod
    def of(cls, driver: SecretsDriver) -> Vault:
        """Return the vault of a driver's key. It derives nothing before its root is known, and follows the driver when the key is replaced."""
        version = driver.version()
        vault = cls(driver.master_key(), previous=driver.other_keys())
        vault._root, vault._driver, vault._version = None, driver, version
        return vault

    def __repr__(self) -> str:
        return f"<Vault {self.key_check()}>"

    @property
    def key_id(self) -> str:
        """What the present master key is called in every record that it sealed."""
        return self._id.hex()

    @property
    def other_ids(self) -> tuple[str, ...]:
        """The same of the other keys."""
        return tuple(each.hex() for each in self._keys if each != self._id)

    @property
    def root(self) -> bytes | None:
        """What keyed hashes are derived from; None before the database has told it."""
        return self._root

    def key(self, key_id: str) -> bytes:
        """Return a master key by its id: for sealing it with another."""
        return self._keys[bytes.fromhex(key_id)]

    def know(self, *keys: bytes) -> None:
        """Open with these master keys too."""
        if any(len(key) != KEY_BYTES for key in keys):
            raise ConfigError("a master key must have 32 bytes", hint="make one with `pepay init`")
        self._keys |= {_hkdf(key, "pepay/key-id", _ID_BYTES): key for key in keys}

    def unlock(self, root: bytes, *, refuses_clear: bool = False) -> None:
        """Derive from this root from now on. ``refuses_clear``: everything in this database is sealed, so what stands in clear was planted."""
        self._root = root
        self.refuses_clear = refuses_clear

    def admit_clear(self, place: str) -> None:
        """Let a value be read that stands in clear where sealed ones belong; raises ConfigError once everything has been sealed."""
        if self.refuses_clear:
            raise ConfigError(
                f"a stored {place} stands in clear, though everything was sealed: somebody else wrote to the database",
                hint="restore the database from a backup, and find out who writes to it",
            )

    def _take(self, master_key: bytes) -> None:
        self._master, self._id = master_key, _hkdf(master_key, "pepay/key-id", _ID_BYTES)

    def _follow(self, *, anyhow: bool = False) -> None:
        """Read the driver's keys again where they were replaced; a key that does not name the present one as an older one is none of ours."""
        if self._driver is None or (not anyhow and self._driver.version() == self._version):
            return
        try:
            version = self._driver.version()
            master, others = self._driver.master_key(), self._driver.other_keys()
            self.know(*others)
        except ConfigError as exc:
            log.warning("the master key cannot be read again: %s", exc.message)
            return
        self._version = version
        if master != self._master and self._master in others:
            self.know(master)
            self._take(master)
        elif master != self._master:
            log.error("the master key was exchanged for a foreign one; this process goes on with the one that it started with")

    def seal(self, purpose: str, row_id: str, plaintext: bytes) -> bytes:
        """Return the plaintext sealed for one row of one purpose."""
        self._follow()
        return self._seal(self._id, purpose, row_id, plaintext)

    def seal_with(self, key_id: str, purpose: str, row_id: str, plaintext: bytes) -> bytes:
        """Seal with another of the vault's master keys: for what that key must open."""
        return self._seal(bytes.fromhex(key_id), purpose, row_id, plaintext)

    def _seal(self, key_id: bytes, purpose: str, row_id: str, plaintext: bytes) -> bytes:
        header = _FORMAT + key_id
        bound = _bound(header, purpose, row_id)
        record_key = secrets.token_bytes(KEY_BYTES)
        outer, inner = secrets.token_bytes(_NONCE_BYTES), secrets.token_bytes(_NONCE_BYTES)
        wrapped = self._wrapping(key_id, purpose).encrypt(outer, record_key, bound)
        return header + outer + wrapped + inner + AESGCM(record_key).encrypt(inner, plaintext, bound)

    def open(self, purpose: str, row_id: str, sealed: bytes) -> bytes:
        """Return what was sealed for this row and purpose; raises ConfigError when it was not, or was with another master key."""
        header, rest = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES:]
        if header[:1] != _FORMAT or len(rest) < 2 * _NONCE_BYTES + _WRAPPED_BYTES + 16:
            raise ConfigError(f"a stored {purpose} is damaged", hint="restore the database from a backup")
        if not self.knows(sealed):
            raise ConfigError(f"a stored {purpose} was sealed with another master key", hint="restore the master key that belongs to this database")
        bound = _bound(header, purpose, row_id)
        outer, rest = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
        wrapped, rest = rest[:_WRAPPED_BYTES], rest[_WRAPPED_BYTES:]
        inner, ciphertext = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
        try:
            record_key = self._wrapping(header[1:], purpose).decrypt(outer, wrapped, bound)
            return AESGCM(record_key).decrypt(inner, ciphertext, bound)
        except InvalidTag:
            raise ConfigError(
                f"a stored {purpose} is damaged, or stands in a row that is not its own", hint="restore the database from a backup"
            ) from None

    def knows(self, sealed: bytes) -> bool:
        """Tell whether a record was sealed with the present master key or a previous one, so that it opens if it is whole."""
        if sealed[1:_HEADER_BYTES] not in self._keys:
            self._follow(anyhow=True)
        return sealed[1:_HEADER_BYTES] in self._keys

    def is_current(self, sealed: bytes) -> bool:
        """Tell whether a record was sealed with the present master key, and not with a previous one."""
        return sealed[:_HEADER_BYTES] == self.mark

    @property
    def mark(self) -> bytes:
        """How every record begins that the present master key sealed."""
        return _FORMAT + self._id

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes for one purpose: for keyed hashes, which cannot be opened again."""
        if self._root is None:
            raise RuntimeError("the vault is locked: `unlock` it with the database before anything is derived")
        return _hkdf(self._root, f"pepay/derive/{purpose}")

    def key_check(self, key_id: str | None = None) -> str:
        """Return a text that tells a master key from others and nothing about it: stored beside the data, compared at start."""
        return _hkdf(self._master if key_id is None else self.key(key_id), "pepay/key-check", 16).hex()

    def _wrapping(self, key_id: bytes, purpose: str) -> AESGCM:
        known = self._wrappings.get((key_id, purpose))
        if known is None:
            known = self._wrappings[key_id, purpose] = AESGCM(_hkdf(self._keys[key_id], f"pepay/wrap/{purpose}"))
        return known


def is_sealed(value: bytes) -> bool:
    """Tell a sealed record from a text that was stored in clear."""
    return value[:1] == _FORMAT
