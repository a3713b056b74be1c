"""The first admin is appointed once, at the first start that names one."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from steerco_events.contracts.catalog import CATALOG
from steerco_events.contracts.portfolio import AppointmentEnded, AppointmentMade, UnitOpened
from steerco_events.envelope import Recorded
from steerco_events.ids import derived_id
from steerco_portfolio.app import SERVICE
from steerco_portfolio.reactions.appoint_first_admin_on_first_start import FIRST, appoint_first_admin_on_first_start
from steerco_servers.testing import TemporaryPostgres
from steerco_service.identity.issuer import Issuer
from steerco_service.process import Process
from steerco_service.runtime import Runtime
from steerco_service.settings import ServiceSettings
from steerco_service.testkit.serving import TESTER, Served, log_only, serving

ONE, ANOTHER, ROOT = derived_id("person", "one"), derived_id("person", "another"), derived_id("unit", "COM")


@pytest.fixture
async def not_begun(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    """Portfolio runs, and nobody was appointed at its start."""
    async with serving([replace(SERVICE, begins=None), log_only("intake")], postgres) as running:
        yield running


async def told(runtime: Runtime) -> Sequence[Recorded]:
    """What happened to the first appointment."""
    async with runtime.engine.connect() as connection:
        return await runtime.store.read_events(connection, f"appointment-{FIRST}")


async def test_who_is_named_administers_the_whole_enterprise_from_the_first_start_on(
    served: Served, portfolio: httpx.AsyncClient
) -> None:
    (event,) = await told(served.runtime("portfolio"))
    made = event.payload
    assert isinstance(made, AppointmentMade)
    assert (made.person_id, made.role, made.until_on) == (TESTER.actor.id, "pmo_admin", None)
    assert (made.unit_id, made.project_id, made.from_on) == (None, None, event.recorded_at.date())
    (listed,) = (await portfolio.get("/appointments", params={"person_id": str(TESTER.actor.id)})).json()
    assert listed["appointment_id"] == str(FIRST)


def test_a_process_is_told_by_its_environment_who_that_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = tmp_path / "issuer.json"
    key.write_text(json.dumps(Issuer.generate().public()))
    monkeypatch.setenv("STEERCO_DATABASE_URL", "postgresql+asyncpg://app@127.0.0.1:1/portfolio")
    monkeypatch.setenv("STEERCO_ISSUER_KEY", str(key))
    for said, expected in (("", None), (str(ONE), ONE)):
        monkeypatch.setenv("STEERCO_FIRST_ADMIN", said)
        assert Process(SERVICE, ServiceSettings(), CATALOG).runtime.first_admin == expected


async def test_a_later_start_changes_nothing_also_with_another_and_after_an_end(not_begun: Served) -> None:
    runtime = not_begun.runtime("portfolio")
    for person in (None, ONE, ONE, ANOTHER):
        await appoint_first_admin_on_first_start(replace(runtime, first_admin=person))
    (event,) = await told(runtime)
    assert isinstance(event.payload, AppointmentMade)
    assert event.payload.person_id == ONE
    await not_begun.append("portfolio", event.stream, AppointmentEnded(appointment_id=FIRST))
    for person in (ONE, ANOTHER):
        await appoint_first_admin_on_first_start(replace(runtime, first_admin=person))
    assert len(await told(runtime)) == 2


async def test_nobody_is_appointed_where_nobody_is_named(not_begun: Served) -> None:
    runtime = not_begun.runtime("portfolio")
    await appoint_first_admin_on_first_start(replace(runtime, first_admin=None))
    assert not await told(runtime)


async def test_of_two_that_start_at_once_one_appoints(not_begun: Served) -> None:
    runtime = not_begun.runtime("portfolio")
    starting = [replace(runtime, first_admin=person) for person in (ONE, ANOTHER) * 3]
    await asyncio.gather(*map(appoint_first_admin_on_first_start, starting))
    assert len(await told(runtime)) == 1


async def test_the_first_appointment_concerns_the_root_where_there_is_one_already(not_begun: Served) -> None:
    runtime = not_begun.runtime("portfolio")
    opened = UnitOpened(unit_id=ROOT, code="COM", name="Commission", kind="enterprise")
    await not_begun.append("portfolio", "organization", opened)
    await appoint_first_admin_on_first_start(replace(runtime, first_admin=ONE))
    (event,) = await told(runtime)
    assert event.org_units == (ROOT,)
