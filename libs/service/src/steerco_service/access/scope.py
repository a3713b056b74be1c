"""Where somebody may do something: units with all below them, single projects, or the whole enterprise."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from steerco_events.contracts.portfolio import Role
from steerco_service.access.gaps import Gaps


@dataclass(frozen=True, slots=True)
class Grant:
    """A role at a unit, with all below it, or at a project; at neither: in the whole enterprise.

    `is_delegated`: it is somebody else's, who is stood in for.
    """

    role: Role
    unit_id: UUID | None = None
    project_id: UUID | None = None
    is_delegated: bool = False


@dataclass(frozen=True, slots=True)
class Tree:
    """The organization: each unit's parent; and what is not known of it and of the projects below."""

    parents: Mapping[UUID, UUID | None] = field(default_factory=dict)
    gaps: Gaps = field(default_factory=Gaps)
    _below: dict[frozenset[UUID], frozenset[UUID]] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Of those who were asked for: every request of somebody asks for the same again."""

    def below(self, tops: Iterable[UUID]) -> frozenset[UUID]:
        """The units with all that is below them, whether the tree has them or not."""
        asked = frozenset(tops)
        if not asked:
            return asked
        if asked not in self._below:
            self._below[asked] = frozenset(self._with_all_below(asked))
        return self._below[asked]

    def _with_all_below(self, tops: frozenset[UUID]) -> Iterable[UUID]:
        found = set(tops)
        for unit in self.parents:
            path = [unit]
            while (parent := self.parents.get(path[-1])) and path[-1] not in found and parent not in path:
                path.append(parent)
            if path[-1] in found:
                found.update(path)
        return found

    def above(self, unit_id: UUID) -> Iterator[UUID]:
        """The unit, its parent, and so on up to the enterprise."""
        found = {unit_id}
        yield unit_id
        while (parent := self.parents.get(unit_id)) and parent not in found:
            found.add(parent)
            yield (unit_id := parent)

    @property
    def tops(self) -> frozenset[UUID]:
        """The enterprise itself; none while nothing is known of it."""
        return frozenset(unit_id for unit_id in self.parents if self.is_top(unit_id))

    def is_top(self, unit_id: UUID) -> bool:
        """Whether it is the enterprise itself."""
        return unit_id in self.parents and self.parents[unit_id] is None


@dataclass(frozen=True, slots=True)
class Scope:
    """A part of the enterprise. `tops` are the units that were granted, `units` those with all below them now.

    A project in the `gaps` is in it by a role at the project itself, or in the whole enterprise; by no unit's.
    """

    is_whole: bool = False
    tops: frozenset[UUID] = frozenset()
    units: frozenset[UUID] = frozenset()
    projects: frozenset[UUID] = frozenset()
    gaps: Gaps = field(default_factory=Gaps)

    def __bool__(self) -> bool:
        return self.is_whole or bool(self.tops or self.projects)

    def has_unit(self, unit_id: UUID | None) -> bool:
        """Whether a unit is in it; without one, whether all are."""
        return self.is_whole or unit_id in self.units

    def has_project(self, project_id: UUID, unit_id: UUID | None) -> bool:
        """Whether a project, which belongs to a unit, is in it."""
        return self.has_all((unit_id,), (project_id,))

    def has_all(self, units: Collection[UUID | None], projects: Collection[UUID] = ()) -> bool:
        """Whether what concerns these units is in it; or one of these projects, which then is what it is about."""
        if self.is_whole or any(each in self.projects for each in projects):
            return True
        return bool(units) and self.units.issuperset(units) and not self.gaps.have_any(projects)

    def has_any(self, units: Collection[UUID], projects: Collection[UUID]) -> bool:
        """Whether any of these is in it."""
        return self.is_whole or not self.units.isdisjoint(units) or not self.projects.isdisjoint(projects)


def scope_of(grants: Iterable[Grant], tree: Tree, roles: Collection[Role]) -> Scope:
    """Where somebody with these grants has one of these roles."""
    granted = [each for each in grants if each.role in roles]
    tops = frozenset(each.unit_id for each in granted if each.unit_id)
    if any(each.unit_id is None and each.project_id is None for each in granted) or any(map(tree.is_top, tops)):
        return Scope(is_whole=True)
    return Scope(
        tops=tops,
        units=tree.below(tops),
        projects=frozenset(each.project_id for each in granted if each.project_id),
        gaps=tree.gaps,
    )


def within(unit_id: UUID | None, grants: Iterable[Grant]) -> Sequence[Grant]:
    """The same grants where there is one unit only: what holds in the whole enterprise holds there.

    As long as the unit is not known, such a grant is none.
    """
    return [
        replace(each, unit_id=unit_id) if each.unit_id is None and each.project_id is None else each
        for each in grants
        if unit_id or each.unit_id or each.project_id
    ]
