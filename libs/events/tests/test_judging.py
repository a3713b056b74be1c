"""Who asks is judged by what the thing concerns, where it is decided; what is not there for them is as if absent."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

import msgspec
import pytest

from steerco_events.commands.batching import Batcher
from steerco_events.commands.handling import Handled, Outcome, handle_all
from steerco_events.commands.judging import Forbidden, IdTaken
from steerco_events.commands.planning import Handling, StaleVersion
from steerco_events.decider import Decider, Refusal
from steerco_events.ids import new_id
from steerco_events.registry import Payload
from steerco_events.testkit.logs import Log
from steerco_events.testkit.tally import (
    Close,
    Closed,
    Count,
    Counted,
    Label,
    Labeled,
    Tally,
    TallyClosed,
    decide,
    tally,
)

HERE, THERE, FAR = new_id(), new_id(), new_id()


class TallyUnknown(Refusal):
    """It is not there."""

    kind = "unknown"


def decide_known(command: Count | Label | Close, state: Tally) -> Sequence[Payload]:
    """As a tally, but it is there before it is closed."""
    if isinstance(command, Close) and state == Tally():
        raise TallyUnknown("there is no such tally")
    return decide(command, state)


known: Decider[Tally, Count | Label | Close] = replace(tally, decide=decide_known)


@dataclass
class Sight:
    """A judge to whom there is what concerns these units alone; `asked` is what it was asked."""

    units: set[UUID] = field(default_factory=lambda: {HERE})
    is_forbidden: bool = False
    asked: list[Sequence[UUID]] = field(default_factory=list)

    def __call__(self, units: Sequence[UUID]) -> bool:
        self.asked.append(tuple(units))
        if self.is_forbidden:
            raise Forbidden("this needs another role")
        return self.units.issuperset(units)


@pytest.fixture
def sight() -> Sight:
    return Sight()


def stream() -> str:
    return f"tally-{new_id()}"


def asked(
    log: Log, sight: Sight, name: str, command: Count | Label | Close, *units: UUID
) -> Handling[Tally, Count | Label | Close]:
    """A command of somebody who is judged, and concerns these units."""
    return Handling(known, name, command, log.context().concerning(*units), judge=sight)


async def there(log: Log, *units: UUID) -> str:
    """A stream with one event that is stamped with these units."""
    name = stream()
    await log.handle(known, name, Count(1), log.context().concerning(*units))
    return name


async def came_of(log: Log, *handlings: Handling[Tally, Count | Label | Close]) -> Sequence[Outcome]:
    async with log.engine.begin() as tx:
        return await handle_all(tx, log.store, handlings)


async def refusal(log: Log, handling: Handling[Tally, Count | Label | Close]) -> Exception:
    """Why it was not accepted; nothing was written."""
    before = await log.payloads(handling.stream)
    (outcome,) = await came_of(log, handling)
    assert isinstance(outcome, Exception)
    assert await log.payloads(handling.stream) == before
    return outcome


async def test_what_is_there_for_who_asks_is_decided(shared_log: Log, sight: Sight) -> None:
    name = await there(shared_log, HERE)
    (outcome,) = await came_of(shared_log, asked(shared_log, sight, name, Count(2)))
    assert isinstance(outcome, Handled)
    assert await shared_log.payloads(name) == [Counted(by=1), Counted(by=2)]


async def test_what_is_not_there_for_who_asks_is_refused_as_what_is_not_there(shared_log: Log, sight: Sight) -> None:
    unseen = await refusal(shared_log, asked(shared_log, sight, await there(shared_log, THERE), Close()))
    absent = await refusal(shared_log, asked(shared_log, sight, stream(), Close()))
    assert (type(unseen), str(unseen)) == (type(absent), str(absent)) == (TallyUnknown, "there is no such tally")


@pytest.mark.parametrize("expected", [1, 7])
async def test_with_a_version_that_was_seen_it_is_said_to_be_at_none(
    shared_log: Log, sight: Sight, expected: int
) -> None:
    name = await there(shared_log, THERE)
    handling = asked(shared_log, sight, name, Close())
    found = await refusal(shared_log, msgspec.structs.replace(handling, expected=expected))
    assert isinstance(found, StaleVersion)
    assert str(found) == f"{name} is at version 0, not at {expected}"


async def test_where_it_must_be_there_it_is_said_not_to_be(shared_log: Log, sight: Sight) -> None:
    name = await there(shared_log, THERE)
    handling = asked(shared_log, sight, name, Count(1))
    found = await refusal(shared_log, msgspec.structs.replace(handling, must_exist=True))
    assert isinstance(found, StaleVersion)
    assert str(found) == f"{name} is not there yet"


async def test_the_state_of_what_is_not_there_for_who_asks_is_not_betrayed(shared_log: Log, sight: Sight) -> None:
    name = await there(shared_log, THERE)
    await shared_log.handle(known, name, Close())
    assert isinstance(await refusal(shared_log, asked(shared_log, sight, name, Close())), TallyUnknown)
    with pytest.raises(TallyClosed):
        await shared_log.handle(known, name, Count(1))


async def test_an_id_under_which_something_unseen_is_there_can_not_be_used_again(shared_log: Log, sight: Sight) -> None:
    name = await there(shared_log, THERE)
    found = await refusal(shared_log, asked(shared_log, sight, name, Count(1)))
    assert (type(found), str(found)) == (IdTaken, "the id names something already")


async def test_what_is_seen_but_may_not_be_done_is_forbidden(shared_log: Log) -> None:
    name = await there(shared_log, HERE)
    found = await refusal(shared_log, asked(shared_log, Sight(is_forbidden=True), name, Close()))
    assert (type(found), str(found)) == (Forbidden, "this needs another role")


async def test_who_may_not_do_it_learns_nothing_of_its_state_either(shared_log: Log) -> None:
    name = await there(shared_log, HERE)
    await shared_log.handle(known, name, Close())
    handling = asked(shared_log, Sight(is_forbidden=True), name, Count(1))
    assert isinstance(await refusal(shared_log, handling), Forbidden)
    assert isinstance(await refusal(shared_log, msgspec.structs.replace(handling, expected=1)), Forbidden)


async def test_a_judge_is_asked_of_the_units_that_the_thing_is_stamped_with(shared_log: Log, sight: Sight) -> None:
    name = await there(shared_log, HERE, THERE)
    await refusal(shared_log, asked(shared_log, sight, name, Close()))
    assert sight.asked == [(HERE, THERE)]


async def test_a_judge_is_asked_of_no_stamp_where_the_events_of_a_stream_are_about_several_places(
    shared_log: Log, sight: Sight
) -> None:
    name = await there(shared_log, HERE)
    of_several = replace(known, is_of_one_place=False)
    await came_of(shared_log, msgspec.structs.replace(asked(shared_log, sight, name, Close()), decider=of_several))
    assert sight.asked == [()]


async def test_a_judge_is_asked_of_the_units_of_the_command_and_of_the_situation(shared_log: Log, sight: Sight) -> None:
    placed = replace(known, concerns=lambda state: (THERE,) if state.total else ())
    name = await there(shared_log, FAR)
    handling = msgspec.structs.replace(asked(shared_log, sight, name, Close(), HERE), decider=placed)
    await refusal(shared_log, handling)
    assert sight.asked == [(HERE, THERE)]


async def test_where_a_command_says_where_its_thing_is_now_the_older_stamp_does_not_count(
    shared_log: Log, sight: Sight
) -> None:
    name = await there(shared_log, THERE)
    (outcome,) = await came_of(shared_log, asked(shared_log, sight, name, Close(), HERE))
    assert isinstance(outcome, Handled)
    assert sight.asked == [(HERE,)]


async def test_a_judge_is_asked_of_no_unit_where_there_is_something_that_concerns_none(
    shared_log: Log, sight: Sight
) -> None:
    await came_of(shared_log, asked(shared_log, sight, await there(shared_log), Close()))
    assert sight.asked == [()]


async def test_what_is_made_anew_without_a_unit_is_not_judged(shared_log: Log) -> None:
    nobody, name = Sight(is_forbidden=True), stream()
    (outcome,) = await came_of(shared_log, asked(shared_log, nobody, name, Count(1)))
    assert isinstance(outcome, Handled)
    assert nobody.asked == []


async def test_what_is_made_anew_at_a_unit_is_judged_by_it(shared_log: Log, sight: Sight) -> None:
    name = stream()
    assert isinstance(await refusal(shared_log, asked(shared_log, sight, name, Count(1), THERE)), IdTaken)
    (outcome,) = await came_of(shared_log, asked(shared_log, sight, name, Count(1), HERE))
    assert isinstance(outcome, Handled)
    assert sight.asked == [(THERE,), (HERE,)]


async def test_who_is_not_judged_may_do_everything(shared_log: Log) -> None:
    name = await there(shared_log, THERE)
    await shared_log.handle(known, name, Close())
    assert await shared_log.payloads(name) == [Counted(by=1), Closed()]


async def test_together_each_is_judged_alone(shared_log: Log, sight: Sight) -> None:
    names = [await there(shared_log, unit) for unit in (HERE, THERE, HERE)]
    judges = [sight, sight, Sight(is_forbidden=True)]
    handlings = [asked(shared_log, judge, name, Close()) for judge, name in zip(judges, names, strict=True)]
    outcomes = await came_of(shared_log, *handlings)
    assert [type(each) for each in outcomes] == [Handled, TallyUnknown, Forbidden]
    assert [len(await shared_log.payloads(name)) for name in names] == [2, 1, 1]


async def test_together_a_later_one_is_judged_by_what_those_before_it_have_made(shared_log: Log, sight: Sight) -> None:
    name = stream()
    made = asked(shared_log, Sight({THERE}), name, Count(1), THERE)
    outcomes = await came_of(shared_log, made, asked(shared_log, sight, name, Close()))
    assert [type(each) for each in outcomes] == [Handled, TallyUnknown]
    assert sight.asked == [(THERE,)]


async def test_a_value_that_something_unseen_has_can_not_be_taken_by_another(shared_log: Log, sight: Sight) -> None:
    name, label = await there(shared_log, THERE), str(new_id())
    await shared_log.handle(known, name, Label(label))
    found = await refusal(shared_log, asked(shared_log, sight, stream(), Label(label), HERE))
    assert type(found).__name__ == "LabelInUse"
    assert await shared_log.payloads(name) == [Counted(by=1), Labeled(label=label)]


async def test_a_situation_that_was_kept_is_judged_as_one_that_was_read(shared_log: Log, sight: Sight) -> None:
    to, name = Batcher(shared_log.engine, shared_log.store, shared_log.appended), stream()

    async def send(judge: Sight, command: Count | Close, *units: UUID) -> None:
        await to.submit(asked(shared_log, judge, name, command, *units), None, lambda handled: b"")

    await send(Sight({THERE}), Count(1), THERE)
    with pytest.raises(TallyUnknown):
        await send(sight, Close())
    await send(Sight({THERE}), Close())
    assert await shared_log.payloads(name) == [Counted(by=1), Closed()]
    assert sight.asked[-1] == (THERE,)
