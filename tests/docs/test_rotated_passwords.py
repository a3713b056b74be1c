"""A service whose role at the database was changed as the page says sees of the server what it saw before."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import text

from steerco.edition.services import BY_NAME
from steerco_events.contracts.risk import RiskClosed
from steerco_events.envelope import Context
from steerco_events.ids import derived_id, new_id
from steerco_events.metrics import LOG_HELD
from steerco_events.postgres.store import Write
from steerco_servers.provisioning import ServiceDatabase, connect_as_admin, role_url
from steerco_servers.testing import TemporaryPostgres
from steerco_service.operations.sampling import Sampling
from steerco_service.testkit.serving import TESTER, Served, serving
from tests.docs.test_documents import ROOT

PAGE = ROOT / "docs" / "how-to" / "rotate-keys.md"
NAME, PASSWORD = "steerco_finance", "…"
RISK = derived_id("risk", 1)


def statements() -> list[str]:
    """What the page has be said to the server, in its order."""
    return re.findall(rf"`((?:CREATE|ALTER) ROLE {NAME}_app[^`]*)`", PAGE.read_text())


class Rotated:
    """A server on which every service got another role after its databases were made."""

    def __init__(self, postgres: TemporaryPostgres) -> None:
        self._postgres = postgres

    @asynccontextmanager
    async def databases(self, *services: str) -> AsyncIterator[Mapping[str, ServiceDatabase]]:
        async with self._postgres.databases(*services) as made:
            admin = await connect_as_admin(self._postgres.admin_url)
            try:
                for each in made.values():
                    for statement in statements():
                        await admin.execute(statement.replace(NAME, each.name))
                yield {service: self._as_another(each) for service, each in made.items()}
            finally:
                for each in made.values():
                    await admin.execute(f'DROP ROLE IF EXISTS "{each.name}_app_2"')
                await admin.close()

    def _as_another(self, database: ServiceDatabase) -> ServiceDatabase:
        role = f"{database.name}_app_2"
        return replace(database, app_url=role_url(self._postgres.admin_url, database.name, role, PASSWORD))


@pytest.fixture
async def rotated(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([BY_NAME["risk"]], Rotated(postgres)) as served:
        yield served


async def test_who_logs_in_as_another_role_still_sees_since_when_an_append_is_open(rotated: Served) -> None:
    assert [each.partition(" ")[0] for each in statements()] == ["CREATE", "ALTER", "ALTER"]
    client, runtime = await rotated.client("risk"), rotated.runtime("risk")
    async with runtime.engine.connect() as connection:
        who = (await connection.execute(text("SELECT session_user::text, current_user::text, now()"))).one()
        assert (who.session_user[-6:], who.current_user[-4:]) == ("_app_2", "_app")
        context = Context(new_id(), TESTER.actor, "tests", runtime.clock.now(), new_id(), new_id())
        await runtime.store.append(
            connection, [Write("risk-1", 0, [RiskClosed(risk_id=RISK, project_id=RISK)])], context
        )
        assert datetime.fromisoformat((await client.get("/log")).json()["open_since"]) == who.now
        held = [each.value for each in await Sampling([runtime]).samples() if each.about is LOG_HELD.about]
        assert [value > 0 for value in held] == [True]
