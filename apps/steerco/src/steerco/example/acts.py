"""What chapters are made of: acts on a day, by somebody, sent to a service as an ordinary command."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from uuid import UUID

from steerco_events.contracts.portfolio import Role
from steerco_events.envelope import Actor
from steerco_events.ids import derived_id

LAST_DAY = 364
"""Day 0 is a year before the first start, the last day is the day before it."""


def person(job_title: str) -> Actor:
    """Somebody of the example: an id and a job title, no name."""
    return Actor(derived_id("example", "person", job_title), job_title)


LEAD = person("Head of the project office")
BOARD = person("Chair of the commission")
CONTROLLER = person("Project controller")
REVIEWER = person("Independent reviewer")
RISK_OFFICER = person("Risk officer")
TRAINER = person("Training coordinator")


@dataclass(frozen=True, slots=True)
class Act:
    """A command: when, who, to which service, and why."""

    day: int
    who: Actor
    service: Literal["intake", "portfolio", "finance", "risk", "training"]
    method: Literal["POST", "PUT"]
    path: str
    body: Mapping[str, Any]
    group: str
    reason: str | None = None


type Chapter = Sequence[Act]


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days of the example, counted back from the day of the first start."""

    today: date

    def on(self, day: int) -> str:
        """The date of a day, also of one before the first or after the last, as ISO text."""
        return (self.today + timedelta(days=day - LAST_DAY - 1)).isoformat()

    @property
    def begins_at(self) -> datetime:
        """The instant at which the office begins, before anything is done."""
        return self.at(0) - timedelta(hours=1)

    def at(self, day: int) -> datetime:
        """The instant at which a day's acts happen."""
        return datetime.combine(date.fromisoformat(self.on(day)), time(9), UTC)

    def year(self, day: int) -> str:
        """The period that the fiscal year of a day is."""
        return f"fiscal_year {self.on(day)[:4]}"


def unit_id(code: str) -> str:
    """The id of a unit of the example."""
    return str(derived_id("example", "unit", code))


def money(amount: int, currency: str) -> Mapping[str, str]:
    """Whole units of a currency as a body has them."""
    return {"amount": f"{amount}.00", "currency": currency}


def appointment_id(who: Actor) -> str:
    """The id of the appointment that somebody of the example has."""
    return str(derived_id("example", "appointment", who.job_title))


def appointed(who: Actor, role: Role, from_on: str, until_on: str | None = None, **place: str) -> Mapping[str, Any]:
    """The body of an appointment: at a unit or a project, or in the whole enterprise."""
    body = {"appointment_id": appointment_id(who), "person_id": str(who.id), "role": role, "from_on": from_on}
    return body | ({"until_on": until_on} if until_on else {}) | place


