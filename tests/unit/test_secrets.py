import pytest
from hypothesis import given
from hypothesis import strategies as st

from pepay_core.domain.errors import ConfigError
from pepay_core.secrets import EnvSecrets, FileSecrets, Vault, encode_key, open_driver, open_vault
from pepay_core.settings import Settings
from pepay_core.tokens import ClientTokens

KEY = bytes(range(32))
OTHER = bytes(reversed(range(32)))


@given(st.text(), st.text(), st.binary(max_size=200))
def test_what_is_sealed_opens_in_its_own_place(purpose, row, plaintext):
    vault = Vault(KEY)

    assert vault.open(purpose, row, vault.seal(purpose, row, plaintext)) == plaintext


@pytest.mark.parametrize(
    ("purpose", "row"),
    [("endpoint", "whk_2"), ("wallet", "whk_1"), ("endpointw", "hk_1"), ("endpoin", "twhk_1"), ("", "endpointwhk_1")],
)
def test_a_record_that_is_moved_to_another_row_or_purpose_does_not_open(purpose, row):
    vault = Vault(KEY)
    sealed = vault.seal("endpoint", "whk_1", b"whsec_x")

    with pytest.raises(ConfigError, match="not its own"):
        vault.open(purpose, row, sealed)


def test_every_bit_of_a_record_matters():
    vault = Vault(KEY)
    sealed = vault.seal("endpoint", "whk_1", b"whsec_x")

    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(ConfigError):
            vault.open("endpoint", "whk_1", bytes(changed))
        with pytest.raises(ConfigError):
            vault.open("endpoint", "whk_1", sealed[:position])


def test_parts_of_two_records_do_not_combine():
    vault = Vault(KEY)
    one, two = vault.seal("p", "r", b"old secret"), vault.seal("p", "r", b"new secret")
    wrapped_up_to = 1 + 8 + 12 + 48

    with pytest.raises(ConfigError):
        vault.open("p", "r", one[:wrapped_up_to] + two[wrapped_up_to:])


def test_the_same_secret_never_seals_to_the_same_bytes():
    vault = Vault(KEY)

    assert vault.seal("p", "r", b"x") != vault.seal("p", "r", b"x")


def test_another_master_key_is_named_as_the_reason():
    with pytest.raises(ConfigError, match="sealed with another master key"):
        Vault(OTHER).open("p", "r", Vault(KEY).seal("p", "r", b"x"))


def test_a_replaced_master_key_still_opens_and_no_longer_seals():
    old = Vault(KEY).seal("p", "r", b"x")
    vault = Vault(OTHER, previous=[KEY])

    assert vault.open("p", "r", old) == b"x"
    assert not vault.is_current(old)
    assert vault.is_current(vault.seal("p", "r", b"x"))


def test_the_check_value_tells_keys_apart_and_not_what_they_are():
    assert Vault(KEY).key_check() == Vault(KEY).key_check() != Vault(OTHER).key_check()
    assert KEY.hex()[:8] not in repr(Vault(KEY))


def test_derived_keys_differ_by_purpose_and_by_master_key():
    derived = {Vault(KEY).derive("a"), Vault(KEY).derive("b"), Vault(OTHER).derive("a"), KEY}

    assert len(derived) == 4
    assert Vault(KEY).derive("a") == Vault(KEY).derive("a")


def test_a_derived_key_matches_hkdf_as_rfc_5869_defines_it():
    # Extract with an empty salt, expand with the purpose: written out, so that a change of library or label is noticed.
    import hashlib
    import hmac

    pseudorandom = hmac.digest(bytes(32), KEY, hashlib.sha256)
    expanded = hmac.digest(pseudorandom, b"pepay/derive/api-keys\x01", hashlib.sha256)

    assert Vault(KEY).derive("api-keys") == expanded


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_master_key_has_32_bytes(length):
    with pytest.raises(ConfigError, match="32 bytes"):
        Vault(bytes(length))


# --- where the master key comes from ---


def test_the_environment_holds_the_key_as_text(tmp_path):
    assert EnvSecrets(tmp_path, {"PEPAY_MASTER_KEY": encode_key(KEY)}).master_key() == KEY
    assert EnvSecrets(tmp_path, {"PEPAY_MASTER_KEY": f" {encode_key(KEY)}=\n"}).master_key() == KEY


