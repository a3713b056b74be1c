"""What an import did, in the same words wherever the edition runs."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from steerco.register_import.entries import Found, RowRefused
from steerco.register_import.organization import Units
from steerco.register_import.plan import Plan, Step

AT_MOST = 40
"""So many rows are named of those that would change or were cut off; the rest is counted. All else is listed whole."""


@dataclass(frozen=True, slots=True)
class Report:
    """An import, or what it would do.

    `cut_off` are the rows between the services, `taken` counts the commands that were taken (else: those of `done`).
    """

    found: Found
    units: Units
    plan: Plan
    done: Sequence[Step]
    refused: Sequence[RowRefused]
    lost: str | None
    dry_run: bool
    cut_off: Sequence[Step] = ()
    taken: int | None = None

    @property
    def status(self) -> int:
        """The exit status: 0 all is loaded, 1 rows were refused or are unfinished."""
        return 1 if self.refused or self.lost else 0


def lines_of(report: Report) -> Iterator[str]:
    """The report, line by line."""
    yield _summary(report)
    yield f"units: {len(report.units.opened)} {'to open' if report.dry_run else 'opened'}"
    if report.dry_run:
        yield from _would_change(report.plan.steps)
    loaded = {step.entry.row for step in report.done}
    yield from _undisclosed(report.found.undisclosed, loaded)
    contradictory = [row for row in report.found.contradictory if row in loaded]
    if contradictory:
        yield f"ends before it starts, kept as said and not planned on: {_rows(contradictory)}"
    completed = [step.entry.row for step in report.done if step.outcome == "completed"]
    if completed and not report.dry_run:
        yield f"completed what an earlier import left unfinished: {_rows(completed)}"
    for refused in report.refused:
        where = f"row {refused.row}, {refused.column}" if refused.column else f"row {refused.row}"
        yield f"refused: {where}: {refused.reason}"
    yield from _unfinished(report)


def _summary(report: Report) -> str:
    steps = report.plan.steps if report.dry_run else report.done
    outcomes = Counter(step.outcome for step in steps)
    changes = sum(step.changes for step in steps) if report.taken is None else report.taken
    parts = [f"{outcomes[name]} {name}" for name in ("new", "changed", "completed", "unchanged") if outcomes[name]]
    parts += [f"{len(report.refused)} refused"]
    total = len(report.found.entries) + len(report.found.refused)
    verb = "would be made; nothing was sent" if report.dry_run else "made"
    return f"{_count(total, 'row')}: {', '.join(parts)}; {_count(changes, 'change')} {verb}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _would_change(steps: Sequence[Step]) -> Iterator[str]:
    changed = [step for step in steps if step.outcome in ("changed", "completed")]
    if changed:
        yield f"would change: {_count(len(changed), 'row')}"
    for step in changed[:AT_MOST]:
        yield f"  row {step.entry.row}: {', '.join(step.differing)}"
    if len(changed) > AT_MOST:
        yield f"  and {_count(len(changed) - AT_MOST, 'row')} more"


def _undisclosed(cells: Mapping[tuple[str, str], Sequence[int]], loaded: Collection[int]) -> Iterator[str]:
    kept = {cell: there for cell, rows in cells.items() if (there := [row for row in rows if row in loaded])}
    if kept:
        yield f"undisclosed, kept as said: {_count(sum(map(len, kept.values())), 'cell')}"
    for (column, said), rows in sorted(kept.items()):
        yield f"  {column}: {said!r} in {_rows(rows)}"


def _rows(rows: Sequence[int]) -> str:
    return f"{'row' if len(rows) == 1 else 'rows'} {', '.join(map(str, sorted(rows)))}"


def _unfinished(report: Report) -> Iterator[str]:
    if not report.lost:
        return
    rows = sorted(step.entry.row for step in report.cut_off)
    if rows:
        more = f" and {len(rows) - AT_MOST:,} more" if len(rows) > AT_MOST else ""
        named = f"{_rows(rows[:AT_MOST])}{more}"
        yield f"unfinished, cut off between the services: {named} (portfolio took them, finance perhaps not all)"
    known = {step.entry.row for step in report.done} | {each.row for each in report.refused} | set(rows)
    others = sum(step.entry.row not in known for step in report.plan.steps)
    if others:
        yield f"not begun: {_count(others, 'row')}, as far as the services answered"
    yield f"{report.lost}; run the same import again to finish it"
