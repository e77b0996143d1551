"""``pepay.toml``, overridden by ``PEPAY_*`` in the environment, as one frozen object."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pepay_core.domain.errors import ConfigError
from pepay_core.domain.jsontext import decode
from pepay_core.plugins.validating import EnvironmentText, Invalid, nearest, validate

if TYPE_CHECKING:
    from pydantic_settings import PydanticBaseSettingsSource

FILE_NAME: Final = "pepay.toml"
PREFIX: Final = "PEPAY_"
# Not settings: what the tests are given, and the master key, which the secrets driver reads by itself.
_IGNORED: Final = re.compile(r"PEPAY_(TEST_.*|ANVIL|MASTER_KEY|MASTER_KEY_PREVIOUS|CONFIG)")
_SCHEMES: Final = ("sqlite", "postgres", "postgresql")


def _database_url(url: SecretStr) -> SecretStr:
    if url.get_secret_value().partition("://")[0] not in _SCHEMES:
        raise ValueError("must begin with sqlite:/// or postgres://")
    return url


def _web_url(url: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", url):
        raise ValueError("must be a URL such as https://pay.example.com")
    return url.rstrip("/")


def _contact(text: str) -> str:
    if not re.fullmatch(r"(mailto:[^\s@]+@[^\s@]+|https://[^\s]+|tel:\+[-0-9]+)", text):
        raise ValueError("must be a URI such as mailto:security@example.com or https://example.com/security")
    return text


def _networks(given: tuple[str, ...]) -> tuple[str, ...]:
    for each in given:
        try:
            network = ip_network(each, strict=False)
        except ValueError:
            raise ValueError("must be IP addresses or networks such as 10.0.0.0/8") from None
        if network.prefixlen == 0:
            raise ValueError("must not be everybody: then each client could say which address it has")
    return given


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True)


class ServerSettings(_Section):
    """Where PePay listens, and by which URL others reach it.

    ``hosts`` are further names that requests may be for; ``trusted_proxies`` are the only peers whose ``forwarded_header`` is believed.
    ``tls_certificate`` and ``tls_key`` are PEM files, beside the configuration; ``security_contact`` is where vulnerabilities are reported.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    base_url: Annotated[str, AfterValidator(_web_url)] = "http://localhost:8000"
    hosts: tuple[str, ...] = ()
    trusted_proxies: Annotated[tuple[str, ...], AfterValidator(_networks)] = ()
    forwarded_header: Literal["x-forwarded-for", "forwarded"] = "x-forwarded-for"
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    security_contact: Annotated[str, AfterValidator(_contact)] | None = None

    @model_validator(mode="after")
    def _both_files(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("give both tls_certificate and tls_key, or neither")
        return self


class DatabaseSettings(_Section):
    """The one database; the URL may hold a password, so it is a secret."""

    url: Annotated[SecretStr, AfterValidator(_database_url)] = SecretStr("sqlite:///pepay.db")


class SecretsSettings(_Section):
    """Who keeps the master key. ``path`` is the file of the ``file`` driver, beside the configuration."""

    driver: str = "file"
    path: Path = Path("pepay.key")


class PluginsSettings(_Section):
    """Which plugins may enter. ``prefer`` decides who wins where two contribute the same, such as ``"eip155:1" = "evm"``."""

    enabled: tuple[str, ...] | None = None
    required: tuple[str, ...] = ()
    prefer: dict[str, str] = Field(default_factory=dict)


class RatesSettings(_Section):
    """How many sources must agree on a price, how closely (a share of the median), and how old one may be (seconds).

    A stablecoin further than ``max_depeg`` from the currency that it promises is refused.
    """

    providers: tuple[str, ...] | None = None
    quorum: Annotated[int, Field(ge=1)] = 2
    max_age: Annotated[int, Field(ge=1)] = 120
    max_deviation: Annotated[Decimal, Field(gt=0, lt=1)] = Decimal("0.02")
    max_depeg: Annotated[Decimal, Field(gt=0, lt=1)] = Decimal("0.03")


class WebhooksSettings(_Section):
    """``allow_private`` lets webhooks go to this machine and its network: for development only."""

    allow_private: bool = False


class RetentionSettings(_Section):
    """For how many days what happened is kept; 0 is for ever. What is still to be delivered is kept in any case."""

    attempts: Annotated[int, Field(ge=0)] = 30
    deliveries: Annotated[int, Field(ge=0)] = 90
    events: Annotated[int, Field(ge=0)] = 365
    rates: Annotated[int, Field(ge=0)] = 365

    @model_validator(mode="after")
    def _parts_first(self) -> Self:
        kept = [each or float("inf") for each in (self.attempts, self.deliveries, self.events)]
        if kept != sorted(kept):
            raise ValueError("attempts cannot be kept for longer than deliveries, nor deliveries for longer than events")
        return self


class LimitsSettings(_Section):
    """Requests per minute: writes and reads by key or user, those of buyers, who have neither, and tries to sign in, by address.

    ``live_pages`` are the hosted pages that an address may follow at a time.
    """

    writes_per_minute: Annotated[int, Field(ge=1)] = 100
    reads_per_minute: Annotated[int, Field(ge=1)] = 1000
    buyers_per_minute: Annotated[int, Field(ge=1)] = 120
    sign_ins_per_minute: Annotated[int, Field(ge=1)] = 30
    live_pages: Annotated[int, Field(ge=0)] = 100


class LogSettings(_Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Settings(BaseSettings):
    """Everything an operator can configure. Made by :func:`load_settings`; constructed directly it takes only what it is given."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True)

    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    secrets: SecretsSettings = SecretsSettings()
    plugins: PluginsSettings = PluginsSettings()
    rates: RatesSettings = RatesSettings()
    webhooks: WebhooksSettings = WebhooksSettings()
    limits: LimitsSettings = LimitsSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()
    # Plugins keep secrets here in plain form until their own settings class has them: kept out of the repr.
    plugin: dict[str, dict[str, Any]] = Field(default_factory=dict, repr=False)

    _config_path: Path | None = PrivateAttr(default=None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is the library's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read nothing behind the caller's back: the layers are put together by load_settings."""
        return (init_settings,)

    @property
    def config_path(self) -> Path | None:
        """The file that was read, or None when there was none."""
        return self._config_path

    @property
    def folder(self) -> Path:
        """What relative paths start from: the folder of the configuration file, else the working directory."""
        return self._config_path.parent if self._config_path else Path.cwd()

    @property
    def own_url(self) -> str:
        """The URL in links to this server: as configured, else this machine's own, by the port."""
        server = self.server
        if "base_url" in server.model_fields_set or not server.port:
            return server.base_url
        return f"{'https' if self.tls_files else 'http'}://localhost:{server.port}"

    @property
    def database_url(self) -> str:
        """The database URL with its password, a relative SQLite path resolved: for opening the database, never for printing."""
        url = self.database.url.get_secret_value()
        scheme, _, path = url.partition(":///")
        if scheme != "sqlite" or path.startswith("/") or path in {"", ":memory:"}:
            return url
        return f"sqlite:///{self.folder / path}"

    @property
    def database_name(self) -> str:
        """The database URL as it may be printed."""
        return re.sub(r"://[^\s/]*@", "://", self.database_url).partition("?")[0]

    @property
    def key_path(self) -> Path:
        """The file of the ``file`` secrets driver."""
        return self.folder / self.secrets.path

    @property
    def tls_files(self) -> tuple[Path, Path] | None:
        """The certificate chain and its key, or None where a proxy has them."""
        server = self.server
        if server.tls_certificate is None or server.tls_key is None:
            return None
        return self.folder / server.tls_certificate, self.folder / server.tls_key


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Return the settings from a file (``./pepay.toml`` when None is given, and it exists) and the environment.

    Raises ConfigError, which names each key that is wrong and never a value.
    """
    found = _find(path)
    given = _merged(_read(found) if found else {}, _from_environment(environ))
    try:
        settings = validate(Settings, given)
    except Invalid as exc:
        raise ConfigError(f"{found or 'environment'}: {exc}", hint=exc.hint) from None
    settings._config_path = found  # noqa: SLF001 - not a key that a file could set
    return settings


def _find(path: Path | None) -> Path | None:
    if path is None:
        default = Path(FILE_NAME).absolute()
        return default if default.is_file() else None
    if not path.is_file():
        raise ConfigError(f"there is no configuration file {path}", hint="check --config, or make one with `pepay init`")
    return path.absolute()


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path} is not valid TOML: {exc}", hint="strings need quotes, and a section begins with [name]") from None
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} cannot be read: {type(exc).__name__}", hint="check that it is a UTF-8 text file that this user may read") from None


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return ``PEPAY_SECTION__KEY`` as nested keys; a first word that is no section is a plugin's name."""
    nested: dict[str, Any] = {}
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX) or _IGNORED.fullmatch(variable):
            continue
        words = variable.removeprefix(PREFIX).lower().split("__")
        if len(words) == 1:
            _refuse_single_underscore(variable, words[0], text)
            continue
        if not all(words):
            raise ConfigError(f"the environment variable {variable} has an empty part", hint="write PEPAY_SECTION__KEY")
        if words[0] not in Settings.model_fields:
            words = ["plugin", words[0].replace("_", "-"), *words[1:]]
        _put(nested, words, _value(text, variable), variable)
    return nested


def _refuse_single_underscore(variable: str, name: str, text: str) -> None:
    section, _, key = name.partition("_")
    field = Settings.model_fields.get(section)
    keys = getattr(field.annotation, "model_fields", {}) if field else {}
    # Other names belong to somebody else: an orchestrator sets PEPAY_PORT=tcp://… for a service called pepay.
    meant = nearest(key, keys)
    if meant and not text.startswith("tcp://"):
        raise ConfigError(f"the environment variable {variable} sets nothing", hint=f"write PEPAY_{section.upper()}__{meant.upper()}")


def _value(text: str, variable: str) -> Any:
    if text.lstrip()[:1] in {"[", "{"}:
        try:
            return decode(text.encode())
        except Exception:  # noqa: BLE001 - not JSON after all: the field's own type decides what it is
            return EnvironmentText(text, variable)
    return EnvironmentText(text, variable)


def _put(nested: dict[str, Any], words: list[str], value: Any, variable: str) -> None:
    *above, last = words
    for word in above:
        nested = nested.setdefault(word, {})
        if not isinstance(nested, dict):
            raise ConfigError(f"the environment variable {variable} goes below a key that another one sets", hint="keep one of them")
    if isinstance(nested.get(last), dict) and isinstance(value, dict):
        value = _merged(value, nested[last])
    nested[last] = value


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        mine = merged.get(key)
        merged[key] = _merged(mine, value) if isinstance(mine, Mapping) and isinstance(value, Mapping) else value
    return merged
