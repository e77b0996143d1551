"""Changes ``pepay.toml`` where a command asks for it, and leaves every comment where the operator put it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from pepay_core.domain.errors import ConfigError


def set_enabled(path: Path, names: list[str]) -> None:
    """Write the list of enabled plugins; the file is replaced at once or not at all."""
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8"))
    except TOMLKitError as exc:
        raise ConfigError(f"{path} is not valid TOML: {exc}", hint="correct it first") from None
    if "plugins" not in document:
        document["plugins"] = tomlkit.table()
    document["plugins"]["enabled"] = names  # type: ignore[index]
    _replace(path, tomlkit.dumps(document))


def _replace(path: Path, text: str) -> None:
    real = path.resolve()
    mode = real.stat().st_mode
    try:
        handle, temporary = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode & 0o7777)
        Path(temporary).replace(real)
    except OSError as exc:
        raise ConfigError(f"{path} cannot be written: {exc.strerror}", hint="let this user write it, or edit it by hand") from None
