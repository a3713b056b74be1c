"""Specs for deciders: given what happened, when a command comes, then these events, a refusal, or nothing.

And for their timers: given what happened, these are due; when one is due, then its command does what it should.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pytest

from steerco_events.decider import Decider, Refusal
from steerco_events.ids import derived_id
from steerco_events.registry import Payload
from steerco_events.timers import Timer, timer_changes


@dataclass(frozen=True, slots=True)
class Given[State, Command]:
    """What has already happened in the stream."""

    decider: Decider[State, Command]
    past: tuple[Payload, ...]

    def when(self, command: Command) -> "When[State, Command]":
        """A command comes."""
        return When(self.decider, self.past, command)

    def then_due(self, expected: Mapping[str, datetime]) -> None:
        """Exactly these timers stand, by name, and are due at these instants."""
        found = {name: timer.due_at for name, timer in self._timers().items()}
        assert found == expected, f"{found} instead of {expected}"

    def when_due(self, name: str) -> "When[State, Command]":
        """The timer of that name is due, and its command comes."""
        timer, timing = self._timers()[name], self.decider.timing
        assert timing is not None
        return When(self.decider, self.past, timing.on_timer(name, timer.due_at))

    def _timers(self) -> Mapping[str, Timer]:
        if self.decider.timing is None:
            return {}
        events = [(derived_id("event", n), self.decider.newest(event)) for n, event in enumerate(self.past)]
        changes = timer_changes(self.decider.timing, "stream", events)
        return {name: timer for (_, name), timer in changes.items() if timer}


@dataclass(frozen=True, slots=True)
class When[State, Command]:
    """A command, and what is demanded of it."""

    decider: Decider[State, Command]
    past: tuple[Payload, ...]
    command: Command

    def _decide(self, *more: Payload) -> Sequence[Payload]:
        return self.decider.decide(self.command, self.decider.fold((*self.past, *more)))

    def then(self, *expected: Payload) -> None:
        """Exactly these events; and none when the same command comes again."""
        events = list(self._decide())
        assert events == list(expected), f"{events} instead of {list(expected)}"
        again = list(self._decide(*events))
        assert again == [], f"the same command sent again gave {again}"

    def then_refused(self, refusal: type[Refusal], *, pointer: str | None = None) -> None:
        """That refusal, by name; and for that field, if a pointer is given."""
        with pytest.raises(refusal) as refused:
            self._decide()
        assert refused.value.detail
        if pointer is not None:
            assert refused.value.pointer == pointer

    def then_nothing(self) -> None:
        """No events: it is already so."""
        events = list(self._decide())
        assert events == [], f"{events} instead of nothing"


def spec[State, Command](decider: Decider[State, Command]) -> "Spec[State, Command]":
    """The specs of one decider."""
    return Spec(decider)


@dataclass(frozen=True, slots=True)
class Spec[State, Command]:
    """Where specs of a decider begin."""

    decider: Decider[State, Command]

    def given(self, *past: Payload) -> Given[State, Command]:
        """What has already happened."""
        return Given(self.decider, past)
