"""What a process is told by a deployment is what the code takes: it starts with exactly that."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast, get_args

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from steerco.edition.services import BY_NAME
from steerco_service.migrating import MigrationSettings
from steerco_service.serving import Role, needed_by, settings_of, told
from steerco_service.settings import ServiceSettings
from steerco_service.variables import variable_of

ROLES = get_args(Role.__value__)


def known_variables(role: str) -> set[str]:
    """The names of all variables that a process reads in a role."""
    settings = settings_of(cast(Role, role))
    return {variable_of(settings, name) for name in settings.model_fields}


def started(
    service: str, role: str, environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> ServiceSettings | MigrationSettings:
    """What a process of the service makes of its environment; fails with all that is missing or wrong."""
    for name in os.environ:
        if name.startswith("STEERCO_"):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    as_what = cast(Role, role)
    return told(settings_of(as_what), role, needed_by(BY_NAME[service], as_what))


def certificate(file: Path) -> Path:
    """One in a file, of somebody who signs others."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kafka")])
    now = datetime(2026, 3, 31, tzinfo=UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=36_500))
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    return file
