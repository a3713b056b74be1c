"""What an event says, as a sentence of a story: one for every event that Steerco publishes. Pure."""

from collections.abc import Callable, Mapping
from datetime import date

from steerco_events.contracts import finance, intake, portfolio, risk, training
from steerco_events.contracts.values import Figure, Money, StatedDate
from steerco_events.registry import Payload


def sentence(event: Payload) -> str | None:
    """The sentence, without a full stop; `None` for an event that this release does not know.

    The units that it happened in, and the record that a later event only names by its id, are added in the query.
    """
    tell = _TELLERS.get(type(event))
    return tell(event) if tell else None


WITHOUT_COMMERCIAL_FIELDS = {"steerco.finance.actual-cost-posted": "Cost posted"}
"""What is said instead of events of these types to who may not see their commercial fields."""


def _intake(event: Payload) -> str | None:
    match event:
        case intake.PitchSubmitted(title=title, project_code=code, estimated_cost=cost):
            return f'Pitch "{title}" submitted for {code}' + (f", estimated at {_money(cost)}" if cost else "")
        case intake.PitchScreened(note=note):
            return "Pitch screened" + (f": {note}" if note else "")
        case intake.PitchApproved():
            return "Pitch approved"
        case intake.PitchRejected():
            return "Pitch rejected"
        case intake.PitchDeferred(until_on=until_on):
            return f"Pitch deferred until {until_on}"
        case intake.PitchReturned():
            return "Pitch returned to be mended"
        case intake.PitchWithdrawn():
            return "Pitch withdrawn"
        case _:
            return None


def _portfolio(event: Payload) -> str | None:
    return _project(event) or _organization(event) or _person(event) or _appointment(event)


def _project(event: Payload) -> str | None:
    match event:
        case portfolio.ProjectChartered(code=code, title=title, currency=currency):
            return f'Chartered as {code} "{title}" ({currency})'
        case portfolio.ProjectRegistered(code=code, title=title) as taken:
            return f'Taken over from {taken.source} ({taken.reference}) as {code} "{title}", {_words(taken.state)}'
        case portfolio.RegisterRowKept(source=source, reference=reference):
            return f"Row {reference} of {source} was loaded"
        case portfolio.ProjectCodeTaken(code=code):
            return f"The code {code} was taken"
        case portfolio.ProjectCharterRefused(detail=detail):
            return f"Could not become a project: {detail}"
        case portfolio.ProjectRenamed(title=title):
            return f'Renamed "{title}"'
        case portfolio.ProjectDatesStated(start=start, end=end, contradictory=contradictory):
            warning = "; they contradict each other" if contradictory else ""
            return f"Dates stated: start {_date(start)}, end {_date(end)}{warning}"
        case portfolio.DeliveryConfidenceAssessed():
            return _assessment(event)
        case portfolio.ProjectManagerAppointed(job_title=job_title, from_on=from_on):
            return f"{job_title} appointed from {from_on}"
        case portfolio.ProjectMoved():
            return "Moved"
        case portfolio.ProjectPlanningStarted():
            return "Planning started"
        case portfolio.ProjectExecutionStarted():
            return "Execution started"
        case portfolio.ProjectClosingStarted():
            return "Closing started"
        case portfolio.ProjectClosed():
            return "Closed"
        case portfolio.ProjectPutOnHold():
            return "Put on hold"
        case portfolio.ProjectResumed(state=state):
            return f"Resumed, {_words(state)}"
        case portfolio.ProjectTerminated():
            return "Terminated"
        case _:
            return None


def _organization(event: Payload) -> str | None:
    match event:
        case portfolio.UnitOpened(code=code, name=name, kind=kind):
            return f'{_words(kind).capitalize()} {code} "{name}" opened'
        case portfolio.UnitRenamed(name=name):
            return f'Unit renamed "{name}"'
        case portfolio.UnitMoved():
            return "Unit moved"
        case portfolio.UnitClosed():
            return "Unit closed"
        case portfolio.PmoModelAdopted(pmo_model=pmo_model, effective_on=effective_on):
            return f"PMO model {pmo_model} adopted from {effective_on}"
        case portfolio.SeparationOfDutiesAdopted(duties=duties, is_required=is_required, effective_on=effective_on):
            kept = "kept apart" if is_required else "no more kept apart"
            return f"{_words(duties).capitalize()} {kept} from {effective_on}"
        case _:
            return None


