"""Where somebody may do something: what is below a unit, and what roles at units and projects come to."""

from collections.abc import Callable, Mapping
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steerco_events.commands.judging import Forbidden
from steerco_events.ids import derived_id
from steerco_service.access.gaps import Gaps
from steerco_service.access.permissions import ROLES, Permission
from steerco_service.access.scope import Grant, Scope, Tree, scope_of
from steerco_service.asking import Asking
from steerco_service.testkit.serving import TESTER

UNITS = [derived_id("unit", n) for n in range(8)]
ENTERPRISE, NORTH, HARBOR, QUAY, SOUTH, NOWHERE, *_ = UNITS
PROJECT, OTHER = derived_id("project", 1), derived_id("project", 2)
TREE = Tree({ENTERPRISE: None, NORTH: ENTERPRISE, HARBOR: NORTH, QUAY: HARBOR, SOUTH: ENTERPRISE})


def asking(*grants: Grant, roles: frozenset[str] = frozenset({"pmo_officer"})) -> Asking:
    permission = Permission(frozenset(each for each in ROLES if each in roles))
    scope = scope_of(grants, TREE, permission.roles)
    return Asking(TESTER, permission, scope, scope_of(grants, TREE, ROLES), grants, TREE)


def test_below_a_unit_is_all_that_hangs_under_it_and_itself() -> None:
    assert TREE.below([NORTH]) == {NORTH, HARBOR, QUAY}


def test_below_several_units_is_what_is_below_any_of_them() -> None:
    assert TREE.below([HARBOR, SOUTH]) == {HARBOR, QUAY, SOUTH}


def test_a_unit_that_the_tree_does_not_have_is_below_itself_alone() -> None:
    assert TREE.below([NOWHERE]) == {NOWHERE}
    assert TREE.below([]) == frozenset()


def test_above_a_unit_is_itself_and_what_it_hangs_under_up_to_the_enterprise() -> None:
    assert list(TREE.above(QUAY)) == [QUAY, HARBOR, NORTH, ENTERPRISE]
    assert list(TREE.above(ENTERPRISE)) == [ENTERPRISE]
    assert list(TREE.above(NOWHERE)) == [NOWHERE]


def test_above_the_units_of_a_circle_is_each_of_them_once() -> None:
    assert list(Tree({NORTH: SOUTH, SOUTH: NORTH}).above(NORTH)) == [NORTH, SOUTH]


def is_below(tree: Mapping[UUID, UUID | None], unit: UUID, tops: set[UUID]) -> bool:
    """The walk up, a step at a time, never longer than the tree is large."""
    at: UUID | None = unit
    for _ in range(len(tree) + 1):
        if at is None or at in tops:
            return at is not None
        at = tree.get(at)
    return False


@given(
    st.dictionaries(st.sampled_from(UNITS), st.none() | st.sampled_from(UNITS)),
    st.sets(st.sampled_from(UNITS)),
)
def test_what_is_below_is_what_a_walk_up_comes_from_also_with_circles_and_unknown_units(
    parents: dict[UUID, UUID | None], tops: set[UUID]
) -> None:
    expected = tops | {unit for unit in parents if is_below(parents, unit, tops)}
    assert Tree(parents).below(tops) == expected


def test_a_role_at_a_unit_holds_for_what_is_below() -> None:
    scope = scope_of([Grant("viewer", NORTH)], TREE, {"viewer"})
    assert scope == Scope(tops=frozenset({NORTH}), units=frozenset({NORTH, HARBOR, QUAY}))


def test_a_role_at_a_project_holds_for_it_whoever_has_it() -> None:
    scope = scope_of([Grant("viewer", project_id=PROJECT)], TREE, {"viewer"})
    assert (bool(scope), scope.units) == (True, frozenset())
    assert scope.has_project(PROJECT, SOUTH)
    assert not scope.has_project(OTHER, SOUTH)


@pytest.mark.parametrize("grant", [Grant("viewer", ENTERPRISE), Grant("viewer")], ids=["root unit", "no place"])
def test_a_role_at_the_root_unit_or_at_no_place_holds_in_the_whole_enterprise(grant: Grant) -> None:
    scope = scope_of([grant, Grant("viewer", NORTH)], TREE, {"viewer"})
    assert scope == Scope(is_whole=True)
    assert scope.has_unit(None)
    assert scope.has_unit(NOWHERE)
    assert scope.has_all(())


