"""When what was inside of a scope: the times of each subject there, as portfolio's log tells of units and places. Pure.

A subject is what enters and leaves as one, by its name: `unit-…`, `project-…` or `person-…`, and the id.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from steerco_service.access.scope import Tree

SUBJECT = re.compile(r"(unit|project|person)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
"""How a subject is written."""


@dataclass(frozen=True, slots=True)
class Stay:
    """A time in which something was there; without an end, it still is."""

    since: datetime
    until: datetime | None = None

    def covers(self, at: datetime) -> bool:
        """Whether what was recorded then was so before it left: its leaving itself was, too."""
        return self.until is None or at <= self.until


type Stays = Mapping[str, Sequence[Stay]]
"""The times of each subject, in their order; none touches another."""


@dataclass(frozen=True, slots=True)
class UnitAbove:
    """A unit and the one above it, from an instant on."""

    unit_id: UUID
    parent_id: UUID | None
    since: datetime


@dataclass(frozen=True, slots=True)
class At:
    """Something at a unit, from an instant to another."""

    subject: str
    unit_id: UUID
    since: datetime
    until: datetime | None


def unit_subject(unit_id: UUID | str) -> str:
    """What a unit is called as a subject."""
    return f"unit-{unit_id}"


def project_subject(project_id: UUID | str) -> str:
    """What a project is called as a subject."""
    return f"project-{project_id}"


def person_subject(person_id: UUID) -> str:
    """What a person is called as a subject."""
    return f"person-{person_id}"


def stays_of_units(placed: Iterable[UnitAbove], top: UUID) -> tuple[Stays, Stays]:
    """When each unit was the `top` or below it; and when it was above it.

    What was above once counts as nothing else, also where it came to be below later.
    """
    parents: dict[UUID, UUID | None] = {}
    inside, above = _Presence(), _Presence()
    for at, changed in groupby(sorted(placed, key=attrgetter("since")), attrgetter("since")):
        parents.update((each.unit_id, each.parent_id) for each in changed)
        tree = Tree(parents)
        below = tree.below([top]) & parents.keys() if top in parents else frozenset()
        inside.is_now(below, at)
        above.is_now(frozenset(tree.above(top)) - {top} if below else frozenset(), at)
    higher = above.stays
    return {subject: stays for subject, stays in inside.stays.items() if subject not in higher}, higher


class _Presence:
    """Who is there at one instant after another."""

    def __init__(self) -> None:
        self._there: frozenset[UUID] = frozenset()
        self.stays: dict[str, list[Stay]] = {}

    def is_now(self, there: frozenset[UUID], at: datetime) -> None:
        for gone in self._there - there:
            stays = self.stays[unit_subject(gone)]
            stays[-1] = Stay(stays[-1].since, at)
        for come in there - self._there:
            self.stays.setdefault(unit_subject(come), []).append(Stay(at))
        self._there = there


def stays_at(places: Iterable[At], units: Stays) -> Stays:
    """When things were inside, by where they were and when that was inside; moves within are not seen."""
    found: dict[str, list[Stay]] = {}
    for place in sorted(places, key=attrgetter("since")):
        for stay in units.get(unit_subject(place.unit_id), ()):
            since, until = max(stay.since, place.since), _earlier(stay.until, place.until)
            if until is not None and until <= since:
                continue
            there = found.setdefault(place.subject, [])
            if there and there[-1].until == since:
                there[-1] = Stay(there[-1].since, until)
            else:
                there.append(Stay(since, until))
    return found


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((each for each in (one, other) if each is not None), default=None)


def known_by(stays: Stays, at: datetime) -> Stays:
    """What was known of them at an instant: nothing that came later, and no end that came later."""
    cut = {
        subject: [
            Stay(each.since, None if each.until is None or each.until > at else each.until)
            for each in there
            if each.since <= at
        ]
        for subject, there in stays.items()
    }
    return {subject: there for subject, there in cut.items() if there}
