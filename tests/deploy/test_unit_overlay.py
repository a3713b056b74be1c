"""Reporting for one unit is the same image and the same template, told a few things; it has neither Kafka nor keys."""

import pytest

from steerco_service.migrating import MigrationSettings
from steerco_service.mirror.settings import Source
from steerco_service.settings import ServiceSettings
from tests.deploy.manifests import Secret, secrets_of_development, workloads
from tests.deploy.telling import ROLES, known_variables, started

OVERLAY = "unit"


def test_it_is_reporting_in_every_role_and_nothing_else() -> None:
    assert sorted((each.service, each.role) for each in workloads(OVERLAY)) == sorted(("reporting", r) for r in ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_its_processes_start_with_what_they_are_told(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (workload,) = [each for each in workloads(OVERLAY) if each.role == role]
    secrets = secrets_of_development()
    environment = {
        name: secrets[value] if isinstance(value, Secret) else value for name, value in workload.environment.items()
    }
    assert {name for name in environment if name.startswith(("STEERCO_", "OTEL_"))} <= known_variables(role)
    assert not any("KAFKA" in name for name in environment)
    assert not workload.files
    settings = started("reporting", role, environment, monkeypatch)
    if isinstance(settings, MigrationSettings):
        return
    assert isinstance(settings, ServiceSettings)
    assert settings.source == Source("LIC", "https://steerco.example")
    assert (bool(settings.client_id and settings.client_secret), settings.portfolio_url) == (True, "")
