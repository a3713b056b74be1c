"""Specs for deciders: given what happened, when a command comes, then these events, a refusal, or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from steerco_events.decider import Decider, Refusal
from steerco_events.registry import Payload


@dataclass(frozen=True, slots=True)
class Given[State, Command]:
    """What has already happened in the stream."""

    decider: Decider[State, Command]
    past: tuple[Payload, ...]

    def when(self, command: Command) -> "When[State, Command]":
        """A command comes."""
        return When(self.decider, self.past, command)


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
