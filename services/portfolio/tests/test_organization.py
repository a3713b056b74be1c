"""What the organization's decider says: one tree, codes used once, moves without cycles, closure from below."""

from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from steerco_events.contracts.portfolio import UnitClosed, UnitKind, UnitMoved, UnitOpened, UnitRenamed
from steerco_events.decider import Refusal
from steerco_events.ids import derived_id
from steerco_events.registry import Payload
from steerco_events.testkit.spec import spec
from steerco_portfolio.domain.organization import (
    AdoptPmoModel,
    CloseUnit,
    EnterpriseStays,
    MoveUnit,
    OpenUnit,
    OrganizationCommand,
    ParentDoesNotFit,
    RenameUnit,
    SecondEnterprise,
    SeparateDuties,
    UnitAlreadyOpened,
    UnitCodeReserved,
    UnitCodeTaken,
    UnitIsClosed,
    UnitStillHasUnits,
    UnitWouldHangUnderItself,
    UnknownParent,
    UnknownUnit,
)
from steerco_portfolio.domain.organization_rules import organization_decider

organization = spec(organization_decider)

COM, LIC, MKT, REG, WEB, NEW = (derived_id("unit", code) for code in ("COM", "LIC", "MKT", "REG", "WEB", "NEW"))
IDS = {"COM": COM, "LIC": LIC, "MKT": MKT, "REG": REG, "WEB": WEB, "NEW": NEW}


def opened(code: str, kind: UnitKind, parent: str | None = None) -> UnitOpened:
    return UnitOpened(
        unit_id=IDS[code], code=code, name=f"{code} by name", kind=kind, parent_id=IDS[parent] if parent else None
    )


def open_unit(code: str, kind: UnitKind, parent: str | None = None, *, name: str = "") -> OpenUnit:
    return OpenUnit(
        unit_id=IDS[code],
        code=code,
        name=name or f"{code} by name",
        kind=kind,
        parent_id=IDS[parent] if parent else None,
    )


TREE = (
    opened("COM", "enterprise"),
    opened("LIC", "business_unit", "COM"),
    opened("MKT", "business_unit", "COM"),
    opened("REG", "department", "LIC"),
    opened("WEB", "department", "REG"),
)
CLOSED_WEB = UnitClosed(unit_id=WEB)


def moved(code: str, before: str, after: str) -> UnitMoved:
    return UnitMoved(unit_id=IDS[code], from_parent_id=IDS[before], to_parent_id=IDS[after])


def test_the_first_unit_is_the_enterprise() -> None:
    organization.given().when(open_unit("COM", "enterprise")).then(opened("COM", "enterprise"))


@pytest.mark.parametrize(
    ("kind", "parent"),
    [("business_unit", "COM"), ("department", "LIC"), ("department", "REG"), ("department", "WEB")],
)
def test_a_unit_is_opened_below_a_parent_that_fits(kind: UnitKind, parent: str) -> None:
    organization.given(*TREE).when(open_unit("NEW", kind, parent)).then(opened("NEW", kind, parent))


@pytest.mark.parametrize(
    ("kind", "parent"),
    [("business_unit", "LIC"), ("business_unit", "REG"), ("department", "COM")],
)
def test_a_unit_is_not_opened_or_moved_below_a_parent_that_does_not_fit(kind: UnitKind, parent: str) -> None:
    organization.given(*TREE).when(open_unit("NEW", kind, parent)).then_refused(ParentDoesNotFit, pointer="/parent_id")
    mover = "MKT" if kind == "business_unit" else "WEB"
    organization.given(*TREE).when(MoveUnit(IDS[mover], IDS[parent])).then_refused(
        ParentDoesNotFit, pointer="/parent_id"
    )


