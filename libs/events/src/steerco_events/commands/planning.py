"""What commands lead to: each is decided after those before it, as long as nobody comes between. Nothing is written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import msgspec

from steerco_events.commands.judging import Behalf, IdTaken, Judge
from steerco_events.commands.parting import Deed, Parting, deeds_in, deeds_of
from steerco_events.decider import Decider, Refusal
from steerco_events.envelope import Context, StreamSlice
from steerco_events.postgres.statements import Transaction
from steerco_events.postgres.store import Append, EventStore, Write
from steerco_events.registry import Payload
from steerco_events.timers import Timer, timer_changes


class StaleVersion(Refusal):
    """The stream is at another version than the caller saw."""


class Handling[State, Command](msgspec.Struct, frozen=True):
    """A command on its way to its decider.

    `expected` is the version that the caller saw (`None`: any); `must_exist` refuses a stream that is not there;
    `is_new` says that the stream's id was just made up, so that there is nothing to read; `instead` makes of a
    refusal the command that is decided in its place. `judge` judges who asks by the units of the context
    and of the situation; for whom the thing is not there, it is decided as if it were not. By the same units who is
    judged acts on `behalf` of another, and `partings` refuse who did what is kept apart from this.
    """

    decider: Decider[State, Command]
    stream: str
    command: Command
    context: Context
    expected: int | None = None
    must_exist: bool = False
    is_new: bool = False
    instead: Callable[[Refusal], Command] | None = None
    judge: Judge | None = None
    behalf: Behalf | None = None
    partings: Sequence[Parting] = ()


class Situation(msgspec.Struct, frozen=True):
    """Where a stream stands for a decider: the state, the version, the stamp of the last event."""

    decider: Decider[Any, Any]
    state: Any
    version: int
    org_units: Sequence[UUID]


class Decided(msgspec.Struct, frozen=True):
    """An accepted command: the number of the append that its answer stands on, if one is in this transaction."""

    stream: str
    version: int
    events: Sequence[Payload]
    append: int | None


@dataclass(slots=True)
class Plan:
    """What a series of commands leads to, as long as nobody comes between. `known`: which reservations are taken.

    `deeds`: who did what in the streams, if somebody must know.
    Of the streams that it appends to: `situations`, `new` events, and the number of the last append.
    """

    store: EventStore
    slices: Mapping[str, StreamSlice]
    assumed: Mapping[str, Situation]
    known: Mapping[str, bool]
    deeds: set[Deed] | None
    situations: dict[str, Situation] = field(default_factory=dict)
    new: dict[str, list[Payload]] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    reserved: dict[str, None] = field(default_factory=dict)
    appends: list[Append] = field(default_factory=list)
    timers: dict[tuple[str, str], Timer | None] = field(default_factory=dict)

    def decide(self, handling: Handling[Any, Any]) -> Decided | Exception:
        """Decide one command after those before it."""
        try:
            return self._decide_it_or_instead(handling)
        except Exception as error:
            return error

    def _decide_it_or_instead(self, handling: Handling[Any, Any]) -> Decided:
        try:
            return self._decide(handling)
        except Refusal as refusal:
            if handling.instead is None:
                raise
            instead = msgspec.structs.replace(handling, command=handling.instead(refusal), instead=None)
            return self._decide(instead)

    def _decide(self, handling: Handling[Any, Any]) -> Decided:
        decider, stream = handling.decider, handling.stream
        situation = self._situation(decider, stream)
        context = handling.context
        last = situation.org_units if decider.is_of_one_place else ()
        if handling.judge:
            concerned = (*handling.context.org_units, *decider.concerns(situation.state)) or last
            if (concerned or situation.version) and not handling.judge(concerned):
                raise _as_if_absent(handling)
            if handling.behalf and (person := handling.behalf(concerned)):
                context = replace(context, on_behalf_of=person)
            if self.deeds:
                for parting in handling.partings:
                    parting.check(stream, context, concerned, self.deeds)
        _check_version(handling, situation.version)
        events = decider.decide(handling.command, situation.state)
        if not events:
            return Decided(stream, situation.version, (), self.last.get(stream))
        reservations = [reserved for event in events if (reserved := decider.reserve(event))]
        for reserved in reservations:
            if self.known.get(reserved.stream) or reserved.stream in self.reserved:
                raise reserved.refusal
        after = decider.fold(events, situation.state)
        concerned = (*handling.context.org_units, *decider.concerns(situation.state), *decider.concerns(after))
        org_units = tuple(dict.fromkeys(concerned or last))
        writes = [
            Write(stream, situation.version, events),
            *(Write(reserved.stream, 0, (reserved.event,)) for reserved in reservations),
        ]
        self.appends.append(self.store.prepare(writes, context, org_units))
        if self.deeds is not None:
            self.deeds.update(deeds_in(self.appends[-1]))
        if decider.timing:
            told = [(handling.context.event_id(n), decider.newest(event)) for n, event in enumerate(events)]
            self.timers |= timer_changes(decider.timing, stream, told)
        self.reserved |= dict.fromkeys(reserved.stream for reserved in reservations)
        version, number = situation.version + len(events), len(self.appends) - 1
        self.new.setdefault(stream, []).extend(events)
        self.last[stream] = number
        self.situations[stream] = Situation(decider, after, version, org_units)
        return Decided(stream, version, events, number)

    def _situation(self, decider: Decider[Any, Any], stream: str) -> Situation:
        found = self.situations.get(stream)
        if found and found.decider is decider:
            return found
        if stream not in self.slices:
            return self.assumed[stream]
        current = self.slices[stream]
        state = decider.fold((*current.payloads, *self.new.get(stream, ())))
        last = found or current
        return Situation(decider, state, last.version, last.org_units)


async def planned(
    tx: Transaction,
    store: EventStore,
    handlings: Sequence[Handling[Any, Any]],
    slices: Mapping[str, StreamSlice],
    assumed: Mapping[str, Situation],
) -> tuple[Plan, Sequence[Decided | Exception], Mapping[str, StreamSlice]]:
    """What commands lead to, each decided, and the slices of all streams that had to be read."""
    known: dict[str, bool] = {}
    while True:
        deeds = await deeds_of(tx, store, ((each.stream, parting) for each in handlings for parting in each.partings))
        plan = Plan(store, slices, assumed, known, deeds)
        outcomes = [plan.decide(each) for each in handlings]
        unknown = plan.reserved.keys() - known.keys()
        taken = await store.taken(tx, unknown) if unknown else set()
        known |= {stream: stream in taken for stream in unknown}
        unproven = {each.stream for each in handlings} - slices.keys() - plan.situations.keys()
        if unproven:
            slices = {**slices, **await store.read_streams(tx, unproven)}
        elif not taken:
            return plan, outcomes, slices


def _check_version(handling: Handling[Any, Any], version: int) -> None:
    if handling.expected is not None and handling.expected != version:
        raise StaleVersion(f"{handling.stream} is at version {version}, not at {handling.expected}")
    if handling.must_exist and version == 0:
        raise StaleVersion(f"{handling.stream} is not there yet")


def _as_if_absent(handling: Handling[Any, Any]) -> Refusal:
    """What is said of a stream that is not there: to who may not see it, it is not."""
    try:
        _check_version(handling, 0)
        handling.decider.decide(handling.command, handling.decider.initial)
    except Refusal as refusal:
        return refusal
    return IdTaken("the id names something already")
