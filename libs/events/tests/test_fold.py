"""The same events give the same rows, however their streams are interleaved, cut into batches and repeated."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from steerco_events.envelope import Recorded
from steerco_events.projections.fold import Current, Interval, fold_batch
from steerco_events.testkit.recorded import BEGIN, log_of
from steerco_events.testkit.tallies import TallyRow, evolve, key, tallies
from steerco_events.testkit.tally import Closed, Counted, Labeled

type Rows = dict[tuple[str, datetime], Interval[TallyRow]]

payloads = st.one_of(
    st.builds(Counted, by=st.integers(1, 9)),
    st.builds(Labeled, label=st.sampled_from(["open", "shut"])),
    st.just(Closed()),
)
seals = st.lists(st.tuples(st.sampled_from(["tally-1", "tally-2", "tally-3", "label-x"]), payloads), max_size=4)
logs = st.lists(seals, max_size=8).map(log_of)


@dataclass(frozen=True)
class Delivery:
    """A log, and the batches in which a reader was given it."""

    log: Sequence[Recorded]
    batches: Sequence[Sequence[Recorded]]


@st.composite
def deliveries(draw: st.DrawFn) -> Delivery:
    """Each stream's events in their order; between the streams any; now and then a stretch once more."""
    log = draw(logs)
    waiting = {stream: [each for each in log if each.stream == stream] for stream in {each.stream for each in log}}
    came: list[Recorded] = []
    while any(waiting.values()):
        stream = draw(st.sampled_from(sorted(name for name, events in waiting.items() if events)))
        came.append(waiting[stream].pop(0))
        if draw(st.integers(0, 4)) == 0:
            came.extend(came[-draw(st.integers(1, 6)) :])
    cuts = sorted(draw(st.lists(st.integers(0, len(came)), max_size=4)))
    edges = [0, *cuts, len(came)]
    return Delivery(log, [came[a:b] for a, b in pairwise(edges)])


def folded(batches: Sequence[Sequence[Recorded]]) -> Rows:
    """The table after these batches, each of which finds the open rows that the last one left."""
    rows: Rows = {}
    for batch in batches:
        current: Current[TallyRow] = {each.key: each for each in rows.values() if each.sealed_to is None}
        rows |= {(each.key, each.sealed_from): each for each in fold_batch(tallies, current, batch)}
    return rows


def known(rows: Rows, at: datetime) -> dict[str, TallyRow]:
    """What the table says was known at an instant."""
    return {
        each.key: each.row
        for each in rows.values()
        if each.sealed_from <= at and (each.sealed_to is None or at < each.sealed_to)
    }


@given(deliveries())
@settings(max_examples=200, deadline=None)
def test_interleaving_batches_and_repetitions_change_no_row(delivery: Delivery) -> None:
    assert folded(delivery.batches) == folded([delivery.log])


@given(deliveries())
@settings(max_examples=200, deadline=None)
def test_at_every_instant_the_rows_are_what_the_events_up_to_it_amount_to(delivery: Delivery) -> None:
    rows = folded(delivery.batches)
    for at in {BEGIN, *(event.sealed_at for event in delivery.log)}:
        amount: dict[str, TallyRow] = {}
        for event in delivery.log:
            name = key(event)
            if name is not None and event.sealed_at <= at:
                amount[name] = evolve(amount.get(name), event) or amount[name]
        assert known(rows, at) == amount


def test_events_of_one_seal_make_one_row_also_when_a_batch_cuts_through_it() -> None:
    log = log_of([[("tally-1", Counted(by=1))], [("tally-1", Counted(by=2)), ("tally-1", Counted(by=3))]])
    rows = folded([log[:2], log[2:]])
    assert [each.row.counts for each in rows.values()] == [(1,), (1, 2, 3)]
    assert [each.sealed_to for each in rows.values()] == [log[1].sealed_at, None]