@pytest.mark.parametrize("text", ["", "hunter2", encode_key(KEY[:31]), encode_key(KEY + b"x"), "ü" * 43, encode_key(KEY)[:-1] + "!"])
def test_what_is_no_master_key_is_refused_without_being_quoted(text, tmp_path):
    with pytest.raises(ConfigError, match="PEPAY_MASTER_KEY") as caught:
        EnvSecrets(tmp_path, {"PEPAY_MASTER_KEY": text}).master_key()
    assert not text or text not in str(caught.value)


def test_a_key_file_is_made_once_and_for_its_owner_alone(tmp_path):
    driver = FileSecrets(tmp_path / "pepay.key", {})
    key = driver.create()

    assert driver.master_key() == key
    assert driver.path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match="exists"):
        driver.create()
    assert driver.master_key() == key


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_key_file_that_others_may_read_is_refused(mode, tmp_path):
    driver = FileSecrets(tmp_path / "pepay.key", {})
    driver.create()
    driver.path.chmod(mode)

    with pytest.raises(ConfigError, match="other users may read") as caught:
        driver.master_key()
    assert caught.value.hint == f"chmod 600 {driver.path}"


def test_a_key_file_that_is_not_there_is_not_made_by_reading_it(tmp_path):
    driver = FileSecrets(tmp_path / "pepay.key", {})

    with pytest.raises(ConfigError, match="there is no master key file"):
        driver.master_key()
    assert not driver.path.exists()


def test_a_damaged_key_file_is_refused_without_being_quoted(tmp_path):
    driver = FileSecrets(tmp_path / "pepay.key", {})
    driver.create()
    driver.path.write_bytes(b"\xffhunter2")

    with pytest.raises(ConfigError) as caught:
        driver.master_key()
    assert "hunter2" not in str(caught.value)


def test_a_key_file_that_cannot_be_read_is_a_configuration_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        FileSecrets(tmp_path, {}).master_key()


def test_the_driver_is_chosen_by_name():
    settings = Settings(secrets={"driver": "env"})

    assert isinstance(open_driver(settings, {}), EnvSecrets)
    assert open_vault(settings, {"PEPAY_MASTER_KEY": encode_key(KEY)}).key_check() == Vault(KEY).key_check()


def test_a_driver_that_does_not_exist_is_a_configuration_error_that_lists_those_that_do():
    with pytest.raises(ConfigError, match="there is no secrets driver 'vault'") as caught:
        open_driver(Settings(secrets={"driver": "vault"}), {})
    assert "env, file" in caught.value.hint


@pytest.mark.parametrize("source", ["raise SystemExit('hunter2')", "assert False, 'hunter2'", "class Driver: \n    def __init__(self, *_): pass"])
def test_a_driver_that_misbehaves_is_a_configuration_error_without_its_words(source, tmp_path, monkeypatch):
    module = f"driver_{tmp_path.name}"
    (tmp_path / f"{module}.py").write_text(source)
    info = tmp_path / f"{module}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[pepay.secrets]\nodd = {module}:Driver\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(ConfigError, match="the secrets driver 'odd'") as caught:
        open_driver(Settings(secrets={"driver": "odd"}), {})
    assert "hunter2" not in str(caught.value)


# --- client tokens ---


def test_a_client_token_opens_its_own_invoice_and_no_other():
    tokens = ClientTokens(Vault(KEY))
    token = tokens.issue("inv_1")

    assert tokens.verify("inv_1", token)
    assert not tokens.verify("inv_2", token)
    assert not ClientTokens(Vault(OTHER)).verify("inv_1", token)


def test_a_client_token_needs_no_escaping_in_a_url():
    assert all(character.isalnum() or character in "-_" for n in range(200) for character in ClientTokens(Vault(KEY)).issue(f"inv_{n}"))


@pytest.mark.parametrize("token", ["", "é", "\ud800", "x" * 10_000, None])
def test_what_is_no_token_at_all_is_refused_and_raises_nothing(token):
    tokens = ClientTokens(Vault(KEY))

    assert not tokens.verify("inv_1", token if token is not None else tokens.issue("inv_1")[:-1])
