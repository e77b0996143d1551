"""Where the master key comes from: the environment, or a file; and how a file's key is replaced without ever being lost."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import stat
from typing import TYPE_CHECKING, Final

from pepay_core.contracts.secrets import SecretsDriver
from pepay_core.domain.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

VARIABLE: Final = "PEPAY_MASTER_KEY"
PREVIOUS: Final = "PEPAY_MASTER_KEY_PREVIOUS"
KEY_BYTES: Final = 32


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
    """The master key from ``PEPAY_MASTER_KEY``, for platforms that hand secrets over in the environment.

    While it is replaced, ``PEPAY_MASTER_KEY_PREVIOUS`` holds the key before, or several of them with commas between.
    """

    def master_key(self) -> bytes:
        """Return the key, or raise ConfigError."""
        text = self.environ.get(VARIABLE)
        if not text:
            raise ConfigError(f"{VARIABLE} is not set", hint='set it, or keep the key in a file with `driver = "file"` in [secrets]')
        return _decode_key(text, VARIABLE)

    def other_keys(self) -> Sequence[bytes]:
        """Return the keys before."""
        return [_decode_key(text, PREVIOUS) for text in self.environ.get(PREVIOUS, "").split(",") if text.strip()]

    def prepare(self) -> bytes:
        """Say what has to be done: nobody can set the variables of processes that run."""
        raise ConfigError(
            f"{VARIABLE} is the key that this database is sealed with already",
            hint=f"stop PePay, set {VARIABLE} to a new key (`openssl rand -base64 32 | tr +/ -_`) and {PREVIOUS} to the present one, "
            "for the server and here, start PePay, and run this again",
        )

    def switch(self) -> None:
        """Do nothing: whoever set the variables has done it."""


class FileSecrets(SecretsDriver):
    """The master key from a file that only its owner may read. Beside it, while it is replaced: ``.next``, and afterwards ``.previous``."""

    @property
    def next_path(self) -> Path:
        """Where the next key waits."""
        return self.path.with_name(f"{self.path.name}.next")

    @property
    def previous_path(self) -> Path:
        """Where the key before is kept, for backups that were made with it."""
        return self.path.with_name(f"{self.path.name}.previous")

    def master_key(self) -> bytes:
        """Return the key, or raise ConfigError."""
        key = self._read(self.path)
        if key is None:
            raise ConfigError(f"there is no master key file {self.path}", hint="make one with `pepay init`, or restore the one you had")
        return key

    def other_keys(self) -> Sequence[bytes]:
        """Return the key before and the next one, where there are any."""
        return [key for key in (self._read(self.previous_path), self._read(self.next_path)) if key is not None]

    def version(self) -> object:
        """Return which file it is, and when it was written."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def create(self) -> bytes:
        """Make a new key and write its file; refuses to replace one, because what was sealed with it would be lost."""
        key = secrets.token_bytes(KEY_BYTES)
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise ConfigError(f"the master key file {self.path} exists", hint="keep it: the secrets in the database open with no other") from None
        except OSError as exc:
            raise ConfigError(f"the master key file {self.path} cannot be made: {exc.strerror}", hint="choose another path in [secrets]") from None
        _fill(handle, key)
        return key

    def prepare(self) -> bytes:
        """Return the next key, which is on the disk by then, whole or not at all."""
        with self._alone():
            waiting = self._read(self.next_path)
            if waiting is not None:
                return waiting
            key, unfinished = secrets.token_bytes(KEY_BYTES), self.path.with_name(f"{self.path.name}.next.unfinished")
            unfinished.unlink(missing_ok=True)
            _fill(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), key)
            unfinished.replace(self.next_path)
            self._settle()
            return key

    def switch(self) -> None:
        """Put the next key in the place of the present one, which stays beside it."""
        with self._alone():
            if not self.next_path.exists():
                return
            kept = self.path.with_name(f"{self.path.name}.previous.unfinished")
            kept.unlink(missing_ok=True)
            kept.hardlink_to(self.path)
            kept.replace(self.previous_path)
            self.next_path.replace(self.path)
            self._settle()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep others who replace the same key out; a lock that the system lets go of when the process dies."""
        try:
            import fcntl
        except ImportError:  # not a POSIX system
            yield
            return
        handle = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        except OSError as exc:
            raise ConfigError(f"the master key file {self.path} cannot be replaced: {exc.strerror}", hint="let its folder be writable") from None
        finally:
            os.close(handle)

    def _settle(self) -> None:
        """Have the names of the folder on the disk too."""
        if os.name == "posix":
            handle = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    @staticmethod
    def _read(path: Path) -> bytes | None:
        try:
            with path.open(encoding="ascii", errors="replace") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                text = file.read(1024)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise ConfigError(f"the master key file {path} cannot be read: {exc.strerror}", hint="let the user that runs PePay own it") from None
        if os.name == "posix" and mode & 0o077:
            raise ConfigError(f"other users may read the master key file {path} (mode {mode:04o})", hint=f"chmod 600 {path}")
        return _decode_key(text, f"the file {path}")


def _fill(handle: int, key: bytes) -> None:
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(encode_key(key) + "\n")
        file.flush()
        os.fsync(file.fileno())
