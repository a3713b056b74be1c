"""When what was inside of a scope: worked out from moves alone, as a walk up from each thing would find it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from steerco_events.ids import derived_id
from steerco_service.scoped.stays import (
    At,
    Stay,
    Stays,
    UnitAbove,
    known_by,
    project_subject,
    stays_at,
    stays_of_units,
    unit_subject,
)

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
ROOT, TOP, OTHER, DEPARTMENT, TEAM = (derived_id("unit", n) for n in range(5))
UNITS = [derived_id("some unit", n) for n in range(5)]
PROJECT = derived_id("project")


def day(n: int) -> datetime:
    return BEGAN + timedelta(days=n)


def unit(unit_id: UUID, parent_id: UUID | None, since: int) -> UnitAbove:
    return UnitAbove(unit_id, parent_id, day(since))


OPENED = [unit(ROOT, None, 0), unit(TOP, ROOT, 1), unit(OTHER, ROOT, 2)]


def test_a_unit_takes_along_what_is_below_it_when_it_enters_and_when_it_leaves() -> None:
    moved = [
        unit(DEPARTMENT, OTHER, 3),
        unit(TEAM, DEPARTMENT, 4),
        unit(DEPARTMENT, TOP, 5),
        unit(DEPARTMENT, OTHER, 7),
    ]
    inside, _ = stays_of_units([*OPENED, *moved], TOP)
    assert inside[unit_subject(TEAM)] == inside[unit_subject(DEPARTMENT)] == [Stay(day(5), day(7))]
    assert inside[unit_subject(TOP)] == [Stay(day(1))]
    assert unit_subject(OTHER) not in inside


def test_units_above_are_told_apart_from_those_inside() -> None:
    inside, above = stays_of_units([*OPENED, unit(TOP, OTHER, 3)], TOP)
    assert dict(above) == {unit_subject(ROOT): [Stay(day(1))], unit_subject(OTHER): [Stay(day(3))]}
    assert list(inside) == [unit_subject(TOP)]


def test_what_was_above_once_is_never_inside() -> None:
    circle = [unit(TOP, OTHER, 3), unit(TOP, ROOT, 4), unit(OTHER, TOP, 5)]
    inside, above = stays_of_units([*OPENED, *circle], TOP)
    assert unit_subject(OTHER) not in inside
    assert above[unit_subject(OTHER)] == [Stay(day(3), day(4))]


def test_a_move_inside_is_not_seen_from_outside() -> None:
    inside, _ = stays_of_units([*OPENED, unit(DEPARTMENT, TOP, 3), unit(TEAM, DEPARTMENT, 4), unit(TEAM, TOP, 6)], TOP)
    places = [At("project-x", TEAM, day(5), day(7)), At("project-x", DEPARTMENT, day(7), None)]
    assert inside[unit_subject(TEAM)] == [Stay(day(4))]
    assert stays_at(places, inside) == {"project-x": [Stay(day(5))]}


def test_a_project_is_inside_while_its_unit_is() -> None:
    moved = [unit(DEPARTMENT, OTHER, 3), unit(DEPARTMENT, TOP, 5), unit(DEPARTMENT, OTHER, 7)]
    inside, _ = stays_of_units([*OPENED, *moved], TOP)
    places = [At("project-x", DEPARTMENT, day(4), day(6)), At("project-x", OTHER, day(6), None)]
    assert stays_at(places, inside) == {"project-x": [Stay(day(5), day(6))]}
    assert stays_at([At("project-y", DEPARTMENT, day(8), None)], inside) == {}


def test_what_came_later_was_not_known() -> None:
    stays = {"project-x": [Stay(day(1), day(5))], "project-y": [Stay(day(4))]}
    assert known_by(stays, day(3)) == {"project-x": [Stay(day(1))]}
    assert known_by(stays, day(5)) == stays


@given(st.data())
def test_however_units_and_a_project_move_it_is_as_a_walk_up_finds_it_at_each_instant(data: st.DataObject) -> None:
    trees: list[dict[UUID, UUID | None]] = [{ROOT: None, TOP: ROOT}]
    placed = [unit(ROOT, None, 0), unit(TOP, ROOT, 0)]
    where: list[UUID] = [ROOT]
    for n in range(1, data.draw(st.integers(1, 12))):
        tree = dict(trees[-1])
        moving = data.draw(st.sampled_from(UNITS))
        free = [each for each in (ROOT, TOP, *UNITS) if each in {*tree, ROOT} and moving not in walk_up(tree, each)]
        tree[moving] = data.draw(st.sampled_from(free))
        placed.append(unit(moving, tree[moving], n))
        trees.append(tree)
        where.append(data.draw(st.sampled_from([each for each in tree])))
    inside, above = stays_of_units(placed, TOP)
    ends: Sequence[datetime | None] = [*(day(n) for n in range(1, len(where))), None]
    places = [At(project_subject(PROJECT), at, day(n), ends[n]) for n, at in enumerate(where)]
    project = stays_at(places, inside)
    for n, tree in enumerate(trees):
        for each in tree:
            assert is_there(inside, unit_subject(each), n) == (TOP in walk_up(tree, each)), (n, each)
        assert is_there(above, unit_subject(ROOT), n)
        assert is_there(project, project_subject(PROJECT), n) == (TOP in walk_up(tree, where[n]))


def walk_up(tree: Mapping[UUID, UUID | None], unit_id: UUID) -> list[UUID]:
    found = [unit_id]
    while parent := tree.get(found[-1]):
        found.append(parent)
    return found


def is_there(stays: Stays, subject: str, n: int) -> bool:
    return any(each.since <= day(n) and (each.until is None or day(n) < each.until) for each in stays.get(subject, ()))
