"""While logs grow and questions are asked without a pause, builds come and go: no question fails or waits for it."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from itertools import count
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from steerco_events.contracts import finance, portfolio, risk
from steerco_events.contracts.values import WHOLE_LIFE, Figure, Money
from steerco_events.ids import derived_id
from steerco_events.positions import Token
from steerco_events.projections.builds import Build
from steerco_events.registry import Payload
from steerco_events.testkit.logs import until
from steerco_reporting.app import PORTFOLIO_REGISTER, SERVICE
from steerco_servers.testing import TemporaryPostgres
from steerco_service.testkit.serving import Served, log_only, serving

VIEW = "/views/portfolio_register"
PROJECTS = 8
LONGEST_WAIT = 5.0
"""Seconds; a rebuild takes turns with questions of some milliseconds, on a machine that may be busy with much else."""

type Told = tuple[str, str, Payload]


def project(n: int) -> Any:
    return derived_id("project", n)


def beginning() -> Iterator[Told]:
    """An enterprise and its projects."""
    root = derived_id("unit", "COM")
    yield (
        "portfolio",
        "organization",
        portfolio.UnitOpened(unit_id=root, code="COM", name="Commission", kind="enterprise"),
    )
    for n in range(PROJECTS):
        registered = portfolio.ProjectRegistered(
            project_id=project(n),
            code=f"P-{n}",
            title=f"Project {n}",
            unit_id=root,
            currency="EUR",
            state="executing",
            source="register",
            reference=str(n),
        )
        yield "portfolio", f"project-{project(n)}", registered


def life(n: int) -> Iterator[Told]:
    """What goes on in one project, without end: new rows, and rows that change."""
    project_id = project(n)
    for turn in count():
        cost = Money(Decimal(100 + turn), "EUR")
        posting_id, risk_id = derived_id("posting", n, turn), derived_id("risk", n, turn)
        posted = finance.ActualCostPosted(
            posting_id=posting_id,
            project_id=project_id,
            source="ledger",
            reference=f"{n}-{turn}",
            cost=cost,
            incurred_on=date(2026, 3, 1),
            period="fiscal_year 2026",
            project_version=1,
        )
        yield "finance", f"posting-{posting_id}", posted
        forecast = finance.ForecastMade(
            project_id=project_id,
            measure="cost",
            period=WHOLE_LIFE,
            figure=Figure.disclosed(cost),
            project_version=1,
        )
        yield "finance", f"budget-{project_id}", forecast
        rating: portfolio.Rating = "green" if turn % 2 else "red"
        assessed = portfolio.DeliveryConfidenceAssessed(project_id=project_id, assessor="IPA", rating=rating)
        yield "portfolio", f"project-{project_id}", assessed
        raised = risk.RiskRaised(
            risk_id=risk_id,
            project_id=project_id,
            cause="one supplier",
            event="the supplier fails",
            effect="a year is lost",
            category="supply",
            project_version=1,
        )
        yield "risk", f"risk-{risk_id}", raised
        yield "risk", f"risk-{risk_id}", risk.RiskClosed(risk_id=risk_id, project_id=project_id)


@pytest.fixture(scope="module")
async def edition(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    """Reporting over logs of its own."""
    async with serving([SERVICE, *map(log_only, PORTFOLIO_REGISTER.services)], postgres) as running:
        for told in beginning():
            await running.append(*told)
        await running.settled()
        yield running


class Load:
    """Writers that tell the projects' lives, and readers that time their questions."""

    def __init__(self, edition: Served, reporting: httpx.AsyncClient) -> None:
        self._edition = edition
        self._reporting = reporting
        self._is_over = asyncio.Event()
        self.told = 0
        self.waits: list[float] = []

    async def _write(self, n: int) -> None:
        for told in life(n):
            if self._is_over.is_set():
                return
            await self._edition.append(*told)
            self.told += 1

    async def _read(self, question: str) -> None:
        while not self._is_over.is_set():
            began = time.monotonic()
            answer = await self._reporting.get(question)
            self.waits.append(time.monotonic() - began)
            assert answer.status_code == 200, answer.text

    async def _read_what_was_written(self) -> None:
        """The token of a command is answered with all that it covers, whichever build answers."""
        for turn in count():
            if self._is_over.is_set():
                return
            rating: portfolio.Rating = "amber" if turn % 2 else "green"
            assessed = portfolio.DeliveryConfidenceAssessed(project_id=project(0), assessor="SRO", rating=rating)
            token = await self._edition.append("portfolio", f"project-{project(0)}", assessed)
            answer = await self._answer_that_covers(token)
            said = [line["what"] for line in answer.json()["lines"] if "SRO" in line["what"]]
            assert len(said) == turn + 1

    async def _answer_that_covers(self, token: Token) -> httpx.Response:
        """As a client does: again, when the machine is too slow for the bounded wait, which says so."""
        while True:
            answer = await self._reporting.get("/stories/P-0", headers={"Consistency-Token": token.encode()})
            if answer.status_code != 503 or "Retry-After" not in answer.headers:
                assert answer.status_code == 200, answer.text
                return answer

    @asynccontextmanager
    async def on(self) -> AsyncIterator["Load"]:
        """Inside, there is load."""
        async with asyncio.TaskGroup() as group:
            for n in range(1, 4):
                group.create_task(self._write(n))
            for question in ("/portfolio?by=month&over=true", "/register", "/stories/P-1"):
                group.create_task(self._read(question))
            group.create_task(self._read_what_was_written())
            try:
                yield self
            finally:
                self._is_over.set()


async def rows(edition: Served, build: int) -> Mapping[str, Sequence[object]]:
    """Every row of every table of a build, all columns."""
    async with edition.runtime("reporting").engine.connect() as connection:
        return {
            each.name: (await connection.execute(select(table).order_by(table.c.key, table.c.sealed_from))).all()
            for each in PORTFOLIO_REGISTER.projections
            for table in (Build(PORTFOLIO_REGISTER, build).table(each.name),)
        }


async def until_live(reporting: httpx.AsyncClient, number: int) -> None:
    async def is_live() -> bool:
        builds = (await reporting.get(VIEW)).json()["builds"]
        return (number, "live") in [(each["build"], each["state"]) for each in builds]

    await until(is_live, f"build {number} is live", within=60)


async def asked(reporting: httpx.AsyncClient, what: str) -> int:
    """The number of the build that was asked for, once it is live."""
    answer = await reporting.post(f"{VIEW}/{what}")
    assert answer.status_code == 202, answer.text
    number: int = answer.json()["build"]
    await until_live(reporting, number)
    return number


async def test_builds_come_and_go_under_load_and_no_question_fails_waits_or_is_answered_from_the_past(
    edition: Served,
) -> None:
    reporting = await edition.client("reporting")
    async with Load(edition, reporting).on() as load:
        assert await asked(reporting, "rebuild") == 2
        assert await asked(reporting, "rebuild") == 3
        assert await asked(reporting, "rollback") == 2
        assert await asked(reporting, "rollback") == 3
        assert await asked(reporting, "rollback") == 2
    assert max(load.waits) < LONGEST_WAIT
    assert load.told > PROJECTS
    await edition.settled()
    followed = await rows(edition, 2)
    assert all(followed[name] for name in ("projects", "figures", "actual_costs", "risks", "assessments", "events"))
    assert await asked(reporting, "rebuild") == 4
    assert await rows(edition, 4) == followed