def _person(event: Payload) -> str | None:
    match event:
        case portfolio.PersonRegistered():
            return "Person registered"
        case portfolio.PersonDetailsCorrected():
            return "Name or address of a person corrected"
        case portfolio.PersonMoved():
            return "Person moved to another unit"
        case portfolio.PersonErased():
            return "Person erased"
        case _:
            return None


def _appointment(event: Payload) -> str | None:
    match event:
        case portfolio.AppointmentMade(role=role, delegated_from=delegated_from) as made:
            what = "Stand-in appointed as" if delegated_from else "Appointed as"
            return f"{what} {role_in_words(role)} from {made.from_on}{_until(made.until_on)}"
        case portfolio.AppointmentTermChanged(from_on=from_on, until_on=until_on):
            return f"Appointment changed to be from {from_on}{_until(until_on)}"
        case portfolio.AppointmentEnded():
            return "Appointment ended"
        case _:
            return None


def _finance(event: Payload) -> str | None:
    match event:
        case finance.BudgetBaselined(measure=measure, period=period, figure=figure, baseline=baseline):
            return f"Budget baselined: {_period(period)} {measure} {_figure(figure)} (baseline {baseline})"
        case finance.ForecastMade(measure=measure, period=period, figure=figure):
            return f"Forecast made: {_period(period)} {measure} {_figure(figure)}"
        case finance.ActualCostPosted(cost=cost, incurred_on=incurred_on) as posted:
            return f"Cost posted: {_money(cost)} incurred on {incurred_on} ({posted.source} {posted.reference})"
        case finance.ActualCostReversed():
            return "Posting reversed"
        case _:
            return None


def _risk_or_training(event: Payload) -> str | None:
    match event:
        case risk.RiskRaised(cause=cause, event=what, effect=effect):
            return f"Risk raised: {what} (because of {cause}; effect: {effect})"
        case risk.RiskRated(probability=probability, impact=impact, band=band):
            return f"Risk rated {band} (probability {probability}, impact {impact})"
        case risk.RiskClosed():
            return "Risk closed"
        case training.ObligationRaised(job_title=job_title, course=course, due_on=due_on):
            return f"{job_title} owes the course {course} by {due_on}"
        case training.ObligationFellOverdue(due_on=due_on):
            return f"Training obligation of {due_on} fell overdue"
        case training.ObligationFulfilled():
            return "Training obligation fulfilled"
        case training.ObligationWaived():
            return "Training obligation waived"
        case training.CompletionRecorded(course=course, completed_on=completed_on):
            return f"Course {course} completed on {completed_on}"
        case _:
            return None


def _assessment(event: portfolio.DeliveryConfidenceAssessed) -> str:
    on = f" on {event.assessed_on}" if event.assessed_on else ""
    why = f": {event.evidence}" if event.evidence else ""
    words = f' ("{event.said}")' if event.said else ""
    if event.rating == "not_rated":
        return f"Delivery confidence rating taken back by {event.assessor}{on}{why}"
    return f"Delivery confidence rated {_rating(event.rating)}{words} by {event.assessor}{on}{why}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def role_in_words(role: str) -> str:
    """A role as people write it."""
    return _words(role).replace("pmo", "PMO")


def _until(day: date | None) -> str:
    return f" until {day}" if day else ""


def _rating(rating: str) -> str:
    return "amber/" + rating.removeprefix("amber_") if rating.startswith("amber_") else _words(rating)


def _period(period: str) -> str:
    return "whole-life" if period == "whole_life" else _words(period)


def _money(money: Money) -> str:
    return f"{money.amount:,f} {money.currency}"


def _figure(figure: Figure) -> str:
    if figure.money:
        return _money(figure.money)
    return f'undisclosed ("{figure.said}")' if figure.kind == "undisclosed" else "not stated"


def _date(date: StatedDate) -> str:
    return str(date.on) if date.on else f'"{date.said}"' if date.said else "not stated"


_TELLERS: Mapping[type[object], Callable[[Payload], str | None]] = {
    each.payload: tell
    for registry, tell in (
        (intake.INTAKE, _intake),
        (portfolio.PORTFOLIO, _portfolio),
        (finance.FINANCE, _finance),
        (risk.RISK, _risk_or_training),
        (training.TRAINING, _risk_or_training),
    )
    for each in registry
}
