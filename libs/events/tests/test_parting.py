"""Who did the one thing in a stream may not do the other there; and on whose behalf somebody acts is recorded."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

import msgspec
import pytest

from steerco_events.commands.batching import Batcher
from steerco_events.commands.handling import Handled, Outcome, handle_all
from steerco_events.commands.judging import Forbidden
from steerco_events.commands.parting import Parting
from steerco_events.commands.planning import Handling
from steerco_events.envelope import Actor, Recorded
from steerco_events.ids import derived_id, new_id
from steerco_events.testkit.logs import Log
from steerco_events.testkit.tally import Close, Closed, Count, Counted, Label, LabelInUse, Tally, tally

ANNA, BEN, MANAGER = (derived_id("person", name) for name in ("anna", "ben", "manager"))
HERE, THERE = new_id(), new_id()

type Asked = Handling[Tally, Count | Label | Close]


@dataclass
class Policy:
    """Who counts does not close, in these units; `asked` is of what it was asked."""

    units: set[UUID] = field(default_factory=lambda: {HERE})
    asked: list[Sequence[UUID]] = field(default_factory=list)

    def __call__(self, units: Sequence[UUID]) -> None:
        self.asked.append(tuple(units))
        if not self.units.isdisjoint(units):
            raise Forbidden("who counts does not close")

    @property
    def parting(self) -> Parting:
        return Parting(frozenset({"steerco.tally.counted"}), self)


@pytest.fixture
def policy() -> Policy:
    return Policy()


def stream() -> str:
    return f"tally-{new_id()}"


def asked(log: Log, name: str, person: UUID, command: Count | Label | Close, *units: UUID) -> Asked:
    """A command of a person who may do it, on what concerns these units."""
    context = replace(log.context(), actor=Actor(person, "PMO officer"), org_units=units or (HERE,))
    return Handling(tally, name, command, context, judge=lambda _: True)


def apart(handling: Asked, policy: Policy) -> Asked:
    """The same, by somebody who is not to have counted."""
    return msgspec.structs.replace(handling, partings=[policy.parting])


def for_manager(handling: Asked) -> Asked:
    """The same, on behalf of the manager."""
    return msgspec.structs.replace(handling, behalf=lambda _: MANAGER)


async def came_of(log: Log, *handlings: Asked) -> Sequence[type[Outcome]]:
    async with log.engine.begin() as tx:
        return [type(each) for each in await handle_all(tx, log.store, handlings)]


async def events(log: Log, name: str) -> Sequence[Recorded]:
    async with log.engine.connect() as connection:
        return await log.store.read_events(connection, name)


async def test_who_did_the_one_may_not_do_the_other(shared_log: Log, policy: Policy) -> None:
    name = stream()
    await came_of(shared_log, asked(shared_log, name, ANNA, Count(1)))
    assert await came_of(shared_log, apart(asked(shared_log, name, ANNA, Close()), policy)) == [Forbidden]
    assert await shared_log.payloads(name) == [Counted(by=1)]


async def test_somebody_else_may(shared_log: Log, policy: Policy) -> None:
    name = stream()
    await came_of(shared_log, asked(shared_log, name, ANNA, Count(1)))
    assert await came_of(shared_log, apart(asked(shared_log, name, BEN, Close()), policy)) == [Handled]
    assert policy.asked == []


async def test_who_did_something_else_in_the_stream_may(shared_log: Log, policy: Policy) -> None:
    name = stream()
    await came_of(shared_log, asked(shared_log, name, ANNA, Label(str(new_id()))))
    assert await came_of(shared_log, apart(asked(shared_log, name, ANNA, Close()), policy)) == [Handled]


async def test_who_did_it_in_another_stream_may(shared_log: Log, policy: Policy) -> None:
    name, other = stream(), stream()
    await came_of(shared_log, asked(shared_log, other, ANNA, Count(1)), asked(shared_log, name, BEN, Count(1)))
    closing = [apart(asked(shared_log, each, ANNA, Close()), policy) for each in (name, other)]
    assert await came_of(shared_log, *closing) == [Handled, Forbidden]


async def test_the_units_of_the_thing_say_whether_the_two_are_apart(shared_log: Log, policy: Policy) -> None:
    name = stream()
    await came_of(shared_log, asked(shared_log, name, ANNA, Count(1), THERE))
    assert await came_of(shared_log, apart(asked(shared_log, name, ANNA, Close(), THERE), policy)) == [Handled]
    assert policy.asked == [(THERE,)]


async def test_together_what_was_done_right_before_counts_too(shared_log: Log, policy: Policy) -> None:
    name = stream()
    counting = asked(shared_log, name, ANNA, Count(1))
    closing = [apart(asked(shared_log, name, person, Close()), policy) for person in (ANNA, BEN)]
    assert await came_of(shared_log, counting, *closing) == [Handled, Forbidden, Handled]
    assert await shared_log.payloads(name) == [Counted(by=1), Closed()]


async def test_together_what_is_decided_again_counts_once_it_is_accepted(shared_log: Log, policy: Policy) -> None:
    label = str(new_id())
    await came_of(shared_log, asked(shared_log, stream(), BEN, Label(label)))
    name = stream()
    series = [
        asked(shared_log, name, ANNA, Count(1)),
        asked(shared_log, name, BEN, Label(label)),
        apart(asked(shared_log, name, ANNA, Close()), policy),
    ]
    assert await came_of(shared_log, *series) == [Handled, LabelInUse, Forbidden]


async def test_of_a_situation_that_was_kept_it_is_known_who_did_what(shared_log: Log, policy: Policy) -> None:
    to, name = Batcher(shared_log.engine, shared_log.store, shared_log.appended), stream()

    async def send(handling: Asked) -> None:
        await to.submit(handling, None, lambda handled: b"")

    await send(asked(shared_log, name, ANNA, Count(1)))
    with pytest.raises(Forbidden, match="who counts does not close"):
        await send(apart(asked(shared_log, name, ANNA, Close()), policy))
    await send(apart(asked(shared_log, name, BEN, Close()), policy))
    assert await shared_log.payloads(name) == [Counted(by=1), Closed()]


async def test_on_whose_behalf_somebody_acts_is_recorded(shared_log: Log) -> None:
    name = stream()
    handlings = for_manager(asked(shared_log, name, ANNA, Count(1))), asked(shared_log, name, ANNA, Count(2))
    await came_of(shared_log, *handlings)
    told = [(event.actor.id, event.on_behalf_of) for event in await events(shared_log, name)]
    assert told == [(ANNA, MANAGER), (ANNA, None)]


async def test_on_whose_behalf_it_is_goes_by_the_units_of_the_thing(shared_log: Log) -> None:
    name, units = stream(), list[Sequence[UUID]]()

    def behalf(concerned: Sequence[UUID]) -> UUID | None:
        units.append(tuple(concerned))
        return None

    await came_of(shared_log, msgspec.structs.replace(asked(shared_log, name, ANNA, Count(1), THERE), behalf=behalf))
    assert units == [(THERE,)]
    assert [event.on_behalf_of for event in await events(shared_log, name)] == [None]


@pytest.mark.parametrize("person", [ANNA, MANAGER])
async def test_neither_who_acted_nor_on_whose_behalf_may_do_the_other(
    shared_log: Log, policy: Policy, person: UUID
) -> None:
    name = stream()
    await came_of(shared_log, for_manager(asked(shared_log, name, ANNA, Count(1))))
    assert await came_of(shared_log, apart(asked(shared_log, name, person, Close()), policy)) == [Forbidden]


async def test_nor_may_somebody_else_on_behalf_of_who_did_it(shared_log: Log, policy: Policy) -> None:
    name = stream()
    await came_of(shared_log, asked(shared_log, name, MANAGER, Count(1)))
    closing = apart(for_manager(asked(shared_log, name, BEN, Close())), policy)
    assert await came_of(shared_log, closing) == [Forbidden]
