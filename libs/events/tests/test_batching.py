"""Commands that come at once share a transaction, and each is accepted or refused alone."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from steerco_events.commands.batching import WORTH_SHARING, Batcher
from steerco_events.commands.handling import Handled
from steerco_events.commands.planning import Handling, StaleVersion
from steerco_events.decider import Decider, Refusal
from steerco_events.envelope import Context, StreamSlice
from steerco_events.ids import new_id
from steerco_events.postgres.commands import CommandKey, IdempotencyKeyReused
from steerco_events.postgres.statements import Transaction
from steerco_events.postgres.store import MAX_EVENT_BYTES, EventStore, Write
from steerco_events.testkit.logs import Log, until, waits_for_a_lock
from steerco_events.testkit.tally import Close, Closed, Count, Counted, Label, Labeled, LabelInUse, Tally, decide, tally


def stream() -> str:
    return f"tally-{new_id()}"


def batcher(log: Log) -> Batcher:
    return Batcher(log.engine, log.store, log.appended)


def version(handled: Handled) -> bytes:
    return str(handled.version).encode()


async def send(
    to: Batcher,
    log: Log,
    name: str,
    command: Count | Label | Close,
    key: CommandKey | None = None,
    context: Context | None = None,
    expected: int | None = None,
    decider: Decider[Tally, Count | Label | Close] = tally,
) -> bytes:
    handling = Handling(decider, name, command, context or log.context(), expected)
    return await to.submit(handling, key, version)


async def outcomes(*sent: object) -> Sequence[object]:
    """What came of each: the answer, or the name of the refusal."""
    found = await asyncio.gather(*sent, return_exceptions=True)  # type: ignore[call-overload]
    return [type(each).__name__ if isinstance(each, Exception) else each for each in found]


async def transactions(log: Log, *names: str) -> int:
    """By how many transactions these streams were written."""
    query = text("SELECT count(DISTINCT xmin::text) FROM log.events WHERE stream = ANY(:names)")
    async with log.engine.connect() as connection:
        return int((await connection.execute(query, {"names": list(names)})).scalar_one())


async def test_what_comes_at_once_shares_a_transaction(shared_log: Log) -> None:
    to, names = batcher(shared_log), [stream() for _ in range(20)]
    answers = await asyncio.gather(*(send(to, shared_log, name, Count(1)) for name in names))
    assert answers == [b"1"] * 20
    assert await transactions(shared_log, *names) <= 2


async def test_a_refused_command_does_not_hold_up_those_beside_it(shared_log: Log) -> None:
    to, name, other = batcher(shared_log), stream(), stream()
    sent = [send(to, shared_log, *each) for each in ((name, Close()), (name, Count(1)), (other, Count(1)))]
    assert await outcomes(*sent) == [b"1", "TallyClosed", b"1"]
    assert await shared_log.payloads(name) == [Closed()]
    assert await transactions(shared_log, name, other) == 1


async def test_commands_on_one_stream_see_what_those_before_them_did(shared_log: Log) -> None:
    to, name = batcher(shared_log), stream()
    answers = await asyncio.gather(*(send(to, shared_log, name, Count(n)) for n in range(30)))
    assert answers == [str(n).encode() for n in range(1, 31)]
    assert await shared_log.payloads(name) == [Counted(by=n) for n in range(30)]


async def test_of_those_who_saw_the_same_version_the_first_is_accepted(shared_log: Log) -> None:
    to, name = batcher(shared_log), stream()
    await send(to, shared_log, name, Count(1))
    sent = [send(to, shared_log, name, Count(1), expected=1) for _ in range(3)]
    assert await outcomes(*sent) == [b"2", "StaleVersion", "StaleVersion"]


async def test_of_those_who_reserve_a_value_together_the_first_gets_it(shared_log: Log) -> None:
    to, label, names = batcher(shared_log), str(new_id()), [stream() for _ in range(3)]
    assert await outcomes(*(send(to, shared_log, name, Label(label)) for name in names)) == [
        b"1",
        "LabelInUse",
        "LabelInUse",
    ]
    sent = [send(to, shared_log, stream(), Label(label)), send(to, shared_log, names[1], Count(1))]
    assert await outcomes(*sent) == ["LabelInUse", b"1"]


async def test_twins_get_one_answer_and_a_twin_with_another_body_is_refused(shared_log: Log) -> None:
    to, name, key = batcher(shared_log), stream(), CommandKey(new_id(), "POST /counts", "once", b"body")
    sent = [send(to, shared_log, name, Count(1), key) for _ in range(5)]
    another = send(to, shared_log, name, Count(1), replace(key, body_hash=b"another"))
    assert await outcomes(*sent, another) == [b"1"] * 5 + ["IdempotencyKeyReused"]
    assert await shared_log.payloads(name) == [Counted(by=1)]
    with pytest.raises(IdempotencyKeyReused):
        await send(to, shared_log, name, Count(1), replace(key, body_hash=b"another"))


async def test_twins_that_come_to_two_processes_get_one_answer(shared_log: Log) -> None:
    processes, name = (batcher(shared_log), batcher(shared_log)), stream()
    key = CommandKey(new_id(), "POST /counts", "once", b"body")
    sent = [send(to, shared_log, stream() if n % 2 else name, Count(1), key) for n, to in enumerate(processes * 3)]
    assert await outcomes(*sent) == [b"1"] * 6
    query = text("SELECT count(*) FROM log.commands WHERE actor = :actor")
    async with shared_log.engine.connect() as connection:
        assert (await connection.execute(query, {"actor": key.actor})).scalar_one() == 1


async def test_a_refused_command_leaves_its_key_to_its_twin(shared_log: Log) -> None:
    to, name, key = batcher(shared_log), stream(), CommandKey(new_id(), "POST /counts", "once", b"body")
    sent = [send(to, shared_log, name, Count(1), key, expected=1), send(to, shared_log, name, Count(1), key)]
    assert await outcomes(*sent) == ["StaleVersion", b"1"]


async def test_a_faster_writer_elsewhere_makes_the_batch_decide_again(shared_log: Log) -> None:
    to, name, other = batcher(shared_log), stream(), stream()
    await shared_log.append(name, Counted(by=1))
    async with shared_log.engine.begin() as faster:
        await shared_log.store.append(faster, [Write(name, 1, [Closed()])], shared_log.context())
        sent = asyncio.gather(*(outcomes(send(to, shared_log, each, Count(1))) for each in (name, other)))
        await until(lambda: somebody_waits(shared_log), "the batch waits for the faster writer")
    assert await sent == [["TallyClosed"], [b"1"]]


async def somebody_waits(log: Log) -> bool:
    async with log.engine.connect() as connection:
        return await waits_for_a_lock(connection)


class Overtaken(EventStore):
    """A store to one of whose streams another writer is always faster."""

    def __init__(self, log: Log, name: str) -> None:
        super().__init__(log.service, log.registry)
        self._log = log
        self._name = name

    async def read_streams(self, tx: Transaction, streams: Collection[str], after: int = 0) -> dict[str, StreamSlice]:
        slices = await super().read_streams(tx, streams, after)
        if self._name in streams:
            await self._log.append(self._name, Counted(by=1))
        return slices


async def test_a_command_that_always_comes_too_late_gives_up_alone(shared_log: Log) -> None:
    name, other = stream(), stream()
    to = Batcher(shared_log.engine, Overtaken(shared_log, name), shared_log.appended)
    assert await outcomes(send(to, shared_log, name, Count(2)), send(to, shared_log, other, Count(1))) == [
        "Contended",
        b"1",
    ]
    assert Counted(by=2) not in await shared_log.payloads(name)


async def test_what_the_database_refuses_does_not_hold_up_those_beside_it(shared_log: Log) -> None:
    to, name, other = batcher(shared_log), stream(), stream()
    unstorable = replace(shared_log.context(), reason="\x00")
    sent = [send(to, shared_log, name, Count(1), context=unstorable), send(to, shared_log, other, Count(1))]
    assert await outcomes(*sent) == ["UntranslatableCharacterError", b"1"]


async def test_an_event_that_is_too_large_is_refused_alone(shared_log: Log) -> None:
    to, name, other = batcher(shared_log), stream(), stream()
    large = Label("x" * MAX_EVENT_BYTES)
    assert await outcomes(send(to, shared_log, name, large), send(to, shared_log, other, Count(1))) == [
        "EventTooLarge",
        b"1",
    ]


async def test_a_decider_that_breaks_breaks_its_own_command_only(shared_log: Log) -> None:
    def breaks(command: Count | Label | Close, state: Tally) -> Sequence[object]:
        raise ZeroDivisionError

    to, name, other = batcher(shared_log), stream(), stream()
    broken = send(to, shared_log, name, Count(1), decider=replace(tally, decide=breaks))
    assert await outcomes(broken, send(to, shared_log, other, Count(1))) == ["ZeroDivisionError", b"1"]


async def test_while_the_database_is_away_every_command_says_so_and_later_ones_go_on(shared_log: Log) -> None:
    away = create_async_engine(make_url(shared_log.urls.app_url).set(database="nowhere"))
    to = Batcher(away, shared_log.store, shared_log.appended)
    assert await outcomes(*(send(to, shared_log, stream(), Count(1)) for _ in range(3))) == ["DBAPIError"] * 3
    assert await outcomes(send(to, shared_log, stream(), Count(1))) == ["DBAPIError"]
    await away.dispose()


async def test_a_caller_that_goes_away_leaves_the_others_their_answers(shared_log: Log) -> None:
    to, name, other = batcher(shared_log), stream(), stream()
    gone = asyncio.create_task(send(to, shared_log, name, Count(1)))
    stays = asyncio.create_task(send(to, shared_log, other, Count(1)))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == b"1"
    with pytest.raises(asyncio.CancelledError):
        await gone


type Sent = tuple[int, Count | Label | Close, int | None]


@given(
    sent=st.lists(
        st.tuples(
            st.integers(0, 3),
            st.builds(Count, st.integers(1, 9)) | st.builds(Label, st.sampled_from("ab")) | st.just(Close()),
            st.none() | st.integers(0, 3),
        ),
        max_size=WORTH_SHARING,
    )
)
@settings(max_examples=40, deadline=None)
async def test_a_batch_gives_what_the_commands_give_one_by_one(shared_log: Log, sent: Sequence[Sent]) -> None:
    this = new_id()
    labels = {label: f"{label}-{this}" for label in "ab"}
    states: dict[int, list[object]] = {n: [] for n in range(4)}
    taken: dict[str, int] = {}
    expected: list[object] = []
    for n, command, seen in sent:
        try:
            if seen is not None and seen != len(states[n]):
                raise StaleVersion("")
            events = decide(command, tally.fold(states[n]))
            for event in events:
                if isinstance(event, Labeled):
                    if event.label in taken:
                        raise LabelInUse("")
                    taken[event.label] = n
            states[n].extend(events)
            expected.append(str(len(states[n])).encode())
        except Refusal as refusal:
            expected.append(type(refusal).__name__)
    to = batcher(shared_log)
    told = [
        replace(command, label=labels[command.label]) if isinstance(command, Label) else command
        for _, command, _ in sent
    ]
    got = await outcomes(
        *(
            send(to, shared_log, f"tally-{this}-{n}", command, expected=seen)
            for (n, _, seen), command in zip(sent, told, strict=True)
        )
    )
    assert got == expected
    for n, events in states.items():
        plain = [replace(each, label=labels[each.label]) if isinstance(each, Labeled) else each for each in events]
        assert await shared_log.payloads(f"tally-{this}-{n}") == plain
