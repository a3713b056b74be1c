"""What happens in a small commission: its units, projects, figures, risks, courses and appointments as events."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from steerco_events.contracts import finance, portfolio, risk, training
from steerco_events.contracts.values import WHOLE_LIFE, Figure, Measure, Money
from steerco_events.ids import derived_id

MANAGER = derived_id("person", "manager")
PITCH = derived_id("pitch", "web")
RISK, UNRATED, AVERTED = (derived_id("risk", name) for name in ("rated", "unrated", "averted"))
OBLIGATION, FULFILLED, LATE = (derived_id("obligation", course) for course in ("PM-101", "PM-102", "PM-103"))


def unit_id(code: str) -> UUID:
    """A unit by its code."""
    return derived_id("unit", code)


def project_id(code: str) -> UUID:
    """A project by its code; that of the pitch has the id which follows from the pitch."""
    return derived_id("project", PITCH) if code == "WEB-1" else derived_id("project", code)


def opened(
    code: str, kind: portfolio.UnitKind, parent: str | None = None, model: portfolio.PmoModel | None = None
) -> portfolio.UnitOpened:
    """A unit below its parent."""
    return portfolio.UnitOpened(
        unit_id=unit_id(code),
        code=code,
        name=f"{code} by name",
        kind=kind,
        parent_id=unit_id(parent) if parent else None,
        pmo_model=model,
    )


def registered(code: str, unit: str, currency: str) -> portfolio.ProjectRegistered:
    """A project that is there already."""
    return portfolio.ProjectRegistered(
        project_id=project_id(code),
        code=code,
        title=f"{code} by title",
        unit_id=unit_id(unit),
        currency=currency,
        state="executing",
        source="register",
        reference=code,
    )


def figure(said: str | None, currency: str = "EUR") -> Figure:
    """An amount, or what is said in its place."""
    if said is None:
        return Figure.not_stated()
    try:
        return Figure.disclosed(Money.parse(said, currency))
    except ValueError:
        return Figure.undisclosed(said)


def budget(code: str, said: Figure, measure: Measure = "cost", period: str = WHOLE_LIFE) -> finance.BudgetBaselined:
    """What a project may cost, or is to bring."""
    return finance.BudgetBaselined(
        project_id=project_id(code), measure=measure, period=period, figure=said, baseline=1, project_version=1
    )


def forecast(code: str, said: Figure, measure: Measure = "cost", period: str = WHOLE_LIFE) -> finance.ForecastMade:
    """What a project is thought to cost, or to bring."""
    return finance.ForecastMade(
        project_id=project_id(code), measure=measure, period=period, figure=said, project_version=1
    )


def rated(code: str, assessor: str, rating: portfolio.Rating) -> portfolio.DeliveryConfidenceAssessed:
    """How sure somebody is of a project."""
    return portfolio.DeliveryConfidenceAssessed(project_id=project_id(code), assessor=assessor, rating=rating)


def posting_id(reference: str) -> UUID:
    """A posting by its reference."""
    return derived_id("posting", reference)


def posted(reference: str, code: str, amount: str, currency: str = "EUR") -> finance.ActualCostPosted:
    """What a project has cost."""
    return finance.ActualCostPosted(
        posting_id=posting_id(reference),
        project_id=project_id(code),
        source="ledger",
        reference=reference,
        cost=Money(Decimal(amount), currency),
        incurred_on=date(2025, 3, 1),
        period="fiscal_year 2025",
        project_version=1,
    )


def raised(risk_id: UUID, code: str) -> risk.RiskRaised:
    """A risk of a project, not rated yet."""
    return risk.RiskRaised(
        risk_id=risk_id,
        project_id=project_id(code),
        cause="one supplier",
        event="the supplier fails",
        effect="a year is lost",
        category="supply",
        project_version=1,
    )


def owed(obligation_id: UUID, course: str, due_on: date = date(2025, 8, 1)) -> training.ObligationRaised:
    """A course that the manager owes."""
    return training.ObligationRaised(
        obligation_id=obligation_id,
        person_id=MANAGER,
        job_title="Project manager",
        project_id=project_id("R-1"),
        course=course,
        due_on=due_on,
        cause_id=MANAGER,
        cause_type="steerco.portfolio.project-manager-appointed",
    )


def appointed(
    name: str,
    role: portfolio.Role,
    *,
    unit: str | None = None,
    project: str | None = None,
    stands_in: str | None = None,
) -> portfolio.AppointmentMade:
    """A person, who is called as the appointment, from February on; who stands in for another, until August."""
    return portfolio.AppointmentMade(
        appointment_id=derived_id("appointment", name),
        person_id=derived_id("person", name),
        role=role,
        from_on=date(2025, 2, 1),
        until_on=date(2025, 8, 31) if stands_in else None,
        unit_id=unit_id(unit) if unit else None,
        project_id=project_id(project) if project else None,
        delegated_from=derived_id("appointment", stands_in) if stands_in else None,
    )
