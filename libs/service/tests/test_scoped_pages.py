"""`GET /scopes/{unit}/events` as pages: who gets what, by cursors that nobody else can read or make."""

from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy import text

from steerco_events.contracts import portfolio
from steerco_events.ids import derived_id
from steerco_servers.testing import TemporaryPostgres
from steerco_service.scoped.share import SCANNED
from steerco_service.scoped.sharing import DENSE
from steerco_service.testkit.shares import (
    INSIDE,
    LIC,
    MOVING,
    OUTSIDE,
    PERSON,
    SUP,
    Event,
    Ground,
    share_page,
    share_pages,
    two_units,
)


@pytest.fixture(scope="module")
async def ground(postgres: TemporaryPostgres) -> AsyncIterator[Ground]:
    async with two_units(postgres) as found:
        yield found


def subjects(events: Sequence[Event]) -> set[str]:
    return {each["subject"] for each in events}


async def test_a_unit_is_named_by_its_code_or_id_and_is_nothing_for_who_has_no_role_for_it(ground: Ground) -> None:
    events = (await share_page(ground.office)).events
    assert f"project-{INSIDE}" in subjects(events)
    assert f"project-{OUTSIDE}" not in subjects(events)
    assert (await share_page(ground.office, LIC)).events == (await share_page(ground.office, "lic")).events == events
    for unit in ("SUP", SUP, "COM", "NONE", derived_id("none")):
        answer = await ground.office.get(f"/scopes/{unit}/events")
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:unknown-scope"), unit
    assert (await ground.viewer.get("/scopes/LIC/events")).status_code == 403


async def test_nothing_tells_how_much_happens_elsewhere(ground: Ground) -> None:
    events, cursor, _ = await share_page(ground.office)
    assert events
    assert not any(set(DENSE) & each.keys() for each in events)
    for said in (cursor, (await share_page(ground.office, after=cursor)).end):
        assert len(said) > 40
        assert said != (await share_page(ground.office)).end


async def test_who_may_not_see_people_gets_no_secret_of_theirs(ground: Ground) -> None:
    for client, withheld in ((ground.office, None), (ground.machine, "name email")):
        events = (await share_page(client)).events
        (person,) = [each for each in events if each["subject"] == f"person-{PERSON}"]
        assert person.get("withheld") == withheld
        assert ("name" in person["data"]) == (withheld is None)


async def test_a_cursor_is_of_its_service_and_its_scope_and_cannot_be_made(ground: Ground) -> None:
    cursor = (await share_page(ground.office)).end
    everywhere = await ground.served.client("portfolio")
    forged = ("1.5", "", "A" * 60, cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB"), f"{cursor}AAAA", "ü")
    for unit, after in (("SUP", cursor), *(("LIC", each) for each in forged)):
        answer = await everywhere.get(f"/scopes/{unit}/events", params={"after": after})
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:steerco:problem:malformed-cursor"), after
    again = await ground.served.client("portfolio")
    assert (await share_page(again, after=cursor)).events == []


async def test_another_process_goes_on_where_a_cursor_stands(ground: Ground) -> None:
    cursor = (await share_page(ground.office)).end
    assert (await share_page(ground.another(), after=cursor)).events == []


async def test_what_enters_is_told_and_has_a_history_of_before_the_cursor(ground: Ground) -> None:
    cursor = (await share_page(ground.office)).end
    subject = f"project-{MOVING}"
    seen = await ground.moves(SUP, LIC)
    told, after, _ = await share_page(ground.office, seen=seen, after=cursor)
    assert [(each["type"], each["subject"]) for each in told] == [
        ("steerco.scope.entered", subject),
        ("steerco.portfolio.project-moved", subject),
    ]
    history = (await share_page(ground.office, subject=subject)).events
    assert [each["type"].rpartition(".")[2] for each in history] == ["project-registered", "project-moved"]

    await ground.moves(LIC, SUP)
    renamed = portfolio.ProjectRenamed(project_id=MOVING, title="Seen by nobody here")
    seen = await ground.served.append("portfolio", subject, renamed, units=(SUP,))
    await ground.served.settled()
    told, after, _ = await share_page(ground.office, seen=seen, after=after)
    assert [each["type"].rpartition(".")[2] for each in told] == ["left", "project-moved"]
    assert (await share_page(ground.office, after=after)).events == []
    assert "Seen by nobody here" not in str(await share_page(ground.office, subject=subject))
    assert (await share_page(ground.office, subject=f"project-{OUTSIDE}")).events == []


async def test_pages_of_a_long_log_leave_nothing_out_and_the_last_says_up_to_when_it_is_whole(ground: Ground) -> None:
    seen = await ground.renames(INSIDE, LIC, SCANNED)
    await share_page(ground.office, seen=seen)
    for asked in ({}, {"subject": f"project-{INSIDE}"}):
        pages = await share_pages(ground.office, **asked)
        found = [each["id"] for page in pages for each in page.events if each["type"].endswith("project-renamed")]
        assert (len(pages) > 1, len(found), len(set(found))) == (True, SCANNED, SCANNED), asked


@pytest.mark.parametrize(
    "subject", ["unit-x", "unit-", "-", "project", f"pitch-{MOVING}", f"UNIT-{LIC}", f"unit-{LIC}\n", f"unit-{LIC.hex}"]
)
async def test_a_subject_is_one_that_can_enter_by_its_kind_and_id(ground: Ground, subject: str) -> None:
    answer = await ground.office.get("/scopes/LIC/events", params={"subject": [f"project-{INSIDE}", subject]})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:steerco:problem:invalid-request"), answer.text
    (error,) = answer.json()["errors"]
    assert "a subject is unit-, project- or person- with an id in lower case" in error["detail"]


async def test_who_stands_beyond_what_a_restored_log_has_is_told(ground: Ground) -> None:
    cursor = (await share_page(ground.office)).end
    async with ground.served.runtime("portfolio").engine.begin() as tx:
        await tx.execute(
            text(
                "INSERT INTO log.generations SELECT 2, 3, g.system_identifier, g.timeline_id + 1 FROM log.generations g"
            )
        )
    for asked in ({}, {"subject": f"project-{INSIDE}"}):
        answer = await ground.office.get("/scopes/LIC/events", params={"after": cursor, **asked})
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:steerco:problem:log-rewound"), asked