def test_only_the_roles_that_are_asked_for_count() -> None:
    grants = [Grant("viewer"), Grant("pmo_officer", NORTH), Grant("auditor", SOUTH)]
    assert scope_of(grants, TREE, {"pmo_officer", "pmo_admin"}).units == {NORTH, HARBOR, QUAY}
    assert not scope_of(grants, TREE, {"sponsor"})


def test_a_unit_without_a_parent_of_which_nothing_is_known_is_not_the_enterprise() -> None:
    assert not scope_of([Grant("viewer", NOWHERE)], TREE, {"viewer"}).is_whole


def test_a_scope_has_what_concerns_its_units_alone() -> None:
    scope = scope_of([Grant("viewer", NORTH)], TREE, {"viewer"})
    assert scope.has_all([NORTH, QUAY])
    assert not scope.has_all([NORTH, SOUTH])
    assert not scope.has_all([NORTH, None])


def test_what_concerns_no_unit_is_in_the_whole_enterprise_only() -> None:
    scope = scope_of([Grant("viewer", NORTH)], TREE, {"viewer"})
    assert not scope.has_all([])
    assert not scope.has_unit(None)


def test_what_is_about_a_project_of_the_scope_is_in_it_whatever_units_it_concerns() -> None:
    scope = scope_of([Grant("viewer", project_id=PROJECT)], TREE, {"viewer"})
    assert scope.has_all([SOUTH], [PROJECT])
    assert scope.has_all([None], [OTHER, PROJECT])
    assert not scope.has_all([SOUTH], [OTHER])


def test_a_project_of_which_it_is_not_known_where_it_is_now_is_in_no_unit() -> None:
    tree = Tree(TREE.parents, Gaps(frozenset({f"project-{PROJECT}"})))
    at_unit = scope_of([Grant("viewer", NORTH)], tree, {"viewer"})
    assert [at_unit.has_project(each, NORTH) for each in (PROJECT, OTHER)] == [False, True]
    assert [at_unit.has_all([NORTH], [each]) for each in (PROJECT, OTHER)] == [False, True]
    assert at_unit.has_all([NORTH])
    assert scope_of([Grant("viewer", project_id=PROJECT)], tree, {"viewer"}).has_project(PROJECT, SOUTH)
    assert scope_of([Grant("viewer")], tree, {"viewer"}).has_project(PROJECT, SOUTH)


def test_who_is_at_one_place_of_a_scope_is_in_it() -> None:
    scope = scope_of([Grant("viewer", NORTH), Grant("viewer", project_id=PROJECT)], TREE, {"viewer"})
    assert scope.has_any([SOUTH, QUAY], [])
    assert scope.has_any([SOUTH], [OTHER, PROJECT])
    assert not scope.has_any([SOUTH], [OTHER])
    assert not scope.has_any([], [])


def test_what_somebody_may_do_there_is_there_for_them() -> None:
    assert asking(Grant("pmo_officer", NORTH)).has([QUAY])


def test_what_somebody_sees_but_may_not_do_is_forbidden_and_the_roles_are_named() -> None:
    seen = asking(Grant("pmo_officer", SOUTH), Grant("viewer", NORTH))
    asks: list[Callable[[], bool]] = [
        lambda: seen.has([QUAY]),
        lambda: seen.has_unit(NORTH),
        lambda: seen.has_project(PROJECT, HARBOR),
        lambda: seen.has_any([QUAY], []),
    ]
    for ask in asks:
        with pytest.raises(Forbidden, match="one of the roles pmo_officer there"):
            ask()


def test_what_somebody_does_not_see_is_not_there_for_them() -> None:
    seen = asking(Grant("pmo_officer", SOUTH))
    assert not seen.has([QUAY])
    assert not seen.has([SOUTH, QUAY])
    assert not seen.has_project(PROJECT, HARBOR)
    assert not seen.has_any([QUAY], [PROJECT])


def test_that_there_is_an_enterprise_is_no_secret() -> None:
    with pytest.raises(Forbidden):
        asking(Grant("pmo_officer", SOUTH)).has_unit(None)


def test_where_fewer_roles_will_do_the_scope_is_of_those() -> None:
    asked = asking(
        Grant("pmo_officer", NORTH), Grant("pmo_admin", SOUTH), roles=frozenset({"pmo_officer", "pmo_admin"})
    )
    assert asked.scope.tops == {NORTH, SOUTH}
    assert asked.as_one_of(frozenset({"pmo_admin", "viewer"})).scope.tops == {SOUTH}
    with pytest.raises(Forbidden, match="roles pmo_admin there"):
        asked.as_one_of(frozenset({"pmo_admin"})).has([NORTH])
