"""What was known at an instant: where projects and units were then, since when a forecast is over, what is whole."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from unittest.mock import ANY

import httpx
import pytest

from steerco_events.clock import ManualClock
from steerco_events.contracts.portfolio import PORTFOLIO, PmoModel, PmoModelAdopted, UnitOpened
from steerco_events.ids import derived_id
from steerco_events.testkit.logs import until
from steerco_events.testkit.recorded import BEGIN, log_of
from steerco_reporting.projections.units import Adoption, Organization, UnitRow, evolve_unit

type Answer = dict[str, Any]

MOVED_AT = "2025-04-15T12:00:00Z"
JUST_BEFORE = "2025-04-15T11:59:59Z"


async def asked(reporting: httpx.AsyncClient, path: str = "/portfolio", **params: str | None) -> Answer:
    answer = await reporting.get(path, params={name: value for name, value in params.items() if value})
    assert answer.status_code == 200, answer.text
    found: Answer = answer.json()
    return found


async def projects(reporting: httpx.AsyncClient, as_of: str | None) -> dict[str, int]:
    """How many projects the units have at an instant, by the codes of the lines."""
    found: dict[str, int] = {}
    for scope in ("LIC", "SUP"):
        answer = await asked(reporting, scope=scope, as_of=as_of)
        found |= {line["unit"]["code"]: line["projects"] for line in answer["units"]}
        assert sum(line["projects"] for line in answer["units"]) == answer["totals"]["projects"]
    return found


async def test_a_project_counts_in_the_unit_where_it_was_known_to_be(reporting: httpx.AsyncClient) -> None:
    assert await projects(reporting, "2025-04-01T00:00:00Z") == {"LIC-reg": 2, "LIC-web": 1, "SUP-insp": 1, "SUP": 1}
    assert await projects(reporting, "2025-05-01T00:00:00Z") == {"LIC-reg": 1, "LIC-web": 1, "SUP-insp": 2, "SUP": 1}


async def test_a_fact_is_known_from_the_very_instant_at_which_it_was_sealed(reporting: httpx.AsyncClient) -> None:
    assert (await projects(reporting, JUST_BEFORE))["SUP-insp"] == 1
    assert (await projects(reporting, MOVED_AT))["SUP-insp"] == 2


async def test_a_moved_units_projects_count_under_the_parent_that_it_had_then(reporting: httpx.AsyncClient) -> None:
    for as_of, licensing, support in [("2025-05-10T11:59:59Z", 2, 3), ("2025-05-10T12:00:00Z", 1, 4), (None, 1, 4)]:
        answer = await asked(reporting, as_of=as_of)
        found = {line["unit"]["code"]: line["projects"] for line in answer["units"]}
        assert found == {"LIC": licensing, "SUP": support}


async def test_a_moved_projects_money_moves_with_it(reporting: httpx.AsyncClient) -> None:
    for as_of, licensing, support in [(JUST_BEFORE, 1, 0), (MOVED_AT, 0, 1)]:
        for scope, withheld in (("LIC", licensing), ("SUP", support)):
            totals = (await asked(reporting, scope=scope, as_of=as_of))["totals"]
            assert totals["figures"][0]["undisclosed"] == withheld


async def test_an_instant_is_the_same_in_every_zone(reporting: httpx.AsyncClient) -> None:
    utc = await asked(reporting, as_of=MOVED_AT)
    for same in ("2025-04-15T14:00+02:00", "2025-04-15T06:30:00-05:30", "2025-04-15T12:00:00.000Z"):
        assert await asked(reporting, as_of=same) == utc | {"sources": ANY}  # logs go on meanwhile


async def test_a_record_is_as_it_was_known(reporting: httpx.AsyncClient) -> None:
    def told(records: Sequence[Answer]) -> object:
        (r1,) = (each for each in records if each["code"] == "R-1")
        owed = (r1["open_obligations"], r1["overdue_obligations"])
        return r1["ratings"].keys(), r1["open_risks"], owed, r1["manager"] is not None

    before = (await reporting.get("/register", params={"as_of": "2025-05-11T11:59:59Z"})).json()
    assert told(before) == (set(), {}, (0, 0), False)
    on_time = (await reporting.get("/register", params={"as_of": "2025-05-17T11:59:59Z"})).json()
    assert told(on_time) == ({"IPA", "SRO"}, {"high": 1}, (3, 0), True)
    assert told((await reporting.get("/register")).json()) == ({"IPA", "SRO"}, {"high": 1}, (2, 1), True)


async def test_an_answer_stands_on_the_last_event_of_each_log_at_its_instant(reporting: httpx.AsyncClient) -> None:
    def positions(answer: Answer) -> dict[str, int]:
        return {service: source["position"] for service, source in answer["sources"].items()}

    early = await asked(reporting, "/sources", as_of="2025-02-03T11:00:00Z")
    assert positions(early) == {"intake": 3, "portfolio": 18, "finance": 0, "risk": 0, "training": 0}
    assert positions(await asked(reporting, as_of="2025-02-03T11:00:00Z")) == positions(early)
    now = await asked(reporting, "/sources")
    assert positions(now) == {"intake": 3, "portfolio": 34, "finance": 16, "risk": 5, "training": 5}


async def test_an_answer_is_complete_once_every_log_is_whole_up_to_its_instant(
    reporting: httpx.AsyncClient, held_back: Any, clock: ManualClock
) -> None:
    async with held_back():
        clock.advance(timedelta(hours=1))
        instant = clock.now().isoformat()
        assert not (await asked(reporting, as_of=instant))["complete"]

    async def complete() -> bool:
        return bool((await asked(reporting, "/sources", as_of=instant))["complete"])

    await until(complete, "every log is known up to the instant")
    answer = await asked(reporting, as_of=instant)
    assert answer["complete"]
    assert {datetime.fromisoformat(each["watermark"]) for each in answer["sources"].values()} == {clock.now()}
    earlier = await asked(reporting, as_of=MOVED_AT)
    assert earlier["complete"]
    assert {each["watermark"] for each in earlier["sources"].values()} == {MOVED_AT}, "the same cut, the same sources"


@pytest.mark.parametrize("path", ["/portfolio", "/register", "/sources", "/stories/R-1"])
async def test_the_future_is_refused(reporting: httpx.AsyncClient, clock: ManualClock, path: str) -> None:
    tomorrow = (clock.now() + timedelta(microseconds=1)).isoformat()
    answer = await reporting.get(path, params={"as_of": tomorrow})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:steerco:problem:instant-in-the-future")
    assert (await reporting.get(path, params={"as_of": clock.now().isoformat()})).status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2025-04-15",
        "2025-04-15T12:00:00",
        "2025-04-15 12:00:00Z",
        "2025-04-15T12:00:00 02:00",
        "2025-04-31T12:00:00Z",
        "2025-04-15T25:00:00Z",
        "2025-04-15T12:00:00.1234567Z",
        "2025-04-15T12:00:00+99:00",
        "0001-01-01T00:00:00+10:00",
        "٢٠٢٥-04-15T12:00:00Z",
        "1744718400",
    ],
)
async def test_what_is_no_instant_with_a_zone_is_refused_with_an_example(
    reporting: httpx.AsyncClient, text: str
) -> None:
    answer = await reporting.get("/portfolio", params={"as_of": text})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:steerco:problem:malformed-instant")
    assert "2026-03-31T23:59:59Z" in answer.json()["detail"]


async def test_before_the_first_event_nothing_was_known(reporting: httpx.AsyncClient) -> None:
    for as_of in ("2025-01-10T11:59:59Z", "0001-01-01T00:00:00Z"):
        answer = await reporting.get("/portfolio", params={"as_of": as_of, "by": "month", "over": "true"})
        assert (answer.status_code, answer.json()["detail"]) == (404, "no unit was opened yet")
        known = await asked(reporting, "/sources", as_of=as_of)
        assert {source["position"] for source in known["sources"].values()} == {0}
    assert (await asked(reporting, as_of="2025-01-10T12:00:00Z"))["totals"]["projects"] == 0


def variances(found: Answer) -> dict[str, str]:
    return {each["currency"]: each["variance"] for each in found["variances"]}


async def test_month_ends_run_from_the_first_events_month_to_the_instant(
    reporting: httpx.AsyncClient, clock: ManualClock
) -> None:
    def ends(answer: Answer) -> Sequence[str]:
        return [month["end"][:10] for month in answer["months"]]

    answer = await asked(reporting, by="month")
    assert ends(answer)[:-1] == ["2025-01-31", "2025-02-28", "2025-03-31", "2025-04-30", "2025-05-31"]
    assert answer["months"][0]["end"] == "2025-01-31T23:59:59.999999Z"
    assert datetime.fromisoformat(answer["months"][-1]["end"]) == clock.now()
    assert ends(await asked(reporting, by="month", as_of="2025-01-10T12:00:00Z")) == ["2025-01-10"]
    assert ends(await asked(reporting, by="month", as_of="2025-01-31T23:59:59.999999Z")) == ["2025-01-31"]
    assert ends(await asked(reporting, by="month", as_of="2025-02-01T00:00:00Z")) == ["2025-01-31", "2025-02-01"]
    assert "months" not in await asked(reporting)


async def test_a_month_tells_what_was_known_and_how_it_was_organized_at_its_end(reporting: httpx.AsyncClient) -> None:
    answer = await asked(reporting, by="month")
    months = {month["end"][:7]: month for month in answer["months"]}
    assert {name: variances(month) for name, month in months.items()} == {
        "2025-01": {},
        "2025-02": {"EUR": "-100.00", "USD": "50.00"},
        "2025-03": {"EUR": "-100.00", "USD": "50.00"},
        "2025-04": {"EUR": "200.00", "USD": "50.00"},
        "2025-05": {"EUR": "200.00", "USD": "50.00"},
        "2025-06": {"EUR": "200.00", "USD": "50.00"},
    }
    for name, month in list(months.items())[:-1]:
        then = await asked(reporting, as_of=month["end"])
        told = (month["projects"], month["figures"], month["variances"])
        assert told == (then["totals"]["projects"], then["totals"]["figures"], then["totals"]["variances"]), name
        assert [unit["code"] for unit in month["units"]] == [line["unit"]["code"] for line in then["units"]]
        assert [unit["variances"] for unit in month["units"]] == [line["variances"] for line in then["units"]]


async def over(
    reporting: httpx.AsyncClient, scope: str | None = None, as_of: str | None = None
) -> dict[str, tuple[str, str]]:
    """The overspends: by project the variance and since when."""
    answer = await asked(reporting, over="true", scope=scope, as_of=as_of)
    return {each["code"]: (each["variance"], each["since"][:10]) for each in answer["over"]}


async def test_an_overspend_counts_from_its_first_day_without_a_break(reporting: httpx.AsyncClient) -> None:
    assert await over(reporting, scope="LIC", as_of="2025-03-05T11:59:59Z") == {}
    assert await over(reporting, scope="LIC", as_of="2025-03-10T00:00:00Z") == {"R-1": ("200.00", "2025-03-05")}
    assert await over(reporting, scope="LIC", as_of="2025-03-20T12:00:00Z") == {}, "a higher budget ended it"
    assert await over(reporting, scope="LIC") == {"R-1": ("200.00", "2025-04-02")}
    assert await over(reporting) == {"R-1": ("200.00", "2025-04-02"), "U-1": ("50.00", "2025-02-10")}


async def test_an_overspend_tells_the_project_and_where_it_was(reporting: httpx.AsyncClient) -> None:
    (found,) = (await asked(reporting, scope="SUP", over="true"))["over"]
    told = {name: found[name] for name in ("code", "unit_code", "measure", "period", "currency", "budget", "forecast")}
    assert told == {
        "code": "U-1",
        "unit_code": "SUP-insp",
        "measure": "cost",
        "period": "whole_life",
        "currency": "USD",
        "budget": "500.00",
        "forecast": "550.00",
    }
    assert "over" not in await asked(reporting, scope="SUP")


async def test_a_pmo_model_is_in_force_from_its_day_and_inherited_below(reporting: httpx.AsyncClient) -> None:
    async def model(scope: str, as_of: str | None = None) -> object:
        return (await asked(reporting, scope=scope, as_of=as_of))["scope"]["pmo_model"]

    assert await model("COM") == "enterprise"
    assert await model("LIC-reg") == "coach", "inherited from the business unit"
    assert await model("SUP-insp", "2025-05-09T00:00:00Z") == "enterprise", "inherited from the root"
    assert await model("SUP", "2025-05-31T23:59:59.999999Z") == "enterprise", "adopted, but not in force yet"
    assert await model("SUP", "2025-06-01T00:00:00Z") == "repository"
    assert await model("LIC-web", "2025-05-10T11:59:59Z") == "coach", "under the parent that it had then"
    assert await model("LIC-web") == "repository"


async def test_duties_are_kept_apart_from_a_day_on_where_it_is_required_and_below(reporting: httpx.AsyncClient) -> None:
    async def separated(scope: str, as_of: str | None = None) -> object:
        return (await asked(reporting, scope=scope, as_of=as_of))["scope"]["separated_duties"]

    apart = ["pitch_submission_and_decision"]
    assert await separated("COM") == await separated("LIC") == []
    assert await separated("SUP", "2025-05-31T23:59:59.999999Z") == [], "adopted, but not in force yet"
    assert await separated("SUP", "2025-06-01T00:00:00Z") == await separated("SUP-insp") == apart
    assert await separated("LIC-web", "2025-05-10T11:59:59Z") == [], "under the parent that it had then"
    assert await separated("LIC-web") == apart


@pytest.mark.parametrize(
    ("adoptions", "in_force"),
    [
        ([("coach", date(2025, 6, 1))], "coach"),
        ([("coach", date(2025, 6, 1)), ("enterprise", date(2025, 9, 1))], "coach"),
        ([("enterprise", date(2025, 3, 1)), ("coach", date(2025, 2, 1))], "enterprise"),
        ([("enterprise", date(2025, 3, 1)), ("coach", date(2025, 3, 1))], "coach"),
        ([("enterprise", date(2025, 9, 1))], "repository"),
        ([], "repository"),
    ],
)
def test_of_several_adoptions_that_with_the_latest_day_is_in_force_of_one_day_the_later_decision_of_none_repository(
    adoptions: Sequence[tuple[PmoModel, date]], in_force: PmoModel
) -> None:
    unit_id = derived_id("unit")
    adopted = tuple(Adoption(model, effective_on) for model, effective_on in adoptions)
    unit = UnitRow(unit_id, "LIC", "Licensing", "business_unit", None, True, adopted)
    assert Organization([unit]).pmo_model(unit_id, date(2025, 6, 1)) == in_force


@pytest.mark.parametrize(("days_after", "in_force"), [(-1, "coach"), (0, "enterprise"), (1, "enterprise")])
def test_a_model_given_at_the_opening_is_in_force_from_that_day(days_after: int, in_force: PmoModel) -> None:
    unit_id, day = derived_id("unit"), BEGIN.date() + timedelta(days=days_after)
    opened = UnitOpened(
        unit_id=unit_id, code="LIC", name="Licensing", kind="business_unit", parent_id=None, pmo_model="coach"
    )
    adopted = PmoModelAdopted(unit_id=unit_id, pmo_model="enterprise", effective_on=day)
    row = None
    for event in log_of([[("organization", opened)], [("organization", adopted)]], "portfolio", PORTFOLIO):
        row = evolve_unit(row, event)
    assert row
    assert Organization([row]).pmo_model(unit_id, BEGIN.date() + timedelta(days=1)) == in_force
