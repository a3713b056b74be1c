"""Half a year of a small commission, told through the logs of five services under a clock that is set by hand."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from steerco_events.clock import ManualClock
from steerco_events.contracts import finance, intake, portfolio, risk, training
from steerco_events.contracts.values import Money, StatedDate
from steerco_events.ids import derived_id
from steerco_events.registry import Payload
from steerco_service.testkit.commission_events import (
    AVERTED,
    FULFILLED,
    LATE,
    MANAGER,
    OBLIGATION,
    PITCH,
    RISK,
    UNRATED,
    appointed,
    budget,
    figure,
    forecast,
    opened,
    owed,
    posted,
    posting_id,
    project_id,
    raised,
    rated,
    registered,
    unit_id,
)
from steerco_service.testkit.serving import Served


class Telling:
    """Appends events just before the noon of days that are set by hand, those of a day sealed before the next.

    Not at noon itself: a log that says meanwhile that it is whole up to now seals what comes a microsecond later.
    """

    def __init__(self, served: Served, clock: ManualClock) -> None:
        self._served = served
        self._clock = clock

    async def at(
        self,
        day: str,
        service: str,
        stream: str,
        *events: Payload,
        reason: str | None = None,
        behalf: UUID | None = None,
    ) -> None:
        """Append to a stream of a service on a day."""
        instant = datetime.fromisoformat(f"{day}T11:59:59.5+00:00")
        if instant != self._clock.now():
            await self._served.settled()
            self._clock.set(instant)
        await self._served.append(service, stream, *events, reason=reason, behalf=behalf)

    async def organization(self, day: str, *events: Payload, reason: str | None = None) -> None:
        """What happens to the units."""
        await self.at(day, "portfolio", "organization", *events, reason=reason)

    async def project(self, day: str, code: str, *events: Payload, reason: str | None = None) -> None:
        """What happens to a project."""
        await self.at(day, "portfolio", f"project-{project_id(code)}", *events, reason=reason)

    async def money(self, day: str, code: str, *events: Payload, reason: str | None = None) -> None:
        """What is said of a project's money."""
        await self.at(day, "finance", f"budget-{project_id(code)}", *events, reason=reason)

    async def pitch(self, day: str, *events: Payload, reason: str | None = None) -> None:
        """What becomes of the pitch."""
        await self.at(day, "intake", f"pitch-{PITCH}", *events, reason=reason)


BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
END = datetime(2025, 6, 10, 12, tzinfo=UTC)


async def tell_half_a_year(served: Served, clock: ManualClock) -> None:
    """All of it; the clock stands at its end then."""
    tell = Telling(served, clock)
    await _tell_beginning(tell)
    await _tell_appointments(tell)
    await _tell_money(tell)
    await _tell_moves(tell)
    await _tell_risks_and_training(tell)
    await _tell_who_left(tell)
    await served.settled()
    clock.set(END)


async def _tell_beginning(tell: Telling) -> None:
    await tell.organization(
        "2025-01-10",
        opened("COM", "enterprise", model="enterprise"),
        opened("LIC", "business_unit", "COM", "coach"),
        opened("SUP", "business_unit", "COM"),
        opened("LIC-reg", "department", "LIC"),
        opened("LIC-web", "department", "LIC"),
        opened("SUP-insp", "department", "SUP"),
    )
    await tell.pitch(
        "2025-01-15",
        intake.PitchSubmitted(
            pitch_id=PITCH,
            title="Licences on line",
            unit_id=unit_id("LIC-web"),
            project_code="WEB-1",
            currency="EUR",
            template="project-pitch",
            template_version=1,
            fields={},
            estimated_cost=Money(Decimal("300000.00"), "EUR"),
            organization_version=6,
        ),
    )
    await tell.pitch("2025-01-20", intake.PitchScreened(pitch_id=PITCH, note=""))
    approved = intake.PitchApproved(
        pitch_id=PITCH, title="Licences on line", unit_id=unit_id("LIC-web"), project_code="WEB-1", currency="EUR"
    )
    await tell.pitch("2025-01-22", approved, reason="Pays back within two years")
    chartered = portfolio.ProjectChartered(
        project_id=project_id("WEB-1"),
        code="WEB-1",
        title="Licences on line",
        unit_id=unit_id("LIC-web"),
        currency="EUR",
        pitch_id=PITCH,
    )
    await tell.project("2025-01-22", "WEB-1", chartered)
    await tell.project("2025-01-25", "R-1", registered("R-1", "LIC-reg", "EUR"))
    await tell.project("2025-01-25", "R-2", registered("R-2", "LIC-reg", "EUR"))
    await tell.project("2025-01-25", "U-1", registered("U-1", "SUP-insp", "USD"))
    await tell.project("2025-01-25", "D-1", registered("D-1", "SUP", "EUR"))


async def _tell_money(tell: Telling) -> None:
    await tell.money("2025-02-03", "R-1", budget("R-1", figure("1000.00")), budget("R-1", figure("-50.00"), "benefit"))
    await tell.money("2025-02-03", "R-2", budget("R-2", figure("Exempt under the law")))
    await tell.money("2025-02-03", "U-1", budget("U-1", figure("500.00", "USD")))
    await tell.money("2025-02-03", "D-1", budget("D-1", figure(None)))
    await tell.money("2025-02-03", "WEB-1", budget("WEB-1", figure("300.00"), period="fiscal_year 2025"))
    await tell.money("2025-02-10", "R-1", forecast("R-1", figure("900.00")))
    await tell.money("2025-02-10", "U-1", forecast("U-1", figure("550.00", "USD")))
    await tell.money("2025-02-10", "WEB-1", forecast("WEB-1", figure("310.00")))
    await tell.money("2025-03-05", "R-1", forecast("R-1", figure("1200.00")), reason="Steel is dearer")
    await tell.money("2025-03-20", "R-1", budget("R-1", figure("1300.00")))
    await tell.money("2025-04-02", "R-1", forecast("R-1", figure("1500.00")))
    await tell.at("2025-04-03", "finance", f"posting-{posting_id('right')}", posted("right", "R-1", "120.50"))
    reversal = finance.ActualCostReversed(posting_id=posting_id("wrong"), project_id=project_id("R-1"))
    await tell.at("2025-04-03", "finance", f"posting-{posting_id('wrong')}", posted("wrong", "R-1", "9.00"), reversal)
    await tell.at("2025-04-03", "finance", f"posting-{posting_id('usd')}", posted("usd", "U-1", "40.00", "USD"))