@dataclass(frozen=True, slots=True)
class Project:
    """A project of the example, and the acts that may happen to it."""

    code: str
    title: str
    unit: str
    currency: str
    calendar: Calendar
    is_pitched: bool = True

    @property
    def pitch_id(self) -> UUID:
        """The id of its pitch."""
        return derived_id("example", "pitch", self.code)

    @property
    def project_id(self) -> UUID:
        """The id of the project: of its pitch, or of its line in the inventory."""
        return derived_id("project", self.pitch_id) if self.is_pitched else derived_id("example", self.code)

    @property
    def manager(self) -> Actor:
        """Who manages it."""
        return person(f"Manager of {self.code}")

    def pitched(self, day: int, sponsor: str, problem: str, outcome: str, cost: int) -> Chapter:
        """Submitted on a template."""
        body = {
            "pitch_id": str(self.pitch_id),
            "title": self.title,
            "unit_id": unit_id(self.unit),
            "project_code": self.code,
            "currency": self.currency,
            "fields": {"problem": problem, "outcome": outcome, "sponsor": sponsor},
            "estimated_cost": money(cost, self.currency),
        }
        return [self._act(day, person(sponsor), "intake", "/pitches", body)]

    def screened(self, day: int, note: str) -> Chapter:
        """Found fit to be decided."""
        return [self._act(day, LEAD, "intake", f"/pitches/{self.pitch_id}/screening", {"note": note})]

    def decided(self, day: int, outcome: str, reason: str, until: int | None = None) -> Chapter:
        """Approved, rejected or deferred by the board."""
        body: dict[str, Any] = {"outcome": outcome, "reason": reason}
        if until is not None:
            body["until_on"] = self.calendar.on(until)
        return [self._act(day, BOARD, "intake", f"/pitches/{self.pitch_id}/decision", body)]

    def kept_on(self, day: int) -> Chapter:
        """Whoever ran it already goes on: its manager by appointment."""
        body = appointed(self.manager, "project_manager", self.calendar.on(day), project_id=str(self.project_id))
        return [self._act(day, LEAD, "portfolio", "/appointments", body, reason="Runs it already")]

    def managed(self, day: int) -> Chapter:
        """Given a manager, who from now on acts for it."""
        who = self.manager
        body = {"person_id": str(who.id), "job_title": who.job_title, "from_on": self.calendar.on(day)}
        return [self._act(day, LEAD, "portfolio", f"{self._path}/manager", body)]

    def trained(self, day: int, course: str = "project-management-essentials") -> Chapter:
        """Its manager completed a course."""
        person_id = self.manager.id
        body = {
            "completion_id": str(derived_id("example", "completion", person_id, course)),
            "person_id": str(person_id),
            "course": course,
            "completed_on": self.calendar.on(day),
        }
        return [self._act(day, TRAINER, "training", "/completions", body)]

    def dated(self, day: int, start: int, end: int) -> Chapter:
        """Its dates were stated."""
        body = {"start": {"on": self.calendar.on(start)}, "end": {"on": self.calendar.on(end)}}
        return [self._act(day, self.manager, "portfolio", f"{self._path}/dates", body, "PUT")]

    def went(self, day: int, to: str, reason: str | None = None, who: Actor | None = None) -> Chapter:
        """It went to another state."""
        body = {"to": to, "reason": reason} if reason else {"to": to}
        return [self._act(day, who or self.manager, "portfolio", f"{self._path}/transition", body)]

    def rated(self, day: int, assessor: str, rating: str, evidence: str | None = None) -> Chapter:
        """An assessor rated its delivery confidence."""
        body = {"assessor": assessor, "rating": rating, "assessed_on": self.calendar.on(day)}
        who = REVIEWER if assessor == "Independent review" else self.manager
        return [
            self._act(
                day, who, "portfolio", f"{self._path}/assessments", body | ({"evidence": evidence} if evidence else {})
            )
        ]

    def moved(self, day: int, unit: str, reason: str) -> Chapter:
        """Another unit has it."""
        body = {"unit_id": unit_id(unit), "reason": reason}
        return [self._act(day, LEAD, "portfolio", f"{self._path}/move", body)]

    def budgeted(self, day: int, amount: int | str, measure: str = "cost", reason: str | None = None) -> Chapter:
        """Its whole-life budget was baselined; words stand for an amount that is not disclosed."""
        return [self._figure(day, CONTROLLER, "budget", measure, amount, reason)]

    def forecast(self, day: int, amount: int | str, measure: str = "cost", reason: str | None = None) -> Chapter:
        """What its manager expects of the whole life."""
        return [self._figure(day, self.manager, "forecast", measure, amount, reason)]

    def spent(self, day: int, amount: int, reference: str) -> Chapter:
        """A bill was paid."""
        body = {
            "project_id": str(self.project_id),
            "source": "ledger",
            "reference": f"{self.code}-{reference}",
            "cost": money(amount, self.currency),
            "incurred_on": self.calendar.on(day),
            "period": self.calendar.year(day),
        }
        return [self._act(day, CONTROLLER, "finance", "/postings", body)]

    def risk(
        self, day: int, category: str, cause: str, event: str, effect: str, probability: int, impact: int
    ) -> Chapter:
        """A risk was raised and rated."""
        body = {
            "risk_id": str(self._risk_id(category)),
            "project_id": str(self.project_id),
            "cause": cause,
            "event": event,
            "effect": effect,
            "category": category,
            "probability": probability,
            "impact": impact,
        }
        return [self._act(day, RISK_OFFICER, "risk", "/risks", body)]

    def risk_rated(self, day: int, category: str, probability: int, impact: int, reason: str) -> Chapter:
        """A risk was rated anew."""
        path = f"/risks/{self._risk_id(category)}/rating"
        body = {"probability": probability, "impact": impact}
        return [self._act(day, RISK_OFFICER, "risk", path, body, reason=reason)]

    def risk_closed(self, day: int, category: str, reason: str) -> Chapter:
        """A risk is followed no more."""
        path = f"/risks/{self._risk_id(category)}/closure"
        return [self._act(day, RISK_OFFICER, "risk", path, {"reason": reason})]

    @property
    def _path(self) -> str:
        return f"/projects/{self.project_id}"

    def _risk_id(self, category: str) -> UUID:
        return derived_id("example", "risk", self.code, category)

    def _figure(self, day: int, who: Actor, kind: str, measure: str, amount: int | str, reason: str | None) -> Act:
        figure = {"said": amount} if isinstance(amount, str) else {"money": money(amount, self.currency)}
        body = {"measure": measure, "period": "whole_life", "figure": figure}
        return self._act(day, who, "finance", f"{self._path}/{kind}", body, "PUT", reason)

    def _act(
        self,
        day: int,
        who: Actor,
        service: Literal["intake", "portfolio", "finance", "risk", "training"],
        path: str,
        body: Mapping[str, Any],
        method: Literal["POST", "PUT"] = "POST",
        reason: str | None = None,
    ) -> Act:
        return Act(day, who, service, method, path, body, self.code, reason)
