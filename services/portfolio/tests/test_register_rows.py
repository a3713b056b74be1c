"""What a register says of a project is kept once it is loaded, and read by the next import."""

from dataclasses import replace

import httpx

from steerco_events.contracts.portfolio import RegisterRowKept
from steerco_events.ids import derived_id, new_id
from steerco_events.testkit.spec import spec
from steerco_portfolio.domain.project import UnknownProject
from steerco_portfolio.domain.register_row import KeepRegisterRow, register_row_decider

row = spec(register_row_decider)

ID = derived_id("project", "row")
KEEP = KeepRegisterRow(
    project_id=ID, is_known=True, source="register", reference="7", said={"title": '{"title": "Call center"}'}
)
KEPT = RegisterRowKept(project_id=ID, source="register", reference="7", said={"title": '{"title": "Call center"}'})


def test_a_row_is_kept_as_it_was_said() -> None:
    row.given().when(KEEP).then(KEPT)


def test_what_it_says_otherwise_is_kept_anew() -> None:
    row.given(KEPT).when(replace(KEEP, said={"title": "{}"})).then(replace(KEPT, said={"title": "{}"}))


def test_the_same_row_says_nothing_new() -> None:
    row.given(KEPT).when(KEEP).then_nothing()


def test_there_is_no_row_of_a_project_that_there_is_not() -> None:
    row.given().when(replace(KEEP, is_known=False)).then_refused(UnknownProject)


async def test_rows_are_listed_by_source_with_what_they_last_said(portfolio: httpx.AsyncClient) -> None:
    source = f"register {new_id()}"
    project = {
        "project_id": str(new_id()),
        "code": f"ROW-{new_id().hex[-6:]}",
        "title": "Call center",
        "unit_id": str(derived_id("unit", "LIC")),
        "currency": "EUR",
        "source": source,
        "reference": "7",
    }
    assert (await portfolio.post("/projects", json=project)).status_code == 201
    path = f"/projects/{project['project_id']}/register-row"
    for said in ({"title": "first"}, {"title": "second"}):
        kept = await portfolio.put(path, json={"source": source, "reference": "7", "said": said})
        assert kept.status_code == 204, kept.text
    headers = {"Consistency-Token": kept.headers["Consistency-Token"]}
    (found,) = (await portfolio.get("/register-rows", params={"source": source}, headers=headers)).json()
    expected = {"project_id": project["project_id"], "source": source, "reference": "7", "said": {"title": "second"}}
    assert found == expected | {"withheld": None}


async def test_a_row_of_an_unknown_project_is_refused(portfolio: httpx.AsyncClient) -> None:
    body = {"source": "register", "reference": "7", "said": {}}
    answer = await portfolio.put(f"/projects/{new_id()}/register-row", json=body)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:unknown-project")