async def _tell_moves(tell: Telling) -> None:
    moved = portfolio.ProjectMoved(
        project_id=project_id("R-2"), from_unit_id=unit_id("LIC-reg"), to_unit_id=unit_id("SUP-insp")
    )
    await tell.project("2025-04-15", "R-2", moved, reason="Inspectors use it")
    await tell.organization(
        "2025-05-10",
        portfolio.UnitMoved(unit_id=unit_id("LIC-web"), from_parent_id=unit_id("LIC"), to_parent_id=unit_id("SUP")),
        portfolio.PmoModelAdopted(unit_id=unit_id("SUP"), pmo_model="repository", effective_on=date(2025, 6, 1)),
        portfolio.SeparationOfDutiesAdopted(
            unit_id=unit_id("SUP"),
            duties="pitch_submission_and_decision",
            is_required=True,
            effective_on=date(2025, 6, 1),
        ),
    )
    dates = portfolio.ProjectDatesStated(
        project_id=project_id("R-1"),
        start=StatedDate.stated(date(2025, 9, 1)),
        end=StatedDate.stated(date(2025, 3, 1)),
        contradictory=True,
    )
    appointed = portfolio.ProjectManagerAppointed(
        project_id=project_id("R-1"),
        person_id=MANAGER,
        job_title="Project manager",
        unit_id=unit_id("LIC-reg"),
        from_on=date(2025, 5, 12),
    )
    await tell.project("2025-05-11", "R-1", rated("R-1", "IPA", "red"), rated("R-1", "SRO", "green"), dates, appointed)
    await tell.project("2025-05-11", "U-1", rated("U-1", "IPA", "amber"), rated("U-1", "IPA", "amber_red"))
    said = replace(rated("R-2", "IPA", "undisclosed"), said="Exempt under the law")
    await tell.project("2025-05-11", "R-2", said, rated("R-2", "SRO", "green"), rated("R-2", "SRO", "not_rated"))


async def _tell_risks_and_training(tell: Telling) -> None:
    learner = f"learner-{MANAGER}"
    late = owed(LATE, "PM-103", due_on=date(2025, 5, 16))
    await tell.at("2025-05-12", "training", learner, owed(OBLIGATION, "PM-101"), owed(FULFILLED, "PM-102"), late)
    band = risk.RiskRated(
        risk_id=RISK, project_id=project_id("R-1"), probability=3, impact=5, band="high", matrix_version=1
    )
    await tell.at("2025-05-13", "risk", f"risk-{RISK}", raised(RISK, "R-1"))
    await tell.at("2025-05-14", "risk", f"risk-{RISK}", band, reason="After the audit", behalf=MANAGER)
    await tell.at("2025-05-15", "risk", f"risk-{UNRATED}", raised(UNRATED, "U-1"))
    averted = risk.RiskClosed(risk_id=AVERTED, project_id=project_id("R-1"))
    await tell.at("2025-05-16", "risk", f"risk-{AVERTED}", raised(AVERTED, "R-1"), averted)
    overdue = training.ObligationFellOverdue(obligation_id=LATE, project_id=project_id("R-1"), due_on=date(2025, 5, 16))
    await tell.at("2025-05-17", "training", learner, overdue)
    fulfilled = training.ObligationFulfilled(
        obligation_id=FULFILLED, project_id=project_id("R-1"), completion_id=derived_id("completion")
    )
    await tell.at("2025-05-20", "training", learner, fulfilled)


async def _tell_appointments(tell: Telling) -> None:
    for made in (
        appointed("auditor", "auditor"),
        appointed("officer", "pmo_officer", unit="LIC"),
        appointed("deputy", "pmo_officer", unit="LIC", stands_in="officer"),
        appointed("viewer", "viewer", unit="LIC-web"),
        appointed("controller", "finance_controller", unit="SUP"),
        appointed("lead", "project_manager", project="R-2"),
        appointed("support", "project_support", project="U-1"),
    ):
        await tell.at("2025-02-01", "portfolio", f"appointment-{made.appointment_id}", made)


async def _tell_who_left(tell: Telling) -> None:
    support, officer = derived_id("appointment", "support"), derived_id("appointment", "officer")
    shorter = portfolio.AppointmentTermChanged(
        appointment_id=support, from_on=date(2025, 2, 1), until_on=date(2025, 5, 31)
    )
    await tell.at("2025-05-21", "portfolio", f"appointment-{support}", shorter)
    ended = portfolio.AppointmentEnded(appointment_id=officer)
    await tell.at("2025-05-22", "portfolio", f"appointment-{officer}", ended, reason="Moved to another office")
    who = derived_id("person", "officer")
    known = portfolio.PersonRegistered(person_id=who, unit_id=unit_id("LIC"), name="c2VjcmV0")
    await tell.at("2025-05-22", "portfolio", f"person-{who}", known)
