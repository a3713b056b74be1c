"""A scope at each of the instants that a question is about, rolled up line by line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from steerco_reporting.http.answers import UnitAnswer, figure_answers, variance_answers
from steerco_reporting.http.cut import Cut
from steerco_reporting.http.portfolio_answers import MonthAnswer, MonthLine, UnitLine
from steerco_reporting.projections.counts import projects_by_line
from steerco_reporting.projections.figure_sums import figure_sums, variance_sums
from steerco_reporting.projections.rollup import Rollup, Rollups
from steerco_reporting.projections.scope import ScopeAt, projects_in
from steerco_reporting.projections.units import Organization, UnitRow, organizations
from steerco_service.reading import Reading


@dataclass(frozen=True, slots=True)
class Moment:
    """A scope at an instant; `end` is what the answer calls it."""

    end: datetime
    unit: UnitRow
    organization: Organization
    scope: ScopeAt
    rollups: Rollups

    @property
    def total(self) -> Rollup:
        """The whole scope."""
        return self.rollups.of(self.scope.at, set(self.scope.lines.values()))

    @property
    def lines(self) -> Sequence[tuple[UnitRow, Rollup]]:
        """The children with all below them, then the scope's own projects, if it has any."""
        children = self.organization.children(self.unit.unit_id)
        found = [(unit, self.rollups.of(self.scope.at, [unit.unit_id])) for unit in (*children, self.unit)]
        return found if found[-1][1].projects else found[:-1]

    def line_answers(self) -> list[UnitLine]:
        """The lines of an answer."""
        return [
            UnitLine(
                unit=UnitAnswer.of(unit, self.organization, self.end.date()),
                projects=rollup.projects,
                figures=figure_answers(rollup),
                variances=variance_answers(rollup),
                **self._direct(unit),
            )
            for unit, rollup in self.lines
        ]

    def month_answer(self) -> MonthAnswer:
        """A month end of an answer."""
        total = self.total
        return MonthAnswer(
            end=self.end,
            projects=total.projects,
            figures=figure_answers(total),
            variances=variance_answers(total),
            units=[
                MonthLine(
                    code=unit.code,
                    projects=rollup.projects,
                    figures=figure_answers(rollup),
                    variances=variance_answers(rollup),
                    **self._direct(unit),
                )
                for unit, rollup in self.lines
            ],
        )

    def _direct(self, unit: UnitRow) -> dict[str, Any]:
        return {"direct": True} if unit.unit_id == self.unit.unit_id else {}


async def moments(reading: Reading, cut: Cut, scope: str, ends: Sequence[datetime]) -> Sequence[Moment]:
    """The scope at each of these instants at which it was there for who asks; the last is the cut's.

    Raises `UnknownScope`.
    """
    instants = [*ends[:-1], cut.at]
    trees = await organizations(reading, instants)
    unit = trees[-1].scope(scope, reading.asking.scope)
    *earlier, last = range(len(trees))
    there = [*(n for n in earlier if trees[n].is_in(unit.unit_id, reading.asking.scope)), last]
    ends, instants, trees = [ends[n] for n in there], [instants[n] for n in there], [trees[n] for n in there]
    scopes = [ScopeAt(at, tree.lines(unit.unit_id)) for at, tree in zip(instants, trees, strict=True)]
    scoped = projects_in(reading, scopes)
    rollups = Rollups(
        await projects_by_line(reading, scoped),
        await figure_sums(reading, scoped),
        await variance_sums(reading, scoped),
    )
    return [Moment(end, unit, tree, scope_at, rollups) for end, tree, scope_at in zip(ends, trees, scopes, strict=True)]
