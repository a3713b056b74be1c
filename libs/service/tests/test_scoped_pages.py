"""`GET /scopes/{unit}/events` as pages: who gets what, by cursors that nobody else can read or make."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import text

from steerco_events.contracts import portfolio
from steerco_events.envelope import Actor
from steerco_events.ids import derived_id
from steerco_events.positions import Token
from steerco_events.projections.model import View
from steerco_servers.testing import TemporaryPostgres
from steerco_service.access.placed import ACCESS
from steerco_service.headers import COMPLETE_TO, CONSISTENCY_TOKEN
from steerco_service.identity.principal import Principal
from steerco_service.reference.people import people
from steerco_service.scoped.share import SCANNED
from steerco_service.scoped.sharing import DENSE
from steerco_service.testkit.serving import Served, log_only, serving

ROOT, LIC, SUP = (derived_id("unit", code) for code in ("COM", "LIC", "SUP"))
INSIDE, OUTSIDE, MOVING = (derived_id("project", each) for each in ("inside", "outside", "moving"))
PERSON = derived_id("person", "known")

VIEW = View("portfolio", 1, ("portfolio",), (people, *ACCESS))
SERVICE = replace(log_only("portfolio"), view=VIEW)

type Event = Mapping[str, Any]


class Ground(NamedTuple):
    served: Served
    office: httpx.AsyncClient
    machine: httpx.AsyncClient
    viewer: httpx.AsyncClient


async def held_by(served: Served, role: portfolio.Role) -> httpx.AsyncClient:
    """A client of portfolio, of who has a role at LIC."""
    person = derived_id("person", role)
    made = portfolio.AppointmentMade(
        appointment_id=derived_id("appointment", role),
        person_id=person,
        role=role,
        from_on=date(2026, 1, 1),
        unit_id=LIC,
    )
    await served.append("portfolio", f"appointment-{made.appointment_id}", made, units=(LIC,))
    return await served.client("portfolio", Principal(Actor(person, role), "tests", is_machine=role == "integration"))


def registered(project: object, unit: Any) -> portfolio.ProjectRegistered:
    return portfolio.ProjectRegistered(
        project_id=project,  # type: ignore[arg-type]
        code=str(project)[:8],
        title="t",
        unit_id=unit,
        currency="EUR",
        state="executing",
        source="register",
        reference="1",
    )


@pytest.fixture(scope="module")
async def ground(postgres: TemporaryPostgres) -> AsyncIterator[Ground]:
    async with serving([SERVICE], postgres) as served:
        for unit, code, parent in ((ROOT, "COM", None), (LIC, "LIC", ROOT), (SUP, "SUP", ROOT)):
            kind: portfolio.UnitKind = "business_unit" if parent else "enterprise"
            opened = portfolio.UnitOpened(unit_id=unit, code=code, name=code, kind=kind, parent_id=parent)
            await served.append("portfolio", "organization", opened, units=(unit, *([parent] if parent else [])))
        for project, at in ((INSIDE, LIC), (OUTSIDE, SUP), (MOVING, SUP)):
            await served.append("portfolio", f"project-{project}", registered(project, at), units=(at,))
        known = portfolio.PersonRegistered(person_id=PERSON, unit_id=LIC, name="c2VjcmV0")
        await served.append("portfolio", f"person-{PERSON}", known, units=(LIC,))
        office, machine, viewer = [await held_by(served, each) for each in ("pmo_officer", "integration", "viewer")]
        await served.settled()
        yield Ground(served, office, machine, viewer)


async def page(
    client: httpx.AsyncClient, unit: object = "LIC", seen: Token | None = None, **asked: Any
) -> tuple[Sequence[Event], str]:
    """The events of a page, and the cursor after it."""
    headers = {CONSISTENCY_TOKEN: seen.encode()} if seen else {}
    answer = await client.get(f"/scopes/{unit}/events", params=asked, headers=headers)
    assert answer.status_code == 200, answer.text
    (cursor,) = parse_qs(urlsplit(answer.links["next"]["url"]).query)["after"]
    return answer.json(), cursor


def subjects(events: Sequence[Event]) -> set[str]:
    return {each["subject"] for each in events}


async def test_a_unit_is_named_by_its_code_or_id_and_is_nothing_for_who_has_no_role_for_it(ground: Ground) -> None:
    events, _ = await page(ground.office)
    assert f"project-{INSIDE}" in subjects(events)
    assert f"project-{OUTSIDE}" not in subjects(events)
    assert (await page(ground.office, LIC))[0] == (await page(ground.office, "lic"))[0] == events
    for unit in ("SUP", SUP, "COM", "NONE", derived_id("none")):
        answer = await ground.office.get(f"/scopes/{unit}/events")
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:unknown-scope"), unit
    assert (await ground.viewer.get("/scopes/LIC/events")).status_code == 403


async def test_nothing_tells_how_much_happens_elsewhere(ground: Ground) -> None:
    events, cursor = await page(ground.office)
    assert events
    assert not any(set(DENSE) & each.keys() for each in events)
    for said in (cursor, (await page(ground.office, after=cursor))[1]):
        assert len(said) > 40
        assert said != (await page(ground.office))[1]


async def test_who_may_not_see_people_gets_no_secret_of_theirs(ground: Ground) -> None:
    for client, withheld in ((ground.office, None), (ground.machine, "name email")):
        events, _ = await page(client)
        (person,) = [each for each in events if each["subject"] == f"person-{PERSON}"]
        assert person.get("withheld") == withheld
        assert ("name" in person["data"]) == (withheld is None)


async def test_a_cursor_is_of_its_service_and_its_scope_and_cannot_be_made(ground: Ground) -> None:
    _, cursor = await page(ground.office)
    everywhere = await ground.served.client("portfolio")
    forged = ("1.5", "", "A" * 60, cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB"), f"{cursor}AAAA", "ü")
    for unit, after in (("SUP", cursor), *(("LIC", each) for each in forged)):
        answer = await everywhere.get(f"/scopes/{unit}/events", params={"after": after})
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:steerco:problem:malformed-cursor"), after
    again = await ground.served.client("portfolio")
    assert (await page(again, after=cursor))[0] == []


async def test_another_process_goes_on_where_a_cursor_stands(ground: Ground) -> None:
    _, cursor = await page(ground.office)
    token = ground.office.headers["Authorization"]
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(ground.served.apart("portfolio")),
        base_url="http://portfolio",
        headers={"Authorization": token},
    ) as other:
        assert (await page(other, after=cursor))[0] == []


async def test_what_enters_is_told_and_has_a_history_of_before_the_cursor(ground: Ground) -> None:
    _, cursor = await page(ground.office)
    subject = f"project-{MOVING}"
    seen = await moved(ground, SUP, LIC)
    told, after = await page(ground.office, seen=seen, after=cursor)
    assert [(each["type"], each["subject"]) for each in told] == [
        ("steerco.scope.entered", subject),
        ("steerco.portfolio.project-moved", subject),
    ]
    history, _ = await page(ground.office, subject=subject)
    assert [each["type"].rpartition(".")[2] for each in history] == ["project-registered", "project-moved"]

    await moved(ground, LIC, SUP)
    renamed = portfolio.ProjectRenamed(project_id=MOVING, title="Seen by nobody here")
    seen = await ground.served.append("portfolio", subject, renamed, units=(SUP,))
    await ground.served.settled()
    told, after = await page(ground.office, seen=seen, after=after)
    assert [each["type"].rpartition(".")[2] for each in told] == ["left", "project-moved"]
    assert (await page(ground.office, after=after))[0] == []
    assert "Seen by nobody here" not in str(await page(ground.office, subject=subject))
    assert (await page(ground.office, subject=f"project-{OUTSIDE}"))[0] == []


async def moved(ground: Ground, origin: Any, target: Any) -> Token:
    event = portfolio.ProjectMoved(project_id=MOVING, from_unit_id=origin, to_unit_id=target)
    token = await ground.served.append("portfolio", f"project-{MOVING}", event, units=(origin, target))
    await ground.served.settled()
    return token


async def test_pages_of_a_long_log_leave_nothing_out_and_the_last_says_up_to_when_it_is_whole(ground: Ground) -> None:
    renamed = [portfolio.ProjectRenamed(project_id=INSIDE, title=f"t{n}") for n in range(SCANNED)]
    seen = await ground.served.append("portfolio", f"project-{INSIDE}", *renamed, units=(LIC,))
    await ground.served.settled()
    await page(ground.office, seen=seen)
    for asked in ({}, {"subject": f"project-{INSIDE}"}):
        found: list[str] = []
        after, is_whole = None, False
        while not is_whole:
            answer = await ground.office.get("/scopes/LIC/events", params=asked | ({"after": after} if after else {}))
            found += [each["id"] for each in answer.json() if each["type"].endswith("project-renamed")]
            (after,) = parse_qs(urlsplit(answer.links["next"]["url"]).query)["after"]
            is_whole = COMPLETE_TO in answer.headers
        assert (len(found), len(set(found))) == (SCANNED, SCANNED), asked


async def test_who_stands_beyond_what_a_restored_log_has_is_told(ground: Ground) -> None:
    _, cursor = await page(ground.office)
    async with ground.served.runtime("portfolio").engine.begin() as tx:
        await tx.execute(
            text(
                "INSERT INTO log.generations SELECT 2, 3, g.system_identifier, g.timeline_id + 1 FROM log.generations g"
            )
        )
    answer = await ground.office.get("/scopes/LIC/events", params={"after": cursor})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:steerco:problem:log-rewound")
