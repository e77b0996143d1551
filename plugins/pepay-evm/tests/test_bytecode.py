import os
import re
from pathlib import Path

import pytest

from pepay_core.testing.solidity import CompilerMissing, build
from pepay_evm import bytecode
from pepay_evm.addresses import keccak

PLUGIN = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rebuilt")
    try:
        build(PLUGIN / "contracts", folder)
    except CompilerMissing as exc:
        if "solc" in os.environ.get("PEPAY_TEST_REQUIRE", "").split(","):
            pytest.fail(str(exc))
        pytest.skip(str(exc))
    return folder


@pytest.mark.parametrize(
    "shipped",
    [
        "src/pepay_evm/bytecode.py",
        "src/pepay_evm/bytecode_scan.py",
        "tests/contracts/odd_bytecode.py",
        "tests/contracts/payers_bytecode.py",
        "../../tests/support/hostile.py",
    ],
)
def test_the_bytecode_is_what_the_pinned_compiler_makes_of_the_sources(rebuilt, shipped):
    path = PLUGIN / shipped

    assert path.read_text(encoding="utf-8") == (rebuilt / path.name).read_text(encoding="utf-8"), "run: cd contracts && npm ci && node build.mjs"


def test_every_module_that_holds_compiled_code_is_compared(rebuilt):
    # Longer than any address, topic or selector: only what a compiler has written is.
    holding = {
        path.name for folder in ("src", "tests") for path in (PLUGIN / folder).rglob("*.py") if re.search(r"0x60[0-9a-f]{120}", path.read_text())
    }

    assert holding == {path.name for path in rebuilt.iterdir()} - {"hostile.py"}


def test_the_hash_in_every_deposit_address_is_that_of_the_code():
    assert "0x" + keccak(bytes.fromhex(bytecode.DEPOSIT_CREATION[2:])).hex() == bytecode.DEPOSIT_INIT_CODE_HASH


def test_the_factory_carries_the_code_of_a_deposit():
    assert bytecode.DEPOSIT_CREATION[2:] in bytecode.DEPOSIT_FACTORY_CREATION


def test_what_was_pinned_names_no_registry():
    assert '"resolved"' not in (PLUGIN / "contracts" / "package-lock.json").read_text(encoding="utf-8")
