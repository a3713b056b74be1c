"""The lives of many projects at once, as five services tell of them."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from random import Random
from uuid import UUID

from steerco_events.contracts import finance, intake, portfolio, risk, training
from steerco_events.contracts.values import WHOLE_LIFE, Figure, Money, StatedDate
from steerco_events.ids import derived_id
from steerco_events.registry import Payload

UNITS = 60
AT_ONCE = 2000
"""Projects that are alive at the same time; when one is over, another begins."""

ACTORS = [derived_id("person", n) for n in range(200)]

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
