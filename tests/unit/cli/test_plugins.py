import json
import os
import resource
import subprocess
import sys

import pytest

from pepay_core.cli.main import COMMANDS, run


@pytest.fixture
def pepay(tmp_path, monkeypatch, capsys):
    """Run one command line in an empty folder; return its exit code, what it printed, and what it complained of."""
    monkeypatch.chdir(tmp_path)
    for variable in [each for each in os.environ if each.startswith("PEPAY_")]:
        monkeypatch.delenv(variable)

    def call(*arguments):
        code = run(arguments)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


@pytest.fixture
def acme(tmp_path, monkeypatch):
    """Install a third-party plugin with a command."""
    site = tmp_path / "site"
    info = site / "pepay_acme-2.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pepay-acme\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text("[pepay.plugins]\nacme = pepay_acme_of_test\n")
    (site / "pepay_acme_of_test.py").write_text(
        "import click\nfrom pepay_core.api import PluginInfo, hookimpl\n"
        "__pepay__ = PluginInfo(api='1.0')\n"
        "@click.command()\ndef greet(): click.echo('hello from acme')\n"
        "@hookimpl\ndef pepay_commands(): return [greet]\n"
    )
    monkeypatch.syspath_prepend(str(site))
    yield
    sys.modules.pop("pepay_acme_of_test", None)


def test_help_lists_every_command_with_one_line(pepay):
    code, out, _ = pepay("--help")

    assert code == 0
    assert all(f"{name} " in out and entry.help in " ".join(out.split()) for name, entry in COMMANDS.items())


def test_help_answers_within_three_tenths_of_a_second():
    def once():
        # Processor time: on a machine that is busy with other things the clock on the wall measures those.
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "pepay_core.cli.main", "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(once() for _ in range(5)) < 0.3


def test_every_command_of_ours_exists(pepay):
    for name, entry in COMMANDS.items():
        if not entry.target.startswith("@"):
            assert pepay(name, "--help")[0] == 0


def test_a_wrong_command_is_usage(pepay):
    code, _, err = pepay("plugni")

    assert code == 2
    assert "No such command 'plugni'" in err


def test_a_configuration_that_is_not_there_is_exit_78_with_a_remedy(pepay):
    code, out, err = pepay("--config", "gone.toml", "plugin", "list")

    assert (code, out) == (78, "")
    assert err == "Error: there is no configuration file gone.toml\n  -> check --config, or make one with `pepay init`\n"


def test_the_configuration_can_be_named_in_the_environment(pepay, monkeypatch):
    monkeypatch.setenv("PEPAY_CONFIG", "gone.toml")

    assert pepay("plugin", "list")[0] == 78


def test_list_works_with_no_configuration_and_no_database(pepay, acme, tmp_path):
    code, out, _ = pepay("plugin", "list", "--json")

    listed = {each["name"]: each for each in json.loads(out)}
    assert code == 0
    assert listed["acme"] == {
        "name": "acme",
        "distribution": "pepay-acme",
        "version": "2.0",
        "state": "available",
        "stage": "",
        "reason": "installed, and not enabled",
        "hint": "pepay plugin enable acme",
        "contributes": [],
    }
    assert "evm" in listed
    assert not list(tmp_path.glob("*.db"))


def test_list_names_a_reason_and_a_next_step_for_people(pepay, acme):
    _, out, _ = pepay("plugin", "list")

    assert "acme: installed, and not enabled\n  -> pepay plugin enable acme" in out


def test_enable_and_disable_keep_the_comments_of_the_file_and_what_was_enabled_before(pepay, acme, tmp_path):
    config = tmp_path / "pepay.toml"
    config.write_text("# ours\n[plugins]  # which may enter\nrequired = []\n\n[server]\nport = 1  # odd\n")
    config.chmod(0o640)

    assert pepay("plugin", "enable", "acme")[0] == 0

    text = config.read_text()
    assert '"acme"' in text
    assert '"evm"' in text
    assert all(comment in text for comment in ("# ours", "# which may enter", "# odd"))
    assert config.stat().st_mode & 0o777 == 0o640

    pepay("plugin", "disable", "acme")
    assert '"acme"' not in config.read_text()
    assert '"evm"' in config.read_text()


def test_enabling_what_is_not_installed_says_how_to_get_it(pepay, tmp_path):
    (tmp_path / "pepay.toml").write_text("")

    code, _, err = pepay("plugin", "enable", "nowhere")

    assert code == 78
    assert "pip install pepay-nowhere" in err


def test_enabling_without_a_file_says_how_to_make_one(pepay, acme):
    code, _, err = pepay("plugin", "enable", "acme")

    assert code == 78
    assert "pepay init" in err


def test_what_is_required_is_not_disabled(pepay, tmp_path):
    (tmp_path / "pepay.toml").write_text('[plugins]\nrequired = ["evm"]')

    assert pepay("plugin", "disable", "evm")[0] == 78


def test_check_says_that_a_plugin_is_well_and_needs_no_enabling(pepay, acme):
    code, out, _ = pepay("plugin", "check", "acme")

    assert code == 0
    assert out.startswith("acme 2.0 is well")


def test_check_fails_with_a_reason_and_a_next_step(pepay, tmp_path, monkeypatch, acme):
    (tmp_path / "site" / "pepay_acme_of_test.py").write_text("raise SystemExit")

    code, out, _ = pepay("plugin", "check", "acme")

    assert code == 1
    assert "acme: import: does not import: SystemExit" in out
    assert "->" in out


def test_show_tells_hooks(pepay, acme, tmp_path):
    (tmp_path / "pepay.toml").write_text('[plugins]\nenabled = ["acme"]')

    code, out, _ = pepay("plugin", "show", "acme", "--json")

    assert code == 0
    assert json.loads(out)["hooks"] == ["pepay_commands"]
    assert pepay("plugin", "show", "nowhere")[0] == 78


def test_a_plugin_that_is_not_enabled_does_not_run_because_its_name_was_typed(pepay, acme):
    code, _, err = pepay("acme", "greet")

    assert code == 78
    assert "pepay plugin enable acme" in err
    assert "pepay_acme_of_test" not in sys.modules


def test_the_commands_of_an_enabled_plugin_run_under_its_name(pepay, acme, tmp_path):
    (tmp_path / "pepay.toml").write_text('[plugins]\nenabled = ["acme"]')

    assert pepay("acme", "greet") == (0, "hello from acme\n", "")


def test_other_commands_import_no_plugin(pepay, acme, tmp_path):
    (tmp_path / "pepay.toml").write_text('[plugins]\nenabled = ["acme"]')

    pepay("--help")

    assert "pepay_acme_of_test" not in sys.modules
