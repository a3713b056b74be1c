"""The page on identity providers is what happens with a real Keycloak, and its realm is the one that tests import."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from typing import cast

import pytest

from steerco.edition.mounting import parent_app
from steerco.edition.services import SERVICES
from steerco_events.clock import SystemClock
from steerco_servers.realm import CLI, ENTERPRISE_OFFICER, SECRET, steerco_realm, text_of
from steerco_servers.testing import TemporaryKeycloak, TemporaryPostgres
from steerco_service.access.groups import group_roles
from steerco_service.identity.authenticator import Authenticator, Expected
from steerco_service.identity.discovered_keys import DiscoveredKeys
from steerco_service.testkit.listening import listening
from steerco_service.testkit.serving import serving
from tests.docs.test_documents import ROOT, examples, printed
from tests.editions.running import RunningEdition

PAGE = ROOT / "docs" / "how-to" / "connect-an-identity-provider.md"


@dataclass(frozen=True)
class Edition:
    """How a client finds what runs in the test's own process, and its issuer."""

    environment: Mapping[str, str]


@pytest.fixture
async def edition(postgres: TemporaryPostgres, keycloak: TemporaryKeycloak) -> AsyncIterator[Edition]:
    """Whose administrator is one by a group."""
    clock, person = SystemClock(), ENTERPRISE_OFFICER
    authenticator = Authenticator(DiscoveredKeys(keycloak.issuer, clock), clock, Expected(keycloak.issuer))
    token = await keycloak.admin.password_token(CLI, person.username, person.password)
    async with serving(SERVICES, postgres) as served:
        apps = served.trusting(authenticator, group_roles(f"{person.group}=pmo_admin"))
        async with listening(parent_app(apps)) as server:
            told = {"URL": server.url, "ISSUER": keycloak.issuer, "TOKEN": token}
            yield Edition({f"STEERCO_{name}": value for name, value in told.items()} | {"SECRET": SECRET})


@pytest.mark.keycloak
async def test_the_page_is_what_happens(edition: Edition) -> None:
    shown = examples(PAGE)
    got = await asyncio.to_thread(printed, [each.command for each in shown], cast(RunningEdition, edition))
    checker = OutputChecker()
    for example, output in zip(shown, got, strict=True):
        expected = "\n".join(example.expected).strip()
        matches = checker.check_output(f"{expected}\n", f"{output.strip()}\n", ELLIPSIS | NORMALIZE_WHITESPACE)
        assert matches, f"{PAGE.name}:{example.line}: $ {example.command}\nexpected:\n{expected}\ngot:\n{output}"


def test_the_realm_of_the_examples_is_the_one_that_tests_import() -> None:
    """After an intended change: `make docs`."""
    assert (ROOT / "examples" / "keycloak-realm.json").read_text() == text_of(steerco_realm())
