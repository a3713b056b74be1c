"""The example, told once more with a standing clock and a few acts beyond it, so that every event happens.

`python -m tests.contracts.told_example docs/reference/samples.json` writes one event of each type anew, as the
feed gives them: what the pages of the reference show.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote
from uuid import UUID

import httpx

from steerco.edition.services import SERVICES
from steerco.example.acts import CONTROLLER, LAST_DAY, LEAD, TRAINER, Act, Calendar, Chapter, Project, unit_id
from steerco.example.telling import story
from steerco_events.clock import ManualClock
from steerco_events.envelope import Actor, Recorded
from steerco_events.ids import derived_id
from steerco_events.ports import Cursor
from steerco_events.reference.samples import samples, samples_text
from steerco_servers.testing import temporary_postgres
from steerco_service.identity.principal import Principal
from steerco_service.testkit.serving import TESTER, Served, Server, serving

CALENDAR = Calendar(date(2026, 1, 1))
DAY = LAST_DAY + 1
DESKS = derived_id("example", "pitch", "COR-06")
ARCHIVE = derived_id("project", derived_id("example", "pitch", "COR-05"))
POSTING = derived_id("posting", "ledger", "LIC-03-interfaces")


@asynccontextmanager
async def told_example(server: Server) -> AsyncIterator[Mapping[str, Sequence[Recorded]]]:
    """The whole logs of the services afterwards, each in its order. Acts are sent one by one, so no two runs differ
    in more than made-up identifiers and the instants of seals."""
    clock = ManualClock(CALENDAR.at(0))
    async with serving(SERVICES, server, clock) as served:
        clients: dict[tuple[str, UUID], httpx.AsyncClient] = {}
        for day, acts in groupby([*story(CALENDAR, TESTER.actor), *beyond()], key=lambda act: act.day):
            clock.set(CALENDAR.at(day))
            await served.settled()
            for service, sent in groupby(acts, key=lambda act: act.service):
                for act in sent:
                    if (key := (service, act.who.id)) not in clients:
                        clients[key] = await served.client(service, Principal(act.who, "steerco example"))
                    await _send(clients[key], act)
                    if act.who == TESTER.actor:
                        await served.settled()
                await served.settled()
        owed = await served.client("training", Principal(TRAINER, "steerco example"))
        await _waive(owed)
        await served.settled()
        yield {service.name: await _log(served, service.name) for service in SERVICES if service.owns_log}


def beyond() -> Chapter:
    """What the example does not tell."""
    joint = Project("LIC-03", "Fit-and-proper checks shared with Zurich", "LIC-applications", "CHF", CALENDAR)
    row = {"title": json.dumps(joint.title), "currency": json.dumps("CHF"), "budget": json.dumps("240000.00")}
    return [
        *_of_units(),
        *joint.went(DAY, "on_hold", "Zurich asks for a pause"),
        _act(LEAD, "portfolio", f"/projects/{joint.project_id}/title", {"title": "Checks shared with Zurich"}, "PUT"),
        _act(
            LEAD,
            "portfolio",
            f"/projects/{joint.project_id}/register-row",
            {"source": "Register of Zurich", "reference": "7", "said": row},
            "PUT",
        ),
        *_a_code_that_is_taken(),
        _act(LEAD, "intake", f"/pitches/{DESKS}/withdrawal", {"reason": "The premises decide it"}),
        _act(CONTROLLER, "finance", f"/postings/{POSTING}/reversal", {"reason": "Zurich pays it"}),
        *joint.went(DAY + 1, "resumed", "Zurich goes on"),
    ]


def _of_units() -> Iterator[Act]:
    model = {"pmo_model": "coach", "effective_on": CALENDAR.on(DAY + 30), "reason": "The records are in order"}
    yield _act(LEAD, "portfolio", f"/units/{unit_id('LIC')}/pmo-model", model)
    apart = {
        "duties": "pitch_submission_and_decision",
        "is_required": True,
        "effective_on": CALENDAR.on(DAY + 30),
        "reason": "The auditors asked for two pairs of eyes",
    }
    yield _act(LEAD, "portfolio", f"/units/{unit_id('LIC')}/separation-of-duties", apart, "PUT")
    name = {"name": "Market conduct and consumers"}
    yield _act(LEAD, "portfolio", f"/units/{unit_id('SUP-conduct')}/name", name, "PUT")
    lab = {
        "unit_id": unit_id("SUP-lab"),
        "code": "SUP-lab",
        "name": "Innovation laboratory",
        "kind": "department",
        "parent_id": unit_id("SUP"),
    }
    yield _act(LEAD, "portfolio", "/units", lab)
    yield _act(LEAD, "portfolio", f"/units/{lab['unit_id']}/closure", {"reason": "Never staffed"})


def _a_code_that_is_taken() -> Iterator[Act]:
    """A pitch that is approved and can't become a project: portfolio refuses, intake returns it."""
    search = Project("LIC-06", "Search for licences by voice", "LIC-register", "EUR", CALENDAR)
    problem = "Holders who can't read the screen call us."
    (pitched,) = search.pitched(DAY, "Director of Licensing", problem, "They ask the register.", 60_000)
    yield replace(pitched, body={**pitched.body, "project_code": "LIC-01"})
    yield from search.screened(DAY, "Small and clear.")
    yield from search.decided(DAY, "approved", "The register is for everyone")


def _act(
    who: Actor,
    service: Literal["intake", "portfolio", "finance"],
    path: str,
    body: Mapping[str, Any],
    method: Literal["POST", "PUT"] = "POST",
) -> Act:
    return Act(DAY, who, service, method, path, body, "beyond")


async def _send(client: httpx.AsyncClient, act: Act) -> None:
    headers = {"Reason": quote(act.reason)} if act.reason else {}
    answer = await client.request(act.method, act.path, json=act.body, headers=headers)
    assert answer.is_success, f"{act}: {answer.text}"


async def _waive(trainer: httpx.AsyncClient) -> None:
    """The obligation of the manager of the archive: its id is known only when it was raised."""
    owed = (await trainer.get("/obligations", params={"project_id": str(ARCHIVE)})).json()
    path = f"/learners/{owed[0]['person_id']}/obligations/{owed[0]['obligation_id']}/waiver"
    answer = await trainer.post(path, json={"reason": "Has managed archives for ten years"})
    assert answer.is_success, answer.text


async def _log(served: Served, service: str) -> Sequence[Recorded]:
    feed, cursor = served.runtime(service).open_feed(service), Cursor()
    events: list[Recorded] = []
    try:
        while (batch := await feed.read(cursor, 1000)).events:
            events += batch.events
            cursor = batch.cursor
    finally:
        await feed.close()
    return events


async def _write(path: Path) -> None:
    async with temporary_postgres({"fsync": "off"}) as server, told_example(server) as logs:
        path.write_text(samples_text(samples(logs)), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(_write(Path(sys.argv[1])))
