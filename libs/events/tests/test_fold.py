"""The same events give the same rows, however their streams are interleaved, cut into batches and repeated."""

from hypothesis import given, settings
from hypothesis import strategies as st

from steerco_events.testkit.deliveries import Delivery, deliveries, folded, known
from steerco_events.testkit.recorded import BEGIN, log_of
from steerco_events.testkit.tallies import TallyRow, evolve, key, tallies
from steerco_events.testkit.tally import Closed, Counted, Labeled

payloads = st.one_of(
    st.builds(Counted, by=st.integers(1, 9)),
    st.builds(Labeled, label=st.sampled_from(["open", "shut"])),
    st.just(Closed()),
)
seals = st.lists(st.tuples(st.sampled_from(["tally-1", "tally-2", "tally-3", "label-x"]), payloads), max_size=4)
logs = st.lists(seals, max_size=8).map(log_of)


@given(deliveries(logs))
@settings(max_examples=200, deadline=None)
def test_interleaving_batches_and_repetitions_change_no_row(delivery: Delivery) -> None:
    assert folded([tallies], delivery.batches) == folded([tallies], [delivery.events])


@given(deliveries(logs))
@settings(max_examples=200, deadline=None)
def test_at_every_instant_the_rows_are_what_the_events_up_to_it_amount_to(delivery: Delivery) -> None:
    tables = folded([tallies], delivery.batches)
    for at in {BEGIN, *(event.sealed_at for event in delivery.events)}:
        amount: dict[str, TallyRow] = {}
        for event in delivery.events:
            name = key(event)
            if name is not None and event.sealed_at <= at:
                amount[name] = evolve(amount.get(name), event) or amount[name]
        assert {each.key: each.row for each in known(tables, at)["tallies"].values()} == amount


def test_events_of_one_seal_make_one_row_also_when_a_batch_cuts_through_it() -> None:
    log = log_of([[("tally-1", Counted(by=1))], [("tally-1", Counted(by=2)), ("tally-1", Counted(by=3))]])
    rows = list(folded([tallies], [log[:2], log[2:]])["tallies"].values())
    assert [each.row.counts for each in rows] == [(1,), (1, 2, 3)]
    assert [each.sealed_to for each in rows] == [log[1].sealed_at, None]
