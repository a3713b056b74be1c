"""The proof that is shown at the start can fail."""

from typing import Any

from steerco.edition.proof import differences


def scope(amount: str, projects: int, *lines: dict[str, Any]) -> dict[str, Any]:
    figure = {"measure": "cost", "kind": "budget", "period": "whole_life"}
    amounts = [{"currency": "EUR", "amount": amount}]
    return {"projects": projects, "figures": [figure | {"amounts": amounts}], "units": list(lines)}


def line(code: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "projects": 0, "figures": []} | more


def found(**scopes: dict[str, Any]) -> list[str]:
    return list(differences({code: {"2026-01-31": month} for code, month in scopes.items()}))


def test_scopes_that_add_up_have_no_difference() -> None:
    assert found(COM=scope("30", 2, line("LIC"), line("SUP")), LIC=scope("10", 1), SUP=scope("20", 1)) == []


def test_what_a_unit_has_itself_counts_with_the_units_below_it() -> None:
    own = line("COM", direct=True) | scope("5", 1)
    assert found(COM=scope("15", 2, line("LIC"), own), LIC=scope("10", 1)) == []


def test_an_amount_that_is_lost_is_named_with_its_unit_and_month() -> None:
    (difference,) = found(COM=scope("30", 2, line("LIC"), line("SUP")), LIC=scope("10", 1), SUP=scope("19", 1))
    assert difference == "COM differs from what is below it at 2026-01-31"


def test_a_project_that_is_counted_twice_is_a_difference() -> None:
    assert found(COM=scope("10", 1, line("LIC"), line("SUP")), LIC=scope("10", 1), SUP=scope("0", 1))
