"""A made-up domain, as small as one can be: tallies that count up, bear a label that is theirs alone, and close."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from steerco_events.decider import Decider, Refusal, Reservation
from steerco_events.registry import Payload, Registry, event

TALLY = Registry("tally")


@event(TALLY, "counted")
class Counted:
    """The tally went up."""

    by: int


@event(TALLY, "labeled")
class Labeled:
    """The tally bears a label."""

    label: str


@event(TALLY, "label-taken")
class LabelTaken:
    """No other tally can bear the label."""

    label: str


@event(TALLY, "closed")
class Closed:
    """The tally counts no more."""


class TallyClosed(Refusal):
    """It is closed."""


class LabelInUse(Refusal):
    """Another tally bears the label."""


@dataclass(frozen=True, slots=True)
class Count:
    """Count so many more."""

    by: int


@dataclass(frozen=True, slots=True)
class Label:
    """Give the tally a label."""

    label: str


@dataclass(frozen=True, slots=True)
class Close:
    """Count no more."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What the events of one stream amount to."""

    total: int = 0
    label: str | None = None
    is_open: bool = True


def evolve(state: Tally, event: Payload) -> Tally:
    """The tally after an event."""
    match event:
        case Counted(by=by):
            return replace(state, total=state.total + by)
        case Labeled(label=label):
            return replace(state, label=label)
        case Closed():
            return replace(state, is_open=False)
        case _:
            return state


def decide(command: Count | Label | Close, state: Tally) -> Sequence[Payload]:
    """What a command leads to."""
    match command:
        case Close():
            return [Closed()] if state.is_open else []
        case _ if not state.is_open:
            raise TallyClosed("the tally is closed")
        case Count(by):
            return [Counted(by=by)]
        case Label(label):
            return [] if label == state.label else [Labeled(label=label)]


def reserve(event: Payload) -> Reservation | None:
    """A label names one tally."""
    match event:
        case Labeled(label=label):
            refusal = LabelInUse(f"another tally is {label!r}")
            return Reservation(f"label-{label}", LabelTaken(label=label), refusal)
        case _:
            return None


tally = Decider(Tally(), evolve, decide, reserve)
