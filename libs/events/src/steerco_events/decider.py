"""The shape of domain code: a pure decision over the state that its own events give."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar, Literal
from uuid import UUID

from steerco_events.registry import Payload
from steerco_events.timers import Timing


class Refusal(Exception):
    """A rule said no. A subclass is a named fact, such as `BudgetExceeded`.

    `kind` says what a caller can do about it: `conflict` (the thing is in another state), `unknown` (it is
    not there), `invalid` (a value breaks a rule), `forbidden` (somebody else may do it).
    `pointer` is the JSON pointer of the field, if one is to blame.
    """

    kind: ClassVar[Literal["conflict", "unknown", "invalid", "forbidden"]] = "conflict"

    def __init__(self, detail: str, *, pointer: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer


def nothing_reserved(_: Payload) -> "Reservation | None":
    """Most events name no value that must be unique."""
    return None


def nobody(_: object) -> Sequence[UUID]:
    """The situation knows no unit."""
    return ()


def as_it_is(payload: Payload) -> Payload:
    """The payload is of the newest version known."""
    return payload


@dataclass(frozen=True, slots=True)
class Reservation:
    """A value that only one subject may hold: a stream named by the value, written at version 0."""

    stream: str
    event: Payload
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Decider[State, Command]:
    """One aggregate: where it starts, how an event changes it, what a command leads to.

    `evolve` never throws. `decide` returns the new events (none if it is already so) or raises a `Refusal`.
    `concerns` names the org units that a situation concerns, for the stamp of its events. `newest` is
    `Registry.newest` while `decide` still gives a version that has a newer one: new events are then folded as
    they will be when they are read back. `timing`, if there is one, says which events set and end timers.
    `is_of_one_place`: where nobody knows a unit, an event concerns those that the stream's last one did; not so where
    the events of a stream are about things in several places.
    """

    initial: State
    evolve: Callable[[State, Payload], State]
    decide: Callable[[Command, State], Sequence[Payload]]
    reserve: Callable[[Payload], Reservation | None] = nothing_reserved
    concerns: Callable[[State], Sequence[UUID]] = nobody
    newest: Callable[[Payload], Payload] = as_it_is
    timing: Timing[Command] | None = None
    is_of_one_place: bool = True

    def fold(self, payloads: Iterable[Payload], state: State | None = None) -> State:
        """The state after these events."""
        return reduce(self.evolve, map(self.newest, payloads), self.initial if state is None else state)
