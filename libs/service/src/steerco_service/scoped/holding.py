"""What a deployment for a scope may hold of a log, and what enters and leaves it. Pure.

It holds what was recorded while its subject was inside, and what was recorded before that: an entering subject brings
its history. Of the units above it holds that they are there, by their ids alone, and what they require below.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from steerco_events.contracts import portfolio
from steerco_events.envelope import Recorded
from steerco_events.ids import derived_id
from steerco_service.scoped.stays import Stays, person_subject, project_subject, unit_subject

type Share = Literal["whole", "bare"]
"""How much of an event a deployment gets, if anything: all of it, or of a unit above what it takes to place others."""

BINDING = (
    portfolio.UnitOpened,
    portfolio.UnitMoved,
    portfolio.PmoModelAdopted,
    portfolio.SeparationOfDutiesAdopted,
)
"""What of a unit above concerns those below."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A subject that entered or left a scope, and when."""

    subject: str
    way: Literal["entered", "left"]
    at: datetime


@dataclass(frozen=True, slots=True)
class Holding:
    """What was inside of a scope, and when, by all of portfolio's log up to `known_at`.

    `above` are the times of the units above it. `appointed` are the subjects inside that appointments are at.
    """

    known_at: datetime
    inside: Stays
    above: Stays = field(default_factory=dict)
    appointed: Mapping[UUID, str] = field(default_factory=dict)

    def share(self, event: Recorded) -> Share | None:
        """How much of an event a deployment gets. Raises `NewerVersion`."""
        subjects = self.subjects_of(event)
        if any(self._was_before_leaving(self.inside, each, event.sealed_at) for each in subjects):
            return "whole"
        is_binding = isinstance(event.payload, BINDING) if subjects else False
        if is_binding and any(self._was_before_leaving(self.above, each, event.sealed_at) for each in subjects):
            return "bare"
        return None

    def subjects_of(self, event: Recorded) -> Sequence[str]:
        """What an event is about: it is shared where any of these is. Raises `NewerVersion`."""
        payload = event.payload
        match payload:
            case (
                portfolio.UnitOpened(unit_id=unit_id)
                | portfolio.UnitRenamed(unit_id=unit_id)
                | portfolio.UnitMoved(unit_id=unit_id)
                | portfolio.UnitClosed(unit_id=unit_id)
                | portfolio.PmoModelAdopted(unit_id=unit_id)
                | portfolio.SeparationOfDutiesAdopted(unit_id=unit_id)
            ):
                return (unit_subject(unit_id),)
            case (
                portfolio.AppointmentMade(appointment_id=appointment_id)
                | portfolio.AppointmentTermChanged(appointment_id=appointment_id)
                | portfolio.AppointmentEnded(appointment_id=appointment_id)
            ):
                return (self.appointed[appointment_id],) if appointment_id in self.appointed else ()
            case (
                portfolio.PersonRegistered(person_id=person_id)
                | portfolio.PersonDetailsCorrected(person_id=person_id)
                | portfolio.PersonMoved(person_id=person_id)
                | portfolio.PersonErased(person_id=person_id)
            ):
                return (person_subject(person_id),)
        if project_id := getattr(payload, "project_id", None):
            return (project_subject(project_id),)
        units = tuple(map(unit_subject, event.org_units))
        if pitch_id := getattr(payload, "pitch_id", None):
            return (*units, project_subject(derived_id("project", pitch_id)))
        return units

    def crossed(self, since: datetime) -> Sequence[Crossing]:
        """What entered and left after an instant, in the order of time."""
        found = [
            Crossing(subject, way, at)
            for stays in (self.inside, self.above)
            for subject, there in stays.items()
            for stay in there
            for way, at in ((_ENTERED, stay.since), (_LEFT, stay.until))
            if at is not None and at > since
        ]
        return sorted(found, key=lambda each: (each.at, each.way, each.subject))

    def streams_at(self, subjects: Collection[str]) -> Sequence[str]:
        """The streams of the appointments at these subjects, whose events do not all name them."""
        return [f"appointment-{id}" for id, subject in self.appointed.items() if subject in subjects]

    @staticmethod
    def _was_before_leaving(stays: Stays, subject: str, at: datetime) -> bool:
        return any(stay.covers(at) for stay in stays.get(subject, ())[-1:])


_ENTERED: Literal["entered"] = "entered"
_LEFT: Literal["left"] = "left"
