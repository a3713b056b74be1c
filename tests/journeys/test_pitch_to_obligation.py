"""From an idea to a managed project, through the log, across the services."""

import httpx
from sqlalchemy import text

from steerco_events.ids import derived_id, new_id
from steerco_service.testkit.serving import Served
from tests.journeys.bodies import pitch, unit

type Clients = dict[str, httpx.AsyncClient]


async def sent(answer: httpx.Response) -> httpx.Response:
    assert answer.status_code in (201, 204), answer.text
    return answer


async def test_an_approved_pitch_becomes_a_project_that_is_budgeted_risked_and_managed(
    served: Served, clients: Clients
) -> None:
    portfolio, intake, finance = clients["portfolio"], clients["intake"], clients["finance"]
    root = (await sent(await portfolio.post("/units", json=unit("COM", "enterprise")))).json()["id"]
    business = (await sent(await portfolio.post("/units", json=unit("LIC", "business_unit", root)))).json()["id"]
    opened = await sent(await portfolio.post("/units", json=unit("LIC-ops", "department", business)))
    department = opened.json()["id"]
    after = {"Consistency-Token": opened.headers["Consistency-Token"]}

    pitched = await sent(await intake.post("/pitches", json=pitch(department), headers=after))
    location = pitched.headers["Location"]
    await sent(await intake.post(f"{location}/screening", json={"note": "fit"}))
    decision = {"outcome": "approved", "reason": "It pays back within two years"}
    await sent(await intake.post(f"{location}/decision", json=decision))
    await served.settled()

    project_id = derived_id("project", pitched.json()["id"])
    project = (await portfolio.get(f"/projects/{project_id}")).json()
    assert (project["code"], project["state"], project["unit_id"]) == ("LIC-01", "chartered", department)

    budget = {"measure": "cost", "period": "whole_life", "figure": {"money": {"amount": "1250.50", "currency": "EUR"}}}
    await sent(await finance.put(f"/projects/{project_id}/budget", json=budget))
    risk = {
        "project_id": str(project_id),
        "cause": "One engineer",
        "event": "leaves",
        "effect": "slips",
        "category": "staff",
        "probability": 3,
        "impact": 4,
    }
    raised = await sent(await clients["risk"].post("/risks", json=risk))
    assert (await clients["risk"].get(raised.headers["Location"])).json()["band"] == "high"

    manager = {"person_id": str(new_id()), "job_title": "Project manager", "from_on": "2020-05-01"}
    await sent(await portfolio.post(f"/projects/{project_id}/manager", json=manager))
    await served.settled()
    (owed,) = (await clients["training"].get("/obligations", params={"project_id": str(project_id)})).json()
    assert (owed["state"], owed["due_on"]) == ("overdue", "2020-06-30")
    completion = {
        "person_id": manager["person_id"],
        "course": owed["course"],
        "completed_on": "2026-06-12",
    }
    done = await sent(await clients["training"].post("/completions", json=completion))
    headers = {"Consistency-Token": done.headers["Consistency-Token"]}
    (owed,) = (
        await clients["training"].get("/obligations", params={"project_id": str(project_id)}, headers=headers)
    ).json()
    assert owed["state"] == "fulfilled", "also when it is late"


async def test_every_event_of_the_journey_names_the_units_that_it_concerns(served: Served, clients: Clients) -> None:
    (department,) = (await clients["portfolio"].get("/units", params={"code": "LIC-ops"})).json()
    (business,) = (await clients["portfolio"].get("/units", params={"code": "LIC"})).json()
    (project,) = (await clients["portfolio"].get("/projects", params={"code": "LIC-01"})).json()
    (risk,) = (await clients["risk"].get("/risks", params={"project_id": project["project_id"]})).json()
    move = {"unit_id": business["unit_id"], "reason": "Ends there"}
    await sent(await clients["portfolio"].post(f"/projects/{project['project_id']}/move", json=move))
    await served.settled()
    await sent(await clients["risk"].post(f"/risks/{risk['risk_id']}/closure", json={"reason": "It passed"}))
    stamps = {}
    for service in ("intake", "portfolio", "finance", "risk", "training"):
        runtime = served.runtime(service)
        async with runtime.engine.connect() as connection:
            for type_, units in await connection.execute(
                text("SELECT type, org_units FROM log.events ORDER BY position")
            ):
                stamps[type_.rpartition(".")[2]] = {str(unit) for unit in units}
    before, after = department["unit_id"], business["unit_id"]
    assert stamps["pitch-approved"] == stamps["project-chartered"] == stamps["obligation-fulfilled"] == {before}
    assert stamps["budget-baselined"] == stamps["risk-rated"] == stamps["project-manager-appointed"] == {before}
    assert stamps["project-moved"] == {before, after}
    assert stamps["risk-closed"] == {after}
    assert stamps.pop("appointment-made") == set()  # the first administrator's, before there was a unit
    assert all(stamps.values()), stamps


async def test_a_pitch_whose_code_is_taken_comes_back_and_becomes_a_project_under_another(
    served: Served, clients: Clients
) -> None:
    portfolio, intake = clients["portfolio"], clients["intake"]
    (root,) = (await portfolio.get("/units", params={"kind": "enterprise"})).json()
    opened = await sent(await portfolio.post("/units", json=unit("SUP", "business_unit", root["unit_id"])))
    taken = {"code": "SUP-01", "title": "Old", "unit_id": opened.json()["id"], "currency": "EUR"}
    registered = await sent(await portfolio.post("/projects", json=taken | {"source": "list", "reference": "1"}))
    content = {**pitch(opened.json()["id"]), "project_code": "sup-01"}
    headers = {"Consistency-Token": registered.headers["Consistency-Token"]}
    location = (await sent(await intake.post("/pitches", json=content, headers=headers))).headers["Location"]

    async def approved() -> None:
        await sent(await intake.post(f"{location}/screening", json={"note": "fit"}))
        await sent(await intake.post(f"{location}/decision", json={"outcome": "approved", "reason": "It pays"}))
        await served.settled()

    await approved()
    returned = (await intake.get(location)).json()
    assert (returned["state"], returned["reason"]) == ("returned", "another project has the code 'sup-01'")
    await sent(await intake.put(location, json=content | {"project_code": "SUP-02"}))
    await approved()
    project = (await portfolio.get(f"/projects/{derived_id('project', returned['pitch_id'])}")).json()
    assert (project["code"], project["pitch_id"], project["state"]) == ("SUP-02", returned["pitch_id"], "chartered")
