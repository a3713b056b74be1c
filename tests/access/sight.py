"""Who sees what of an organization, told plainly: by walking up from each unit."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import date

NO_MONEY = frozenset({"contributor", "training_coordinator"})
"""The roles that see no figures."""

NO_NAMES = frozenset({"viewer", "contributor"})
"""The roles that do not see who somebody is."""

NO_AUDIT = NO_MONEY | {"finance_controller", "project_manager", "risk_manager", "sponsor", "viewer"}
"""The roles that see no audit."""

NO_DOCUMENTS = NO_MONEY | {"project_support", "resource_manager", "risk_manager", "viewer"}
"""The roles that see no document and no amount of a posting."""


@dataclass
class Held:
    """An appointment of somebody, at a unit or at a project."""

    person_id: str
    role: str
    unit_id: str | None
    project_id: str | None
    from_on: date
    until_on: date | None
    delegated_from: str | None = None
    is_ended: bool = False

    def is_in_term(self, today: date) -> bool:
        """Whether a day is one of its days."""
        return self.from_on <= today and (self.until_on is None or today <= self.until_on)

    @property
    def term(self) -> Mapping[str, str | None]:
        """Its days, as JSON has them."""
        return {"from_on": self.from_on.isoformat(), "until_on": self.until_on.isoformat() if self.until_on else None}


@dataclass
class Picture:
    """Each unit's parent and each project's unit, at an instant."""

    parents: dict[str, str | None] = field(default_factory=dict)
    projects: dict[str, str] = field(default_factory=dict)

    def above(self, unit_id: str | None) -> Iterator[str]:
        """The unit and those above it."""
        while unit_id in self.parents:
            yield unit_id
            unit_id = self.parents[unit_id]

    def projects_below(self, unit_id: str) -> Iterator[str]:
        """The projects of the unit and of those below it."""
        return (project for project, unit in self.projects.items() if unit_id in self.above(unit))


@dataclass
class Organization(Picture):
    """What is true of an organization now; what is about it, by its ids."""

    closed: set[str] = field(default_factory=set)
    managers: dict[str, str] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)
    pitches: dict[str, str] = field(default_factory=dict)
    risks: dict[str, str] = field(default_factory=dict)
    postings: dict[str, str] = field(default_factory=dict)
    completions: dict[str, str] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)

    def picture(self) -> Picture:
        """How it is placed now, to keep."""
        return Picture(dict(self.parents), dict(self.projects))

    def holds(self, appointment_id: str, today: date) -> bool:
        """Whether an appointment gives its role on a day."""
        held = self.held[appointment_id]
        stands = held.delegated_from is None or self.holds(held.delegated_from, today)
        return held.is_in_term(today) and stands and not held.is_ended

    def sight(self, person_id: str, today: date, without: Set[str] = frozenset()) -> "Sight":
        """What somebody sees by their appointments to other roles than these, and as a manager."""
        there = [each for id, each in self.held.items() if each.person_id == person_id and self.holds(id, today)]
        granted = [each for each in there if each.role not in without]
        projects = {each.project_id for each in granted if each.project_id}
        projects |= {project_id for project_id, manager in self.managers.items() if manager == person_id}
        return Sight(self, today, person_id, {each.unit_id for each in granted if each.unit_id}, projects)


@dataclass(frozen=True)
class Sight:
    """A part of an organization: what is below these units, and these projects."""

    organization: Organization
    today: date
    person_id: str
    tops: Set[str]
    projects: Set[str]

    def __bool__(self) -> bool:
        return bool(self.tops or self.projects)

    def has_unit(self, unit_id: str | None, picture: Picture | None = None) -> bool:
        """Whether a unit is there now, or was in a picture."""
        return any(each in self.tops for each in (picture or self.organization).above(unit_id))

    def has_project(self, project_id: str | None, picture: Picture | None = None) -> bool:
        """Whether a project is there now, or was in a picture."""
        placed = (picture or self.organization).projects
        if project_id not in placed:
            return False
        return project_id in self.projects or self.has_unit(placed[project_id], picture)

    def has_person(self, person_id: str) -> bool:
        """Whether it is who asks, or somebody who is appointed or manages a project there."""
        places = [
            each
            for id, each in self.organization.held.items()
            if each.person_id == person_id and self.organization.holds(id, self.today)
        ]
        managed = [project for project, manager in self.organization.managers.items() if manager == person_id]
        return (
            person_id == self.person_id
            or any(self.has_unit(each.unit_id) or self.has_project(each.project_id) for each in places)
            or any(self.has_project(each) for each in managed)
        )

    def has_record(self, person_id: str) -> bool:
        """Whether somebody's record is there: that of who is of a unit there, too."""
        return self.has_person(person_id) or self.has_unit(self.organization.people.get(person_id))

    def has_appointment(self, held: Held) -> bool:
        """Whether it is at a place there, or who asks has it."""
        return held.person_id == self.person_id or self.has_unit(held.unit_id) or self.has_project(held.project_id)
