"""Who operates a service as a whole acts also while its view is old or not there: it is they who heal it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from steerco_events.clock import ShiftedClock, SystemClock
from steerco_events.contracts.portfolio import PORTFOLIO, AppointmentEnded, AppointmentMade
from steerco_events.projections.builds import Build
from steerco_events.projections.fold import apply
from steerco_events.registry import Payload
from steerco_events.testkit.recorded import log_of
from steerco_servers.testing import TemporaryPostgres
from steerco_service.access.access import STALE_AFTER
from steerco_service.access.groups import GroupRole
from steerco_service.factory import create_app
from steerco_service.identity.principal import Principal
from steerco_service.runtime import Runtime
from steerco_service.testkit.scopes import ENTERPRISE, NORTH, appointed, end, made, organized, somebody, unit_opened
from steerco_service.testkit.scopes import SCOPES as SERVICE
from steerco_service.testkit.serving import serving
from steerco_service.testkit.unattended import client_of, gone_live, unattended

REBUILD = f"/views/{SERVICE.view.name}/rebuild"
NOT_YET = SERVICE.view.version + 1
GROUPS = {"operators": [GroupRole("pmo_admin")], "everywhere": [GroupRole("pmo_admin", "ALL")]}
UNITS = [("organization", unit_opened(ENTERPRISE, None, "ALL")), ("organization", unit_opened(NORTH, ENTERPRISE, "N"))]


def of_a_newer_release(runtime: Runtime, **more: Any) -> Runtime:
    """The service with a version of its view of which no build is there."""
    view = replace(runtime.service.view, version=NOT_YET)
    return replace(runtime, service=replace(runtime.service, view=view), **more)


async def tell(runtime: Runtime, build: Build, *told: tuple[str, Payload]) -> None:
    """Bring events of portfolio's log into a build."""
    async with runtime.engine.begin() as tx:
        await apply(tx, build, log_of([[each] for each in told], "portfolio", PORTFOLIO))


def history(appointment: AppointmentMade, *, is_ended: bool = False) -> Sequence[tuple[str, Payload]]:
    """The events of an appointment."""
    stream = f"appointment-{appointment.appointment_id}"
    ended = [(stream, AppointmentEnded(appointment_id=appointment.appointment_id))] if is_ended else []
    return [(stream, appointment), *ended]


def everywhere(person: Principal) -> AppointmentMade:
    return made(person, "pmo_admin", None)


async def statuses(runtime: Runtime, issuer: Any, person: Principal) -> tuple[int, int, int]:
    """What is answered to who lists what is parked, has the view made anew, and asks for a scope."""
    async with client_of(create_app(runtime), issuer, person) as client:
        answers = await client.get("/log/parked"), await client.post(REBUILD), await client.get("/scope")
    return answers[0].status_code, answers[1].status_code, answers[2].status_code


async def test_who_operates_acts_on_what_was_known_however_old_and_nobody_else_does(
    postgres: TemporaryPostgres,
) -> None:
    async with serving([SERVICE], postgres) as served:
        await organized(served)
        admin, root, north, ended = (somebody() for _ in range(4))
        over = everywhere(ended)
        await appointed(
            served,
            everywhere(admin),
            made(root, "pmo_admin", ENTERPRISE),
            made(north, "pmo_admin", NORTH),
            over,
        )
        await end(served, over)
        await served.settled()
        clock = ShiftedClock(SystemClock())
        clock.set(SystemClock().now() + STALE_AFTER + timedelta(minutes=1))
        runtime = replace(served.runtime("scopes"), clock=clock, stale_after=STALE_AFTER, groups=GROUPS)
        for person in (admin, root, somebody("operators"), somebody("everywhere")):
            assert await statuses(runtime, served.issuer, person) == (200, 202, 503)
        for person in (north, ended, somebody(), somebody("others")):
            assert await statuses(runtime, served.issuer, person) == (403, 403, 503)
        async with client_of(create_app(runtime), served.issuer, admin) as client:
            assert (await client.get("/whole")).status_code == 503, "it is about the whole, and heals nothing"


async def test_while_no_view_was_ever_built_groups_and_the_first_admin_operate(postgres: TemporaryPostgres) -> None:
    first = somebody()
    async with unattended(postgres) as (idle, issuer):
        runtime = replace(idle, groups=GROUPS, first_admin=first.actor.id)
        for person in (first, somebody("operators")):
            assert await statuses(runtime, issuer, person) == (200, 202, 503)
        for person in (somebody("everywhere"), somebody()):
            assert await statuses(runtime, issuer, person) == (403, 403, 503)


@pytest.mark.parametrize(("is_ended", "expected"), [(False, 200), (True, 403)])
async def test_the_first_admin_operates_no_more_once_the_first_build_has_read_of_the_end(
    postgres: TemporaryPostgres, is_ended: bool, expected: int
) -> None:
    first = somebody()
    async with unattended(postgres) as (idle, issuer):
        runtime = replace(idle, first_admin=first.actor.id)
        async with runtime.engine.begin() as tx:
            build = await runtime.builds.begin(tx, runtime.clock.now())
        await tell(runtime, build, *history(everywhere(first), is_ended=is_ended))
        assert (await statuses(runtime, issuer, first))[0] == expected


async def test_while_the_first_build_of_a_newer_release_is_made_the_one_of_the_older_tells_who_operates(
    postgres: TemporaryPostgres,
) -> None:
    first, admin, root = somebody(), somebody(), somebody()
    async with unattended(postgres) as (idle, issuer):
        build = await gone_live(idle)
        at_the_top = made(root, "pmo_admin", ENTERPRISE)
        ended = history(everywhere(first), is_ended=True)
        await tell(idle, build, *UNITS, *ended, *history(everywhere(admin)), *history(at_the_top))
        runtime = of_a_newer_release(idle, first_admin=first.actor.id)
        async with runtime.engine.begin() as tx:
            await runtime.builds.begin(tx, runtime.clock.now())
        async with client_of(create_app(runtime), issuer, admin) as client:
            assert (await client.post(f"/views/{SERVICE.view.name}/accept")).status_code == 202
        for person, expected in ((admin, 200), (root, 200), (first, 403), (somebody(), 403)):
            assert (await statuses(runtime, issuer, person))[0] == expected


async def test_a_build_of_an_older_release_whose_tables_are_others_tells_nothing(postgres: TemporaryPostgres) -> None:
    admin = somebody("operators")
    async with unattended(postgres) as (idle, issuer):
        build = await gone_live(idle)
        await tell(idle, build, *history(everywhere(admin)))
        table = build.table("appointments_held")
        async with idle.engine.begin() as tx:
            await tx.execute(text(f"ALTER TABLE {table.schema}.{table.name} DROP COLUMN delegated_from"))
        runtime = of_a_newer_release(idle)
        assert (await statuses(runtime, issuer, admin))[0] == 403
        assert (await statuses(replace(runtime, groups=GROUPS), issuer, admin))[0] == 200
