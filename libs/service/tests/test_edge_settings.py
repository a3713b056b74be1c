"""What a process is told of its edge by its environment, and what it takes from files because it is secret."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsError

from steerco_service.edge.buckets import Rate
from steerco_service.edge.front import Edge
from steerco_service.edge.sizes import Sizes
from steerco_service.edge.visits import Streams
from steerco_service.hosting import DatabaseUrls
from steerco_service.identity.issuer import Issuer
from steerco_service.migrating import MigrationSettings
from steerco_service.secret_files import SecretSettings
from steerco_service.settings import EdgeSettings, ServiceSettings
from steerco_service.telemetry import TelemetrySettings

URL = "postgresql+asyncpg://app:hushhush@127.0.0.1:1/risk"
PMO = "https://pmo.example"


def told(monkeypatch: pytest.MonkeyPatch, **settings: str) -> EdgeSettings:
    for name, value in settings.items():
        monkeypatch.setenv(f"STEERCO_{name.upper()}", value)
    return EdgeSettings()


def test_the_defaults_are_those_of_an_edge() -> None:
    assert EdgeSettings().edge == Edge()
    assert EdgeSettings().accesses_kept == timedelta(days=90)
    assert EdgeSettings().environment == {}


def test_every_limit_can_be_set_and_told_on(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {
        "cors_origins": "https://pmo.example,http://localhost:3000",
        "trusted_proxies": "10.1.2.3,10.2.0.0/16,2001:db8::/32",
        "hsts_seconds": "0",
        "largest_head": "20000",
        "most_headers": "50",
        "largest_body": "500000",
        "largest_batch": "600000",
        "requests_per_second": "0.5",
        "requests_at_once": "20",
        "streams_per_client": "3",
        "streams": "30",
        "access_log_days": "30",
        "parked_limit": "7",
    }
    assert told(monkeypatch, **settings).accesses_kept == timedelta(days=30)
    assert EdgeSettings().edge == Edge(
        origins=(PMO, "http://localhost:3000"),
        trusted_proxies=("10.1.2.3", "10.2.0.0/16", "2001:db8::/32"),
        hsts_seconds=0,
        sizes=Sizes(20_000, 50, 500_000, 600_000),
        rate=Rate(0.5, 20),
        streams=Streams(3, 30),
    )
    assert EdgeSettings().environment == {f"STEERCO_{name.upper()}": value for name, value in settings.items()}
    assert set(settings) == EdgeSettings.model_fields.keys() - TelemetrySettings.model_fields.keys()


@pytest.mark.parametrize(
    ("setting", "value", "why"),
    [
        ("cors_origins", "*", "'*' would let any site ask; name each one, such as https://pmo.example"),
        ("cors_origins", "https://*.example", "'https://*.example' would let any site ask; name each one"),
        ("cors_origins", f"{PMO}/", "'https://pmo.example/' is no origin as browsers say it"),
        ("cors_origins", f"{PMO},", "'' is no origin as browsers say it"),
        ("trusted_proxies", "*", "'*' is no address or network of a proxy, such as 10.1.2.3 or 10.1.2.0/24"),
        ("trusted_proxies", "proxy.example", "'proxy.example' is no address or network of a proxy"),
        ("trusted_proxies", "0.0.0.0/0", "'0.0.0.0/0' is no address or network of a proxy"),
        ("trusted_proxies", "10.1.2.3/8", "'10.1.2.3/8' is no address or network of a proxy"),
        ("requests_per_second", "0", "greater than 0"),
        ("requests_at_once", "0", "greater than or equal to 1"),
        ("largest_body", "16M", "valid integer"),
    ],
)
def test_what_would_open_everything_or_is_nothing_is_refused(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str, why: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        told(monkeypatch, **{setting: value})
    (error,) = raised.value.errors()
    assert error["loc"] == (setting,)
    assert why in error["msg"]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """All that a service needs but its database; the folder of its files."""
    key = tmp_path / "issuer.json"
    key.write_text(json.dumps(Issuer.generate().public()))
    monkeypatch.setenv("STEERCO_ISSUER_KEY", str(key))
    return tmp_path


@pytest.mark.parametrize(("settings", "secret"), [(ServiceSettings, "database_url"), (MigrationSettings, "owner_url")])
def test_a_secret_may_be_in_a_file(
    environment: Path, monkeypatch: pytest.MonkeyPatch, settings: type[SecretSettings], secret: str
) -> None:
    file = environment / "secret"
    file.write_text(f"{URL}\n")
    monkeypatch.setenv(f"STEERCO_{secret.upper()}_FILE", str(file))
    assert getattr(settings(), secret) == URL


def test_a_migration_is_told_the_owners_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEERCO_OWNER_URL", URL)
    assert (MigrationSettings().owner_url, MigrationSettings().keys_owner_url) == (URL, "")
    assert not {name for name in ServiceSettings.model_fields if "owner" in name}


def test_a_setting_that_is_no_secret_is_in_no_file(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEERCO_DATABASE_URL", URL)
    monkeypatch.setenv("STEERCO_KAFKA_FILE", str(environment / "nothing"))
    assert ServiceSettings().kafka == ""


def reason(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(f"STEERCO_{name.upper()}", value)
    with pytest.raises(SettingsError) as raised:
        ServiceSettings()
    assert "hushhush" not in str(raised.value)
    return str(raised.value.__cause__)


def test_a_file_that_cannot_be_read_is_named(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = environment / "secret"
    said = f"STEERCO_DATABASE_URL_FILE ({file} can't be read: "
    assert reason(monkeypatch, database_url_file=str(file)) == f"{said}No such file or directory)"
    file.write_bytes(b"\xffhushhush")
    assert reason(monkeypatch, database_url_file=str(file)) == f"{said}it is no text)"


def test_a_secret_is_told_once(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "STEERCO_DATABASE_URL_FILE (and STEERCO_DATABASE_URL is set, too)"
    assert reason(monkeypatch, database_url=URL, database_url_file=str(environment / "secret")) == said


def test_settings_and_their_errors_show_no_secret(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEERCO_DATABASE_URL", URL)
    monkeypatch.setenv("STEERCO_OWNER_URL", URL)
    urls = DatabaseUrls(URL, URL, URL)
    for settings in (ServiceSettings(), MigrationSettings()):
        assert "hushhush" not in f"{settings} {settings!r} {urls}"
    monkeypatch.setenv("STEERCO_DATABASE_URL", URL.replace("postgresql", "mysql"))
    monkeypatch.setenv("STEERCO_PORT", "-1")
    monkeypatch.delenv("STEERCO_ISSUER_KEY")
    with pytest.raises(ValidationError) as raised:
        ServiceSettings()
    assert "hushhush" not in f"{raised.value} {raised.value!r}"
