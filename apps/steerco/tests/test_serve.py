"""A service process that is told something wrong by its environment says so in one line."""

import json
import sys
from contextlib import redirect_stderr
from importlib import import_module
from io import StringIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from steerco.cli import app
from steerco.edition.services import BY_NAME
from steerco_service.identity.issuer import Issuer
from steerco_service.serving import ROLES, serve

NOWHERE = "postgresql+asyncpg://owner:secret@127.0.0.1:1/risk"


@pytest.fixture
def good(tmp_path: Path) -> dict[str, str]:
    """An environment with all that every role needs."""
    key = tmp_path / "issuer.json"
    key.write_text(json.dumps(Issuer.generate().public()))
    return {"STEERCO_DATABASE_URL": NOWHERE, "STEERCO_ISSUER_KEY": str(key)}


def refused(role: str, environment: dict[str, str], service: str = "risk") -> str:
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(StringIO()) as said:
        for name, value in environment.items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            serve(BY_NAME[service], [role])
    assert ended.value.code == 1, said.getvalue()
    assert said.getvalue().count("\n") == 1, said.getvalue()
    assert "secret" not in said.getvalue()
    return said.getvalue()


@pytest.mark.parametrize("service", BY_NAME)
def test_every_service_is_started_by_itself_in_any_role(
    service: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [f"steerco-{service}", "--help"])
    with pytest.raises(SystemExit) as ended:
        import_module(f"steerco_{service}.__main__").main()
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert all(role in printed for role in ROLES)


@pytest.mark.parametrize(
    ("role", "variable"),
    [("api", "STEERCO_DATABASE_URL"), ("worker", "STEERCO_DATABASE_URL"), ("migrate", "STEERCO_OWNER_URL")],
)
@pytest.mark.parametrize("url", ["nonsense", "postgresql://app:secret@db/risk", "postgresql+asyncpg://h:secret/risk"])
def test_a_database_url_that_is_none_is_named(role: str, variable: str, url: str, good: dict[str, str]) -> None:
    assert f"wrong: {variable} (no URL such as" in refused(role, good | {variable: url})


def test_a_key_file_that_is_not_there_or_holds_no_key_is_named(tmp_path: Path, good: dict[str, str]) -> None:
    key = tmp_path / "key"
    assert f"STEERCO_ISSUER_KEY ({key} can't be read" in refused("api", good | {"STEERCO_ISSUER_KEY": str(key)})
    for content in ("no JSON", "[]", "{}", '{"kty": "RSA"}'):
        key.write_text(content)
        assert "holds no public key" in refused("api", good | {"STEERCO_ISSUER_KEY": str(key)})


def test_a_role_names_the_setting_that_it_misses(good: dict[str, str]) -> None:
    assert (
        refused("api", good | {"STEERCO_DATABASE_URL": ""}).rstrip().endswith("missing or wrong: STEERCO_DATABASE_URL")
    )
    assert refused("migrate", good).rstrip().endswith("missing or wrong: STEERCO_OWNER_URL")
    owned = {"STEERCO_OWNER_URL": NOWHERE}
    assert refused("migrate", owned, "portfolio").rstrip().endswith("missing or wrong: STEERCO_KEYS_OWNER_URL")
    for service in ("risk", "reporting"):
        assert refused("worker", good, service).rstrip().endswith("missing or wrong: STEERCO_KAFKA")


def test_a_first_admin_who_is_no_id_is_named(good: dict[str, str]) -> None:
    assert "wrong: STEERCO_FIRST_ADMIN (" in refused("worker", good | {"STEERCO_FIRST_ADMIN": "Ms. Weber"}, "portfolio")


def test_a_database_that_is_down_is_not_migrated(good: dict[str, str]) -> None:
    assert "the database of risk can't be reached" in refused("migrate", good | {"STEERCO_OWNER_URL": NOWHERE})


def test_a_file_with_a_url_and_an_edge_that_are_wrong_are_named(tmp_path: Path, good: dict[str, str]) -> None:
    file = tmp_path / "database-url"
    told = good | {"STEERCO_DATABASE_URL": "", "STEERCO_DATABASE_URL_FILE": str(file)}
    assert f"wrong: STEERCO_DATABASE_URL_FILE ({file} can't be read" in refused("api", told)
    file.write_text("postgresql://app:secret@db/risk")
    assert "wrong: STEERCO_DATABASE_URL (no URL such as" in refused("api", told)
    assert "wrong: STEERCO_CORS_ORIGINS ('*' would let any" in refused("api", good | {"STEERCO_CORS_ORIGINS": "*"})


@pytest.mark.parametrize("edition", ["up", "run-distributed"])
def test_an_edition_names_what_is_wrong_with_its_edge(edition: str, tmp_path: Path) -> None:
    directory = tmp_path / "data"
    done = CliRunner().invoke(app, [edition, "--data-dir", str(directory)], env={"STEERCO_TRUSTED_PROXIES": "all"})
    assert (done.exit_code, done.output.count("\n")) == (1, 1)
    assert f"{edition} is told by its environment; missing or wrong: STEERCO_TRUSTED_PROXIES ('all'" in done.output
    assert not directory.exists()
