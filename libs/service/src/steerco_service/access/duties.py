"""Duties that are kept apart where a unit requires it: the one table of pairs, and what is required where."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self
from uuid import UUID

from steerco_events.commands.judging import Forbidden
from steerco_events.commands.parting import Parting
from steerco_events.contracts.portfolio import Duties, SeparationOfDutiesAdopted


@dataclass(frozen=True, slots=True)
class Pair:
    """Who `did` one of these events of a stream may not call these operations on it; and that in words."""

    did: frozenset[str]
    then: frozenset[str]
    said: str


PAIRS: Mapping[Duties, Pair] = {
    "pitch_submission_and_decision": Pair(
        did=frozenset({"steerco.intake.pitch-submitted"}),
        then=frozenset({"intake.decide_pitch"}),
        said="who submitted a pitch does not decide it",
    ),
}


class DutiesSeparated(Forbidden):
    """Who asks did the thing that is to be done by somebody else."""


@dataclass(frozen=True, slots=True)
class DutiesAdopted:
    """Whether a unit requires that duties are kept apart, from a day on."""

    duties: Duties
    is_required: bool
    effective_on: date

    @classmethod
    def of(cls, event: SeparationOfDutiesAdopted) -> Self:
        """What an event says of its unit."""
        return cls(event.duties, event.is_required, event.effective_on)


@dataclass(frozen=True, slots=True)
class Requirement:
    """Duties are kept apart: which unit requires it, and since which day."""

    duties: Duties
    unit_id: UUID
    since_on: date


type Path = Iterable[tuple[UUID, Sequence[DutiesAdopted]]]
"""A unit and those above it, with what each adopted, in that order."""


def requirement(duties: Duties, path: Path, day: date) -> Requirement | None:
    """Who requires on a day that these duties are kept apart: the unit, else the nearest above that does.

    So what a unit requires is not lifted below it. Of what a unit adopted the latest effective day counts; of two
    for the same day, the one adopted later.
    """
    for unit_id, adopted in path:
        in_force = [each for each in adopted if each.effective_on <= day and each.duties == duties]
        if in_force and (newest := max(reversed(in_force), key=lambda each: each.effective_on)).is_required:
            return Requirement(duties, unit_id, newest.effective_on)
    return None


def requirements(path: Path, day: date) -> Sequence[Requirement]:
    """All that a unit requires on a day, or one above it."""
    units = tuple(path)
    return [found for duties in PAIRS if (found := requirement(duties, units, day))]


def pairs_of(operation: str) -> Mapping[Duties, Pair]:
    """The pairs of which an operation is the second duty, by its name with the service's."""
    return {duties: pair for duties, pair in PAIRS.items() if operation in pair.then}


def parting(pair: Pair, required_at: Callable[[UUID], Requirement | None], named: Callable[[UUID], str]) -> Parting:
    """The rule of a pair, where `required_at` a unit says that it holds; `named` tells of a unit to who asks."""

    def judge(units: Sequence[UUID]) -> None:
        for found in filter(None, map(required_at, units)):
            raise DutiesSeparated(f"{pair.said} here (policy of {named(found.unit_id)} since {found.since_on})")

    return Parting(pair.did, judge)