def test_an_enterprise_has_no_parent_and_all_others_have_one() -> None:
    only_a_unit = opened("LIC", "business_unit", "COM")
    organization.given(only_a_unit).when(open_unit("NEW", "enterprise", "LIC")).then_refused(
        ParentDoesNotFit, pointer="/parent_id"
    )
    for kind in ("business_unit", "department"):
        organization.given(*TREE).when(open_unit("NEW", kind)).then_refused(UnknownParent, pointer="/parent_id")


def test_there_is_one_enterprise() -> None:
    organization.given(*TREE).when(open_unit("NEW", "enterprise")).then_refused(SecondEnterprise, pointer="/kind")


def test_an_unknown_or_closed_parent_takes_no_unit() -> None:
    organization.given(*TREE[:3]).when(open_unit("NEW", "department", "REG")).then_refused(
        UnknownParent, pointer="/parent_id"
    )
    closed = (*TREE, CLOSED_WEB)
    organization.given(*closed).when(open_unit("NEW", "department", "WEB")).then_refused(
        UnknownParent, pointer="/parent_id"
    )
    new = opened("NEW", "department", "LIC")
    organization.given(*closed, new).when(MoveUnit(NEW, WEB)).then_refused(UnknownParent, pointer="/parent_id")


@pytest.mark.parametrize("code", ["LIC", "lic", "Lic"])
def test_a_code_names_one_unit_whatever_its_case(code: str) -> None:
    command = OpenUnit(unit_id=NEW, code=code, name="Other", kind="business_unit", parent_id=COM)
    organization.given(*TREE).when(command).then_refused(UnitCodeTaken, pointer="/code")


def test_the_code_of_a_closed_unit_stays_its_own() -> None:
    command = OpenUnit(unit_id=NEW, code="web", name="Other", kind="department", parent_id=LIC)
    organization.given(*TREE, CLOSED_WEB).when(command).then_refused(UnitCodeTaken, pointer="/code")


@pytest.mark.parametrize("code", ["enterprise", "Enterprise", "ENTERPRISE"])
def test_no_unit_has_the_code_that_names_the_scope_of_the_root(code: str) -> None:
    command = OpenUnit(unit_id=COM, code=code, name="All", kind="enterprise")
    organization.given().when(command).then_refused(UnitCodeReserved, pointer="/code")


def test_an_id_is_that_of_one_unit_opened_in_one_way() -> None:
    organization.given(*TREE).when(open_unit("LIC", "business_unit", "COM")).then_nothing()
    otherwise = open_unit("LIC", "business_unit", "COM", name="Another name")
    organization.given(*TREE).when(otherwise).then_refused(UnitAlreadyOpened, pointer="/unit_id")


def test_a_unit_that_was_renamed_and_moved_can_be_sent_again_as_it_was_opened() -> None:
    past = (*TREE, UnitRenamed(unit_id=WEB, name="On line"), moved("WEB", "REG", "LIC"))
    organization.given(*past).when(open_unit("WEB", "department", "REG")).then_nothing()


def test_a_unit_is_renamed_open_or_closed() -> None:
    renamed = UnitRenamed(unit_id=WEB, name="On line")
    organization.given(*TREE).when(RenameUnit(WEB, "On line")).then(renamed)
    organization.given(*TREE, CLOSED_WEB).when(RenameUnit(WEB, "On line")).then(renamed)
    organization.given(*TREE, renamed).when(RenameUnit(WEB, "On line")).then_nothing()


def test_a_unit_moves_with_all_below_it() -> None:
    organization.given(*TREE).when(MoveUnit(REG, MKT)).then(moved("REG", "LIC", "MKT"))
    after = organization_decider.fold((*TREE, moved("REG", "LIC", "MKT")))
    assert [unit.opened.code for unit in after.above(after.units[WEB])] == ["WEB", "REG", "MKT", "COM"]


def test_a_unit_that_hangs_there_already_does_not_move() -> None:
    organization.given(*TREE).when(MoveUnit(REG, LIC)).then_nothing()


