"""How a process is told that it is for one unit, and what it does not need then."""

import json
from pathlib import Path

import pytest

from steerco_service.identity.issuer import Issuer
from steerco_service.mirror.settings import Source
from steerco_service.serving import NotServed, needed_by, serve, told
from steerco_service.settings import ServiceSettings
from steerco_service.testkit.serving import log_only

SERVICE = log_only("risk")


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    key = tmp_path / "issuer.json"
    key.write_text(json.dumps(Issuer.generate().public()))
    monkeypatch.setenv("STEERCO_DATABASE_URL", "postgresql+asyncpg://app@127.0.0.1:1/risk")
    monkeypatch.setenv("STEERCO_ISSUER_KEY", str(key))
    return monkeypatch


def settings() -> ServiceSettings:
    return told(ServiceSettings, "worker", needed_by(SERVICE, "worker"))


def test_who_reads_over_http_needs_no_kafka(environ: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotServed, match="STEERCO_KAFKA"):
        settings()
    environ.setenv("STEERCO_SCOPE", "LIC")
    environ.setenv("STEERCO_SOURCE_URL", "https://pmo.example/")
    assert settings().source == Source("LIC", "https://pmo.example")


@pytest.mark.parametrize(
    ("scope", "url", "said"),
    [
        ("LIC", "", "STEERCO_SCOPE and STEERCO_SOURCE_URL go together"),
        ("", "https://pmo.example", "STEERCO_SCOPE and STEERCO_SOURCE_URL go together"),
        ("LIC", "http://pmo.example", "no https URL, or http to loopback"),
    ],
)
def test_a_unit_and_where_it_is_read_go_together(environ: pytest.MonkeyPatch, scope: str, url: str, said: str) -> None:
    environ.setenv("STEERCO_SCOPE", scope)
    environ.setenv("STEERCO_SOURCE_URL", url)
    with pytest.raises(NotServed, match=said):
        settings()


def test_a_service_that_has_a_log_of_its_own_is_for_all(
    environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environ.setenv("STEERCO_SCOPE", "LIC")
    environ.setenv("STEERCO_SOURCE_URL", "https://pmo.example")
    with pytest.raises(SystemExit):
        serve(SERVICE, ["worker"])
    assert "not for risk" in capsys.readouterr().err
