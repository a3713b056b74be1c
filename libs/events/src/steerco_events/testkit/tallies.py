"""A view of tallies: what each one amounts to, and what was counted."""

from dataclasses import dataclass, replace

from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection, View
from steerco_events.testkit.tally import Closed, Counted, Labeled


@dataclass(frozen=True)
class TallyRow:
    """What one tally amounts to."""

    total: int = 0
    counts: tuple[int, ...] = ()
    label: str | None = None
    is_open: bool = True


def key(event: Recorded) -> str | None:
    """The row of an event: one for each stream of a tally."""
    return event.stream.removeprefix("tally-") if event.stream.startswith("tally-") else None


def evolve(row: TallyRow | None, event: Recorded) -> TallyRow | None:
    """The row after an event. It depends on the order of the counts and on how often each came."""
    row = row or TallyRow()
    match event.payload:
        case Counted(by=by):
            return replace(row, total=row.total + by, counts=(*row.counts, by))
        case Labeled(label=label):
            return replace(row, label=label)
        case Closed():
            return replace(row, is_open=False)
        case _:
            return row


tallies = Projection("tallies", TallyRow, key, evolve, indexes=[["total"]])


def tally_view(*services: str, version: int = 1) -> View:
    """The view over the logs of these services."""
    return View("tally", version, services, (tallies,))
