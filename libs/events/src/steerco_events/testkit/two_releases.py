"""A made-up event that gets a second version, as three releases know it: before, reading it, writing it.

Stream: `ship-<name>`.

The domain of the release that reads it folds the second version already and still decides the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from steerco_events.decider import Decider
from steerco_events.registry import EventType, Payload, Registry, event, upcaster

READING = Registry("dock")


@event(READING, "arrived")
class ArrivedV1:
    """A ship came in."""

    ship: str
    tonnes: int


@event(READING, "arrived", version=2, written=False)
class Arrived:
    """A ship came in, and is on a berth."""

    ship: str
    kilograms: int
    """What it carries."""
    berth: str | None = None


@upcaster(READING)
def in_kilograms(arrived: ArrivedV1) -> Arrived:
    """Nobody wrote down the berths."""
    return Arrived(ship=arrived.ship, kilograms=arrived.tonnes * 1000)


BEFORE = Registry("dock")
BEFORE.add(EventType("steerco.dock.arrived", 1, ArrivedV1))

WRITING = Registry("dock")
WRITING.add(EventType("steerco.dock.arrived", 1, ArrivedV1))
WRITING.add(EventType("steerco.dock.arrived", 2, Arrived))
WRITING.add_upcaster(ArrivedV1, Arrived, in_kilograms)


@dataclass(frozen=True, slots=True)
class Moor:
    """A ship comes in."""

    ship: str
    tonnes: int


@dataclass(frozen=True, slots=True)
class Dock:
    """What lies there, in kilograms."""

    kilograms: int = 0
    ships: frozenset[str] = frozenset()


def evolve(dock: Dock, event: Payload) -> Dock:
    """The dock after an event: the newest version is all that it ever meets."""
    match event:
        case Arrived(ship=ship, kilograms=kilograms):
            return Dock(dock.kilograms + kilograms, dock.ships | {ship})
        case _:
            return dock


def decide_first(command: Moor, dock: Dock) -> Sequence[Payload]:
    """As the reading release decides."""
    return [] if command.ship in dock.ships else [ArrivedV1(ship=command.ship, tonnes=command.tonnes)]


def decide_second(command: Moor, dock: Dock) -> Sequence[Payload]:
    """As the writing release decides."""
    return [] if command.ship in dock.ships else [Arrived(ship=command.ship, kilograms=command.tonnes * 1000)]


reading_dock = Decider(Dock(), evolve, decide_first, newest=READING.newest)
writing_dock = Decider(Dock(), evolve, decide_second)
