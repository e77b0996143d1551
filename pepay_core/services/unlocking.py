"""The keyring: which master key a database knows, and the root from which every keyed hash is made, whatever becomes of the master key.

There is one root for each master key that may start a server: one, and two while a key is replaced. Master keys that were replaced are
kept sealed with the one that came after them, so that whatever a process sealed with the old key at the last moment still opens.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import ConfigError
from pepay_core.services.endpoints import PREVIOUS, PURPOSE

if TYPE_CHECKING:
    from pepay_core.secrets import Vault
    from pepay_core.services.ports import Store, Transaction

ROOT: Final = "root-key"
RETIRED: Final = "retired-key"
"""What keys are sealed for, under their names in the keyring."""

KEY_CHECK: Final = "key_check"
"""The fact that tells which master key this database was made with, or was last given."""

ROOT_BYTES: Final = 32
_ALL_SEALED: Final = b"\x01"
"""What follows the root in its record once nothing is stored in clear any more.

Whoever seals what has been stored in clear so far counts it up: it is said anew once that was sealed too.
"""

_APART: Final = "previous_secrets_apart"


@dataclass(frozen=True, slots=True)
class Keys:
    """What the keyring says: the root, the retired keys, and whether more than the present key may start a server.

    ``all_sealed``: nothing is stored in clear any more where sealed records belong. It is said within the sealed root, where only who
    has the master key can say it or take it back.
    """

    root: bytes
    retired: tuple[bytes, ...]
    replacing: bool
    all_sealed: bool


async def unlock(store: Store, vault: Vault) -> Keys:
    """Let the vault derive, and the store seal; a database that is new takes the master key that it is given.

    Raises ConfigError for a master key that this database does not know.
    """
    keys = await store.run(lambda tx: read(tx, vault))
    vault.know(*keys.retired)
    vault.unlock(keys.root, refuses_clear=keys.all_sealed)
    store.use(vault)
    return keys


async def read(tx: Transaction, vault: Vault) -> Keys:
    """Return the keys that are open to a vault; what is missing of them is written."""
    if await tx.facts.get(_APART) is None:
        await _set_apart(tx, vault)
    stored = await tx.keyring.all()
    if _root(vault.key_id) not in stored:
        await _enter(tx, vault, stored)
        stored = await tx.keyring.all()
    mine = _root(vault.key_id)
    root, all_sealed = _read_root(vault.open(ROOT, mine, stored[mine]))
    retired = [vault.open(RETIRED, name, sealed) for name, sealed in stored.items() if name.startswith("retired:") and name.endswith(vault.key_id)]
    replacing = any(name.startswith("root:") and name != mine for name in stored)
    return Keys(root, tuple(retired), replacing, all_sealed)


async def _enter(tx: Transaction, vault: Vault, stored: dict[str, bytes]) -> None:
    """Let a master key in that has no root yet: the first one, or one that comes with a key that has."""
    known = await tx.facts.get(KEY_CHECK)
    if not stored and known is None:
        await tx.facts.put(KEY_CHECK, vault.key_check())
        await _add(tx, vault, (vault.root or secrets.token_bytes(ROOT_BYTES)) + _ALL_SEALED)
        return
    for each in vault.other_ids:
        if (sealed := stored.get(_root(each))) is not None:
            await _add(tx, vault, vault.open(ROOT, _root(each), sealed))
            return
    # Before there were roots, everything was derived from the master key: it is the root of a database of that time.
    for each in (vault.key_id, *vault.other_ids) if not stored else ():
        if vault.key_check(each) == known:
            root = vault.key(each)
            if each != vault.key_id:
                await tx.keyring.add(_root(each), vault.seal_with(each, ROOT, _root(each), root))
            await _add(tx, vault, root)
            return
    raise ConfigError(
        "the master key is not the one that this database was made with",
        hint="bring back the key file or PEPAY_MASTER_KEY that belongs to this database; without it, stored secrets cannot be read",
    )


async def _add(tx: Transaction, vault: Vault, root: bytes) -> None:
    """Let servers start with the vault's master key, and know every other key of the vault."""
    await tx.keyring.add(_root(vault.key_id), vault.seal(ROOT, _root(vault.key_id), root))
    for each in vault.other_ids:
        name = _retired(each, vault)
        await tx.keyring.add(name, vault.seal(RETIRED, name, vault.key(each)))


async def admit(tx: Transaction, vault: Vault, *, beside: str) -> None:
    """Let servers start with a new master key beside the present one; raises ConfigError where that has been replaced meanwhile."""
    if _root(beside) not in await tx.keyring.all(lock=True):
        raise ConfigError("the master key was replaced meanwhile by somebody else", hint="nothing is left to do")
    assert vault.root is not None
    await _add(tx, vault, vault.root + (_ALL_SEALED if vault.refuses_clear else b""))


async def close_to_clear(tx: Transaction, vault: Vault) -> None:
    """Say that everything is sealed: whatever stands in clear from now on is refused."""
    name = _root(vault.key_id)
    stored = await tx.keyring.all(lock=True)
    if name not in stored:
        raise ConfigError("the master key was replaced meanwhile by somebody else", hint="run `pepay migrate` again")
    root, all_sealed = _read_root(vault.open(ROOT, name, stored[name]))
    if not all_sealed:
        await tx.keyring.drop([name])
        await tx.keyring.add(name, vault.seal(ROOT, name, root + _ALL_SEALED))
    vault.unlock(root, refuses_clear=True)


async def dismiss(tx: Transaction, vault: Vault) -> bool:
    """Let no other master key start a server; tell whether there was another. That one is still known, and those before it no longer."""
    names = await tx.keyring.all(lock=True)
    others = [name.removeprefix("root:") for name in names if name.startswith("root:") and name != _root(vault.key_id)]
    if not others:
        return False
    wanted = {_root(vault.key_id), *(_retired(each, vault) for each in others)}
    await tx.keyring.drop([name for name in names if name not in wanted])
    await tx.facts.put(KEY_CHECK, vault.key_check())
    return True


def _read_root(opened: bytes) -> tuple[bytes, bool]:
    return opened[:ROOT_BYTES], opened[ROOT_BYTES:] == _ALL_SEALED


def _root(key_id: str) -> str:
    return f"root:{key_id}"


def _retired(key_id: str, vault: Vault) -> str:
    return f"retired:{key_id}:{vault.key_id}"


async def _set_apart(tx: Transaction, vault: Vault) -> None:
    """Seal the previous secrets of endpoints for a purpose of their own; once they were sealed for that of the present ones."""
    place = "pepay_endpoint.previous_secret"
    last: str | int | None = None
    while found := await tx.sealed.stale(place, bytes(9), last, 100):
        last = found[-1].key
        for each in found:
            if each.sealed is not None and vault.knows(each.sealed):
                with suppress(ConfigError):  # set apart already: that it was done was forgotten
                    await tx.sealed.replace(place, each, vault.seal(PREVIOUS, each.row, vault.open(PURPOSE, each.row, each.sealed)))
    await tx.facts.put(_APART, "yes")
