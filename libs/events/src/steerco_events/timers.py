"""Timers, purely: what an event alone says about what is due on its stream, and the command of what is due.

A timer bears the stream and the name by which a later event of that stream moves or ends it. Its id derives from
the event that set it, and is the id of the command that it fires: firing twice doubles nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from steerco_events.ids import derived_id
from steerco_events.registry import Payload


@dataclass(frozen=True, slots=True)
class TimerSet:
    """From this event on the stream's timer of that name is due at an instant (UTC), whatever it was before."""

    name: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class TimerCancelled:
    """From this event on the stream has no timer of that name."""

    name: str


@dataclass(frozen=True, slots=True)
class Timing[Command]:
    """How a decider's streams keep time; both functions are pure and never throw.

    `timers` says what an event means for the timers of its stream; `on_timer` gives the command of a timer that is
    due, from its name and the instant at which it was due. A firing's own event should end the timer or set the
    next one: a schedule is a timer whose event sets it again.
    """

    timers: Callable[[Payload], Sequence[TimerSet | TimerCancelled]]
    on_timer: Callable[[str, datetime], Command]


@dataclass(frozen=True, slots=True)
class Timer:
    """What is due on a stream at an instant, by the event that set it."""

    stream: str
    name: str
    due_at: datetime
    set_by: UUID

    @property
    def key(self) -> tuple[str, str]:
        """The stream and the name."""
        return self.stream, self.name

    @property
    def id(self) -> UUID:
        """The timer's id, and that of the command that it fires."""
        return derived_id("timer", self.stream, self.name, self.set_by)


type TimerChanges = Mapping[tuple[str, str], Timer | None]
"""By stream and name, what became of a timer: it is this one now, or ended."""


def timer_changes(timing: Timing[object], stream: str, events: Iterable[tuple[UUID, Payload]]) -> TimerChanges:
    """What events of a stream, given with their ids, change about its timers; of one timer the last change counts."""
    changes: dict[tuple[str, str], Timer | None] = {}
    for event_id, event in events:
        for effect in timing.timers(event):
            match effect:
                case TimerSet(name, due_at):
                    changes[stream, name] = Timer(stream, name, due_at, event_id)
                case TimerCancelled(name):
                    changes[stream, name] = None
    return changes
