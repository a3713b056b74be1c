"""What an import did, in the same words wherever the edition runs."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from steerco.register_import.entries import Found, RowRefused
from steerco.register_import.organization import Units
from steerco.register_import.plan import Plan, Step

AT_MOST = 40
"""So many rows are named of the unfinished; the rest is counted. All else is listed whole."""


@dataclass(frozen=True, slots=True)
class Report:
    """An import, or what it would do."""

    found: Found
    units: Units
    plan: Plan
    done: Sequence[Step]
    refused: Sequence[RowRefused]
    lost: str | None
    dry_run: bool

    @property
    def status(self) -> int:
        """The exit status: 0 all is loaded, 1 rows were refused or are unfinished."""
        return 1 if self.refused or self.lost else 0


def lines_of(report: Report) -> Iterator[str]:
    """The report, line by line."""
    yield _summary(report)
    yield f"units: {len(report.units.opened)} {'to open' if report.dry_run else 'opened'}"
    yield from _undisclosed(report.found.undisclosed)
    if report.found.contradictory:
        yield f"ends before it starts, kept as said and not planned on: {_rows(report.found.contradictory)}"
    completed = [step.entry.row for step in report.done if step.outcome == "completed"]
    if completed:
        yield f"completed what an earlier import left unfinished: {_rows(completed)}"
    for refused in report.refused:
        where = f"row {refused.row}, {refused.column}" if refused.column else f"row {refused.row}"
        yield f"refused: {where}: {refused.reason}"
    yield from _unfinished(report)


def _summary(report: Report) -> str:
    steps = report.plan.steps if report.dry_run else report.done
    outcomes = Counter(step.outcome for step in steps)
    changes = sum(step.changes for step in steps)
    parts = [f"{outcomes[name]} {name}" for name in ("new", "changed", "completed", "unchanged") if outcomes[name]]
    parts += [f"{len(report.refused)} refused"]
    total = len(report.found.entries) + len(report.found.refused)
    verb = "would be made; nothing was sent" if report.dry_run else "made"
    return f"{_count(total, 'row')}: {', '.join(parts)}; {_count(changes, 'change')} {verb}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _undisclosed(cells: Mapping[tuple[str, str], Sequence[int]]) -> Iterator[str]:
    if cells:
        yield f"undisclosed, kept as said: {_count(sum(map(len, cells.values())), 'cell')}"
    for (column, said), rows in sorted(cells.items()):
        yield f"  {column}: {said!r} in {_rows(rows)}"


def _rows(rows: Sequence[int]) -> str:
    return f"{'row' if len(rows) == 1 else 'rows'} {', '.join(map(str, sorted(rows)))}"


def _unfinished(report: Report) -> Iterator[str]:
    if not report.lost:
        return
    done = {step.entry.row for step in report.done} | {each.row for each in report.refused}
    rows = [step.entry.row for step in report.plan.steps if step.entry.row not in done]
    more = f" and {len(rows) - AT_MOST:,} more" if len(rows) > AT_MOST else ""
    yield f"unfinished: {_rows(rows[:AT_MOST])}{more}"
    yield f"{report.lost}; run the same import again to finish it"
