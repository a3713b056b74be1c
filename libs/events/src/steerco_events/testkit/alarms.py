"""A made-up domain that keeps time: alarms that ring once or again and again, are moved, stopped, or lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from steerco_events.decider import Decider, Refusal
from steerco_events.registry import Payload, Registry, event
from steerco_events.timers import TimerCancelled, TimerSet, Timing

ALARMS = Registry("alarms")


@event(ALARMS, "alarm-set")
class AlarmSet:
    """An alarm will ring at an instant, or from it on, every so many seconds."""

    name: str
    at: datetime
    every_seconds: int | None = None


@event(ALARMS, "alarm-stopped")
class AlarmStopped:
    """An alarm rings no more."""

    name: str


@event(ALARMS, "alarm-lost")
class AlarmLost:
    """An alarm is gone, and nobody stopped its timer."""

    name: str


@event(ALARMS, "alarm-rang")
class AlarmRang:
    """An alarm rang for an instant, and will again at the next, if there is one."""

    name: str
    at: datetime
    next_at: datetime | None


@event(ALARMS, "muted")
class Muted:
    """No alarm may ring any more."""


class IsMuted(Refusal):
    """No alarm may ring."""


@dataclass(frozen=True, slots=True)
class SetAlarm:
    """Set or move an alarm."""

    name: str
    at: datetime
    every: timedelta | None = None


@dataclass(frozen=True, slots=True)
class StopAlarm:
    """Stop an alarm."""

    name: str


@dataclass(frozen=True, slots=True)
class LoseAlarm:
    """Forget an alarm, but not its timer."""

    name: str


@dataclass(frozen=True, slots=True)
class Mute:
    """Let no alarm ring."""


@dataclass(frozen=True, slots=True)
class Ring:
    """The alarm is due."""

    name: str
    at: datetime


type AlarmCommand = SetAlarm | StopAlarm | LoseAlarm | Mute | Ring


@dataclass(frozen=True, slots=True)
class Alarms:
    """The alarms of one stream, by name."""

    set: Mapping[str, AlarmSet] = field(default_factory=dict)
    is_muted: bool = False


def evolve(state: Alarms, event: Payload) -> Alarms:
    """The alarms after an event."""
    match event:
        case AlarmSet(name=name):
            return replace(state, set={**state.set, name: event})
        case AlarmRang(name=name, next_at=datetime() as at):
            return replace(state, set={**state.set, name: replace(state.set[name], at=at)})
        case AlarmStopped(name=name) | AlarmLost(name=name) | AlarmRang(name=name):
            return replace(state, set={each: alarm for each, alarm in state.set.items() if each != name})
        case Muted():
            return replace(state, is_muted=True)
        case _:
            return state


def decide(command: AlarmCommand, state: Alarms) -> Sequence[Payload]:
    """What a command leads to."""
    match command:
        case SetAlarm(name, at, every):
            wanted = AlarmSet(name=name, at=at, every_seconds=round(every.total_seconds()) if every else None)
            return [] if state.set.get(name) == wanted else [wanted]
        case StopAlarm(name):
            return [AlarmStopped(name=name)] if name in state.set else []
        case LoseAlarm(name):
            return [AlarmLost(name=name)] if name in state.set else []
        case Mute():
            return [] if state.is_muted else [Muted()]
        case Ring(name, at):
            return _ring(state, name, at)


def _ring(state: Alarms, name: str, at: datetime) -> Sequence[Payload]:
    alarm = state.set.get(name)
    if alarm is None or alarm.at != at:
        return []
    if state.is_muted:
        raise IsMuted("no alarm may ring")
    every = alarm.every_seconds
    return [AlarmRang(name=name, at=at, next_at=at + timedelta(seconds=every) if every else None)]


def timers(event: Payload) -> Sequence[TimerSet | TimerCancelled]:
    """What an event means for the timers: an alarm that rings again and again is set by its own ringing."""
    match event:
        case AlarmSet(name=name, at=at) | AlarmRang(name=name, next_at=datetime() as at):
            return [TimerSet(name, at)]
        case AlarmStopped(name=name) | AlarmRang(name=name):
            return [TimerCancelled(name)]
        case _:
            return []


alarms: Decider[Alarms, AlarmCommand] = Decider(Alarms(), evolve, decide, timing=Timing(timers, Ring))
