"""The load: the lives of many projects at once, as five services write them, in logs that are really sealed."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import islice
from random import Random
from typing import Any
from uuid import UUID

from steerco_events.contracts import finance, intake, portfolio, risk, training
from steerco_events.contracts.catalog import CATALOG
from steerco_events.contracts.values import WHOLE_LIFE, Figure, Money, StatedDate
from steerco_events.ids import derived_id
from steerco_events.positions import partition_of
from steerco_events.postgres.feed import StoreFeed
from steerco_events.projections.writing import raw_connection
from steerco_events.registry import Payload
from steerco_events.testkit.logs import Log, Server, fresh_log

SERVICES = ("intake", "portfolio", "finance", "risk", "training")
UNITS = 60
AT_ONCE = 2000
"""Projects that are alive at the same time; when one is over, another begins."""

APPEND = 250
"""Events of one append, sealed together: a busy second."""

LEASED_SECONDS = 2.0

BEGIN = datetime(2024, 1, 1, 8, tzinfo=UTC)
ACTORS = [derived_id("person", n) for n in range(200)]
TITLES = ("PMO officer", "Project manager", "Finance controller", "Portfolio manager")
COLUMNS = (
    *("id", "stream", "stream_version", "partition", "type", "schema_version", "recorded_at", "actor"),
    *("actor_title", "client", "reason", "correlation_id", "causation_id", "org_units", "data"),
)

type Told = tuple[str, str, Payload]
"""A service, a stream of it and what was appended there."""


@cache
def unit_id(n: int) -> UUID:
    return derived_id("unit", n)


def organization() -> Iterator[Told]:
    """An enterprise, six business units, their departments."""
    for n in range(UNITS):
        kind: portfolio.UnitKind = "enterprise" if n == 0 else "business_unit" if n < 7 else "department"
        parent = None if n == 0 else unit_id(0 if n < 7 else 1 + n % 6)
        yield (
            "portfolio",
            "organization",
            portfolio.UnitOpened(
                unit_id=unit_id(n), code=f"U-{n}", name=f"Unit number {n}", kind=kind, parent_id=parent
            ),
        )


def project(n: int, random: Random) -> Iterator[Told]:
    """One project from its pitch to its end: some 110 events."""
    pitch_id, project_id = derived_id("pitch", n), derived_id("project", n)
    code, title, unit = f"P-{n:06}", f"Renewal of the installation number {n}", unit_id(7 + n % (UNITS - 7))
    pitch, stream, budget = f"pitch-{pitch_id}", f"project-{project_id}", f"budget-{project_id}"
    yield "intake", pitch, _pitch(pitch_id, code, title, unit)
    yield "intake", pitch, intake.PitchScreened(pitch_id=pitch_id, note="Complete, in line with the strategy")
    approved = intake.PitchApproved(pitch_id=pitch_id, title=title, unit_id=unit, project_code=code, currency="EUR")
    yield "intake", pitch, approved
    chartered = portfolio.ProjectChartered(
        project_id=project_id, code=code, title=title, unit_id=unit, currency="EUR", pitch_id=pitch_id
    )
    yield "portfolio", stream, chartered
    yield "portfolio", f"project-code-{code}", portfolio.ProjectCodeTaken(code=code, project_id=project_id)
    yield "portfolio", stream, portfolio.ProjectPlanningStarted(project_id=project_id)
    manager = random.choice(ACTORS)
    appointed = portfolio.ProjectManagerAppointed(
        project_id=project_id, person_id=manager, job_title="Project manager", unit_id=unit, from_on=_day(random)
    )
    yield "portfolio", stream, appointed
    yield from _training(derived_id("obligation", n), project_id, manager, random)
    periods = (WHOLE_LIFE, "fiscal_year 2024", "fiscal_year 2025")
    for period in periods:
        yield "finance", budget, _baseline(project_id, period, random)
    yield "portfolio", stream, portfolio.ProjectExecutionStarted(project_id=project_id)
    for month in range(12):
        yield from _month(n, month, project_id, random)
        yield "finance", budget, _forecast(project_id, periods[month % 3], random)
    yield "portfolio", stream, portfolio.ProjectClosingStarted(project_id=project_id)
    yield "portfolio", stream, portfolio.ProjectClosed(project_id=project_id)


def _pitch(pitch_id: UUID, code: str, title: str, unit: UUID) -> intake.PitchSubmitted:
    return intake.PitchSubmitted(
        pitch_id=pitch_id,
        title=title,
        unit_id=unit,
        project_code=code,
        currency="EUR",
        template="project-pitch",
        template_version=1,
        fields={"problem": "It is worn out and fails every month", "benefit": "Fewer failures, lower cost of repair"},
        estimated_cost=Money(Decimal("300000.00"), "EUR"),
        organization_version=UNITS,
    )


def _month(n: int, month: int, project_id: UUID, random: Random) -> Iterator[Told]:
    """Costs, a rating, a forecast; now and then a risk or other dates."""
    stream = f"project-{project_id}"
    for cost in range(5):
        posting_id = derived_id("posting", n, month, cost)
        posting = f"posting-{posting_id}"
        yield "finance", posting, _posted(posting_id, project_id, f"{n}-{month}-{cost}", random)
        if random.random() < 0.03:
            yield "finance", posting, finance.ActualCostReversed(posting_id=posting_id, project_id=project_id)
    yield (
        "portfolio",
        stream,
        portfolio.DeliveryConfidenceAssessed(
            project_id=project_id,
            assessor=("IPA", "SRO")[month % 2],
            rating=random.choice(("green", "amber", "red")),
            assessed_on=_day(random),
            evidence="Report of the month",
        ),
    )
    if month % 3 == 0:
        yield from _risk(derived_id("risk", n, month), project_id, random)
        dates = portfolio.ProjectDatesStated(
            project_id=project_id,
            start=StatedDate.stated(_day(random)),
            end=StatedDate.stated(_day(random)),
            contradictory=False,
        )
        yield "portfolio", stream, dates


def _risk(risk_id: UUID, project_id: UUID, random: Random) -> Iterator[Told]:
    stream = f"risk-{risk_id}"
    raised = risk.RiskRaised(
        risk_id=risk_id,
        project_id=project_id,
        cause="There is one supplier",
        event="The supplier delivers late",
        effect="The installation stands still for a quarter",
        category="supply",
        project_version=4,
    )
    yield "risk", stream, raised
    for _ in range(2):
        rated = risk.RiskRated(
            risk_id=risk_id, project_id=project_id, probability=3, impact=4, band="high", matrix_version=1
        )
        yield "risk", stream, rated
    if random.random() < 0.5:
        yield "risk", stream, risk.RiskClosed(risk_id=risk_id, project_id=project_id)


def _training(obligation_id: UUID, project_id: UUID, person_id: UUID, random: Random) -> Iterator[Told]:
    stream = f"learner-{person_id}"
    raised = training.ObligationRaised(
        obligation_id=obligation_id,
        person_id=person_id,
        job_title="Project manager",
        project_id=project_id,
        course="PM-101",
        due_on=_day(random),
        cause_id=derived_id("cause", obligation_id),
        cause_type="steerco.portfolio.project-manager-appointed",
    )
    yield "training", stream, raised
    completion_id = derived_id("completion", obligation_id)
    completed = training.CompletionRecorded(
        completion_id=completion_id, person_id=person_id, course="PM-101", completed_on=_day(random)
    )
    yield "training", stream, completed
    fulfilled = training.ObligationFulfilled(
        obligation_id=obligation_id, project_id=project_id, completion_id=completion_id
    )
    yield "training", stream, fulfilled


def _figure(random: Random) -> Figure:
    if random.random() < 0.05:
        return Figure.undisclosed("Commercially sensitive")
    return Figure.disclosed(_money(random))


def _money(random: Random) -> Money:
    return Money(Decimal(random.randrange(10_000, 90_000_000)) / 100, "EUR")


def _day(random: Random) -> date:
    return date(2024, 1, 1) + timedelta(days=random.randrange(1000))


def _baseline(project_id: UUID, period: str, random: Random) -> finance.BudgetBaselined:
    return finance.BudgetBaselined(
        project_id=project_id, measure="cost", period=period, figure=_figure(random), baseline=1, project_version=4
    )


def _forecast(project_id: UUID, period: str, random: Random) -> finance.ForecastMade:
    return finance.ForecastMade(
        project_id=project_id, measure="cost", period=period, figure=_figure(random), project_version=4
    )


def _posted(posting_id: UUID, project_id: UUID, reference: str, random: Random) -> finance.ActualCostPosted:
    return finance.ActualCostPosted(
        posting_id=posting_id,
        project_id=project_id,
        source="ledger",
        reference=reference,
        cost=_money(random),
        incurred_on=_day(random),
        period="fiscal_year 2024",
        project_version=4,
    )


def enterprise(seed: int = 1) -> Iterator[Told]:
    """The organization, then the lives of projects, mixed, without end."""
    yield from organization()
    random = Random(seed)
    alive = [project(n, random) for n in range(AT_ONCE)]
    begun = AT_ONCE
    while True:
        n = random.randrange(AT_ONCE)
        told = next(alive[n], None)
        if told is None:
            alive[n] = project(begun, random)
            begun += 1
        else:
            yield told


class Teller:
    """Appends to one log what it is told, `APPEND` events at a time, each append sealed by itself."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._versions: dict[str, int] = {}
        self._rows: list[tuple[Any, ...]] = []
        self._leased_at = -LEASED_SECONDS
        self._appending: asyncio.Task[None] | None = None

    async def tell(self, n: int, stream: str, payload: Payload) -> None:
        """The n-th event of all."""
        version = self._versions[stream] = self._versions.get(stream, 0) + 1
        event_type = CATALOG.type_of(payload)
        command_id = UUID(int=n)
        row = (
            *(UUID(int=n | 1 << 127), stream, version, partition_of(stream)),
            *(event_type.name, event_type.version, BEGIN + timedelta(seconds=n), ACTORS[n % len(ACTORS)]),
            *(TITLES[n % len(TITLES)], "steerco", "As the board decided" if n % 7 == 0 else None),
            *(command_id, command_id, [unit_id(n % UNITS)], CATALOG.encode(payload)),
        )
        self._rows.append(row)
        if len(self._rows) == APPEND:
            await self.flush()

    async def flush(self) -> None:
        """Append what is left, once what came before is sealed."""
        await self.close()
        rows, self._rows = self._rows, []
        self._appending = asyncio.create_task(self._append(rows))

    async def close(self) -> None:
        """Return when all that was flushed is sealed."""
        if self._appending:
            await self._appending

    async def _append(self, rows: Sequence[tuple[Any, ...]]) -> None:
        log = self._log
        async with log.engine.begin() as tx:
            connection = await raw_connection(tx)
            await connection.copy_records_to_table("events", schema_name="log", columns=COLUMNS, records=rows)
        now = asyncio.get_running_loop().time()
        if now > self._leased_at + LEASED_SECONDS:
            assert await log.sealer.start()
            self._leased_at = now
        while (await log.sealer.scan()).pending:
            await asyncio.sleep(0.001)


@dataclass(frozen=True, slots=True)
class Portfolios:
    """The logs of five services, by what each is called in the contracts, sealed to their ends."""

    logs: Mapping[str, Log]
    events: int

    def feed(self, service: str) -> StoreFeed:
        """A feed on one of the logs."""
        log = self.logs[service]
        return StoreFeed(log.service, log.reader, CATALOG, log.sealed)

    async def tell(self) -> None:
        """Append the events."""
        tellers = {service: Teller(log) for service, log in self.logs.items()}
        for n, (service, stream, payload) in enumerate(islice(enterprise(), self.events)):
            await tellers[service].tell(n, stream, payload)
        for teller in tellers.values():
            await teller.flush()
            await teller.close()


@asynccontextmanager
async def told_portfolios(server: Server, events: int) -> AsyncIterator[Portfolios]:
    """Portfolios of so many events; dropped on leaving."""
    async with AsyncExitStack() as stack:
        logs = {name: await stack.enter_async_context(fresh_log(server, CATALOG, writers=1)) for name in SERVICES}
        portfolios = Portfolios(logs, events)
        await portfolios.tell()
        yield portfolios
