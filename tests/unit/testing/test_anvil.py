"""The node that tests run on: found or obtained, started, stopped, taken back."""

from __future__ import annotations

import shutil
import sys

import pytest

from pepay_core.testing import erc20, foundry
from pepay_core.testing.anvil import Anvil, AnvilError, anvil
from pepay_core.testing.foundry import AnvilMissing, find_anvil

__all__ = ["anvil"]

pytest_plugins = ["pytester"]

PAYEE = "0x" + "12" * 20


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """Pretend to be a machine that has nothing."""
    monkeypatch.delenv("PEPAY_ANVIL", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(foundry, "find_spec", lambda _: None)


def program(folder, name, text="#!/bin/sh\nexit 3\n"):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


# --- finding ---------------------------------------------------------------------


def test_the_named_program_comes_first(bare, monkeypatch, tmp_path):
    named = program(tmp_path, "my-anvil")
    monkeypatch.setenv("PEPAY_ANVIL", str(named))
    monkeypatch.setenv("PATH", str(program(tmp_path / "bin", "anvil").parent))
    assert find_anvil() == named


def test_a_named_program_that_is_not_there_is_an_error_and_not_passed_over(bare, monkeypatch, tmp_path):
    monkeypatch.setenv("PEPAY_ANVIL", str(tmp_path / "gone"))
    monkeypatch.setenv("PATH", str(program(tmp_path / "bin", "anvil").parent))
    with pytest.raises(AnvilMissing, match="PEPAY_ANVIL"):
        find_anvil()


def test_the_one_in_path_comes_next(bare, monkeypatch, tmp_path):
    installed = program(tmp_path / "bin", "anvil")
    monkeypatch.setenv("PATH", str(installed.parent))
    assert find_anvil() == installed


def test_the_one_obtained_earlier_comes_next(bare, tmp_path):
    kept = program(tmp_path / "cache" / "pepay" / f"anvil-{foundry.VERSION}", "anvil")
    assert find_anvil() == kept


def test_without_npm_the_reason_says_what_to_install(bare, tmp_path):
    with pytest.raises(AnvilMissing, match="uv sync --group node") as caught:
        find_anvil()
    assert str(tmp_path) not in str(caught.value)


def test_when_npm_fails_the_reason_says_so_and_nothing_is_kept(bare, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(program(tmp_path / "bin", "npm").parent))
    with pytest.raises(AnvilMissing, match="exit code 3") as caught:
        find_anvil()
    assert str(tmp_path) not in str(caught.value)
    assert [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()] == ["lock"]


def test_what_npm_obtains_is_kept(bare, monkeypatch, tmp_path):
    if sys.platform != "linux":
        pytest.skip("the pretended npm knows the package for Linux only")
    script = f"""#!{sys.executable}
import pathlib, platform, sys
prefix = pathlib.Path(sys.argv[sys.argv.index("--prefix") + 1])
machine = {{"x86_64": "amd64", "aarch64": "arm64"}}[platform.machine()]
folder = prefix / "node_modules/@foundry-rs" / ("anvil-linux-" + machine) / "bin"
folder.mkdir(parents=True)
(folder / "anvil").write_text("obtained")
"""
    monkeypatch.setenv("PATH", str(program(tmp_path / "bin", "npm", script).parent))
    found = find_anvil()
    assert found.read_text() == "obtained"
    shutil.rmtree(tmp_path / "bin")
    assert find_anvil() == found


def test_a_required_anvil_that_is_missing_fails_and_another_is_skipped(bare, monkeypatch, pytester):
    pytester.makepyfile("""
        from pepay_core.testing.anvil import anvil

        def test_it(anvil):
            pass
    """)
    monkeypatch.delenv("PEPAY_TEST_REQUIRE", raising=False)
    pytester.inline_run("-p", "no:cacheprovider").assertoutcome(skipped=1)
    monkeypatch.setenv("PEPAY_TEST_REQUIRE", "anvil,postgres")
    pytester.inline_run("-p", "no:cacheprovider").assertoutcome(failed=1)


# --- running ---------------------------------------------------------------------


def test_nothing_is_mined_until_it_is_told_to(anvil):
    anvil.send(PAYEE, 5)
    assert (anvil.height, anvil.balance(PAYEE)) == (0, 0)
    anvil.mine()
    assert (anvil.height, anvil.balance(PAYEE)) == (1, 5)


def test_an_outage_keeps_the_url_and_the_chain(anvil):
    anvil.send(PAYEE, 5)
    anvil.mine(5)
    url, newest = anvil.url, anvil.rpc("eth_getBlockByNumber", "latest", False)
    anvil.stop()
    assert not anvil.running
    with pytest.raises(AnvilError):
        anvil.rpc("eth_blockNumber")
    anvil.start()
    assert anvil.url == url
    assert anvil.rpc("eth_getBlockByNumber", "latest", False)["hash"] == newest["hash"]
    anvil.reorg(5)
    assert (anvil.height, anvil.balance(PAYEE)) == (5, 0)


def test_nothing_is_left_of_a_node_that_has_ended(monkeypatch, tmp_path):
    monkeypatch.setenv("PEPAY_ANVIL", str(find_anvil()))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Anvil() as node:
        node.rpc("anvil_mine", hex(600))
        assert list(tmp_path.glob("*/states"))
    assert list(tmp_path.iterdir()) == []


def test_a_snapshot_can_be_gone_back_to_once(anvil):
    snapshot = anvil.snapshot()
    anvil.mine(3)
    anvil.revert(snapshot)
    assert anvil.height == 0
    with pytest.raises(AnvilError):
        anvil.revert(snapshot)


def test_a_node_that_does_not_start_says_why():
    node = Anvil(options=["--no-such-option"])
    with pytest.raises(AnvilError, match="no-such-option"), node:
        pass
    assert not node.running


def test_nodes_of_their_own_chain_id_run_side_by_side(anvil):
    with Anvil(chain_id=56, automine=True) as other:
        assert other.port != anvil.port
        assert (other.rpc("eth_chainId"), anvil.rpc("eth_chainId")) == ("0x38", "0x7a69")
        assert other.receipt(other.send(PAYEE, 1))["status"] == "0x1"
    assert not other.running


def test_the_test_contracts_do_what_they_say(anvil):
    coin = anvil.deploy(erc20.coin("Ünï", 2, 100))
    disperse = anvil.deploy(erc20.DISPERSE)
    anvil.send(coin, data=erc20.transfer(disperse, 60), gas=100_000)
    anvil.send(disperse, data=erc20.disperse_tokens(coin, [(PAYEE, 10), (PAYEE, 20)]), gas=500_000)
    anvil.send(disperse, value=7, data=erc20.disperse_coins([(PAYEE, 3), (PAYEE, 4)]), gas=500_000)
    anvil.mine()
    assert int(anvil.call(coin, erc20.balance_of(PAYEE)), 16) == 30
    assert anvil.balance(PAYEE) == 7
