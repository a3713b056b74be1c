"""The published register of the UK's major projects has its known figures."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.editions.registers import ROOT, load, shown
from tests.editions.running import running_edition

UK = ROOT.parent / "shared" / "data" / "uk-major-projects-2023.csv"


@pytest.mark.skipif(not UK.exists(), reason="the published register is not beside the checkout")
def test_the_published_register_has_its_known_figures() -> None:
    with running_edition("--empty") as running:
        said = load(running, UK)
        assert "244 rows: 244 new, 0 refused" in said
        assert "ends before it starts, kept as said and not planned on: row 177" in said
        enterprise, transport = (shown(running, scope)["totals"] for scope in ("enterprise", "dft"))
        assert known(enterprise) == {
            "cost budget whole_life": ("471818000000.00", 193, 49, 2),
            "benefit budget whole_life": ("729446310000.00", 110, 12, 122),
            "cost budget fiscal_year 2022-23": ("47507370000.00", 207, 27, 10),
            "cost forecast fiscal_year 2022-23": ("41507930000.00", 207, 27, 10),
        }
        assert known(transport) == {
            "cost budget whole_life": ("93021000000.00", 16, 7, 0),
            "benefit budget whole_life": ("143101000000.00", 18, 3, 2),
            "cost budget fiscal_year 2022-23": ("2537180000.00", 19, 0, 4),
            "cost forecast fiscal_year 2022-23": ("2432440000.00", 19, 0, 4),
        }
        assert rated(enterprise) == {
            "IPA": {"red": 18, "amber": 88, "green": 5, "undisclosed": 12},
            "SRO": {"red": 5, "amber": 95, "green": 21, "undisclosed": 11},
        }
        assert rated(transport) == {"IPA": {"red": 2, "amber": 11}, "SRO": {"amber": 6, "green": 4}}
        assert "0 changes made" in load(running, UK)


def known(totals: Mapping[str, Any]) -> dict[str, tuple[str, int, int, int]]:
    return {
        f"{each['measure']} {each['kind']} {each['period']}": (
            each["amounts"][0]["amount"],
            each["disclosed"],
            each["undisclosed"],
            each["not_stated"],
        )
        for each in totals["figures"]
    }


def rated(totals: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    return {
        assessor: {rating: count for rating, count in counts.items() if count and rating != "not_rated"}
        for assessor, counts in totals["assessments"].items()
    }
