"""What `steerco watch` asks for: the scope, the beginning, the services and the types."""

from datetime import UTC, datetime
from typing import Any

import pytest

from steerco.client import CommandFailed
from steerco.commands.watch import MOST_UNITS, after_of, types_by_service, units_below
from steerco_events.contracts.catalog import LOGS

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def unit(code: str, parent: str | None = None, kind: str = "business_unit") -> dict[str, Any]:
    return {"unit_id": f"id of {code}", "code": code, "kind": kind, "parent_id": parent and f"id of {parent}"}


UNITS = [
    unit("LIC-late", "LIC-op", "department"),
    unit("NMC", None, "enterprise"),
    unit("LIC", "NMC"),
    unit("SUP", "NMC"),
    unit("LIC-op", "LIC", "department"),
]


@pytest.mark.parametrize(
    ("scope", "codes"),
    [
        ("enterprise", []),
        ("Enterprise", []),
        ("NMC", ["NMC", "LIC", "SUP", "LIC-op", "LIC-late"]),
        ("lic", ["LIC", "LIC-op", "LIC-late"]),
        ("LIC-late", ["LIC-late"]),
    ],
)
def test_a_scope_is_the_unit_with_all_below_it(scope: str, codes: list[str]) -> None:
    assert units_below(UNITS, scope) == [f"id of {code}" for code in codes]


def test_a_scope_that_is_not_there_is_told_which_there_are() -> None:
    with pytest.raises(CommandFailed, match="no unit has the code 'X'; above the departments there are LIC, NMC, SUP"):
        units_below(UNITS, "X")
    with pytest.raises(CommandFailed, match="no unit was opened yet"):
        units_below([], "X")
    assert units_below([], "enterprise") == []


def test_a_scope_of_more_units_than_can_be_asked_for_is_refused() -> None:
    many = [unit("ALL"), *(unit(f"U-{n}", "ALL") for n in range(MOST_UNITS))]
    with pytest.raises(CommandFailed, match="1,001 units"):
        units_below(many, "ALL")
    assert len(units_below(many[:-1], "ALL")) == MOST_UNITS


@pytest.mark.parametrize(
    ("since", "after"),
    [
        (None, "end"),
        ("1.2500", "1.2500"),
        ("-15m", "2026-11-24T11:45:00+00:00"),
        ("-1h", "2026-11-24T11:00:00+00:00"),
        ("-2d", "2026-11-22T12:00:00+00:00"),
        ("-1w", "2026-11-17T12:00:00+00:00"),
        ("2026-03-31T12:00:00Z", "2026-03-31T12:00:00+00:00"),
        ("2026-03-31T12:00:00+02:00", "2026-03-31T10:00:00+00:00"),
    ],
)
def test_a_beginning_is_now_a_time_ago_an_instant_or_a_cursor(since: str | None, after: str) -> None:
    assert after_of(since, ["risk"], NOW) == after


@pytest.mark.parametrize("since", ["", "yesterday", "-1", "-1y", "1h", "2026-03-31T12:00:00", "1.2.3"])
def test_another_beginning_is_refused_by_name(since: str) -> None:
    with pytest.raises(CommandFailed, match="nothing to begin at"):
        after_of(since, ["risk"], NOW)


@pytest.mark.parametrize("services", [None, ["risk", "finance"]])
def test_a_cursor_is_of_one_log(services: list[str] | None) -> None:
    with pytest.raises(CommandFailed, match="--service"):
        after_of("1.2500", services, NOW)


def test_each_service_is_asked_for_its_own_types() -> None:
    assert types_by_service(LOGS, []) == {service: [] for service in LOGS}
    asked = ["steerco.risk.risk-raised", "steerco.finance.forecast-made", "steerco.risk.risk-rated"]
    assert types_by_service(LOGS, asked) == {"risk": [asked[0], asked[2]], "finance": [asked[1]]}


@pytest.mark.parametrize(
    ("services", "types", "said"),
    [
        (["reporting"], [], "there is no log of 'reporting'"),
        (["risk"], ["steerco.finance.forecast-made"], "no event type of risk"),
        (LOGS, ["risk-raised"], "one is steerco.risk.risk-raised"),
    ],
)
def test_a_log_or_a_type_that_is_not_there_is_named(services: list[str], types: list[str], said: str) -> None:
    with pytest.raises(CommandFailed, match=said):
        types_by_service(services, types)