@pytest.mark.parametrize("parent", [REG, WEB])
def test_a_unit_does_not_hang_under_itself_or_what_is_below_it(parent: UUID) -> None:
    organization.given(*TREE).when(MoveUnit(REG, parent)).then_refused(UnitWouldHangUnderItself, pointer="/parent_id")


def test_the_enterprise_is_neither_moved_nor_closed() -> None:
    organization.given(*TREE).when(MoveUnit(COM, LIC)).then_refused(EnterpriseStays)
    organization.given(TREE[0]).when(CloseUnit(COM)).then_refused(EnterpriseStays)


def test_units_are_closed_from_below_upward() -> None:
    organization.given(*TREE).when(CloseUnit(REG)).then_refused(UnitStillHasUnits)
    organization.given(*TREE).when(CloseUnit(WEB)).then(CLOSED_WEB)
    organization.given(*TREE, CLOSED_WEB).when(CloseUnit(REG)).then(UnitClosed(unit_id=REG))


def test_a_unit_whose_units_moved_away_can_be_closed() -> None:
    organization.given(*TREE, moved("WEB", "REG", "LIC")).when(CloseUnit(REG)).then(UnitClosed(unit_id=REG))


@pytest.mark.parametrize(
    "command",
    [
        MoveUnit(WEB, LIC),
        AdoptPmoModel(WEB, "coach", date(2026, 4, 1)),
        SeparateDuties(WEB, "pitch_submission_and_decision", True, date(2026, 4, 1)),
    ],
    ids=["moved", "given a model", "given a policy"],
)
def test_a_closed_unit_is_neither_moved_nor_given_a_model_or_policy(command: OrganizationCommand) -> None:
    organization.given(*TREE, CLOSED_WEB).when(command).then_refused(UnitIsClosed)


@pytest.mark.parametrize(
    "command",
    [
        RenameUnit(NEW, "New"),
        MoveUnit(NEW, LIC),
        CloseUnit(NEW),
        AdoptPmoModel(NEW, "coach", date(2026, 4, 1)),
        SeparateDuties(NEW, "pitch_submission_and_decision", True, date(2026, 4, 1)),
    ],
    ids=["renamed", "moved", "closed", "given a model", "given a policy"],
)
def test_what_is_done_to_a_unit_is_done_to_one_that_there_is(command: OrganizationCommand) -> None:
    organization.given(*TREE).when(command).then_refused(UnknownUnit)


some_id = some.sampled_from([COM, LIC, MKT, REG, WEB, NEW])
some_command = some.one_of(
    some.builds(MoveUnit, some_id, some_id),
    some.builds(CloseUnit, some_id),
    some.builds(
        OpenUnit,
        unit_id=some_id,
        code=some.sampled_from([*IDS, *(code.lower() for code in IDS)]),
        name=some.just("A unit"),
        kind=some.sampled_from(["enterprise", "business_unit", "department"]),
        parent_id=some.none() | some_id,
        pmo_model=some.none(),
    ),
)


@given(some.lists(some_command, max_size=30), some.sampled_from([TREE, ()]))
def test_whatever_comes_it_stays_one_tree_of_codes_used_once_whose_open_units_hang_in_open_ones(
    commands: list[OrganizationCommand], past: tuple[Payload, ...]
) -> None:
    state = organization_decider.fold(past)
    for command in commands:
        try:
            events = organization_decider.decide(command, state)
        except Refusal:
            continue
        state = organization_decider.fold(events, state)
    units = state.units.values()
    assert len({unit.opened.code.casefold() for unit in units}) == len(units)
    assert sum(unit.parent_id is None for unit in units) == (1 if units else 0)
    for unit in units:
        ancestors = []
        for above in state.above(unit):
            ancestors.append(above)
            assert len(ancestors) <= len(units), "a cycle"
        assert ancestors[-1].kind == "enterprise"
        assert all(each.is_open for each in ancestors) or not unit.is_open
