"""Every fault, in the order in which the rounds go through them."""

from collections.abc import Sequence

from tests.faults.faults import (
    ApiKilled,
    ApiPaused,
    ClockBack,
    ConsumerKilled,
    Fault,
    KafkaDown,
    KafkaKilled,
    PostgresKilled,
    PostgresKilledForAMoment,
    TopicDeleted,
    WorkerKilled,
)
from tests.faults.network import Delayed, Duplicated, NetworkCut
from tests.faults.refusing import DiskFull, Poison, can_mount
from tests.faults.replacing import WorkerReplaced, ZombieConsumer, ZombieSealer
from tests.faults.restoring import RestoredFromACopy, RestoredFromACopySoon, RestoredToAPoint

FAULTS: Sequence[type[Fault]] = (
    ApiKilled,
    WorkerKilled,
    ConsumerKilled,
    PostgresKilled,
    NetworkCut,
    ZombieSealer,
    Duplicated,
    KafkaKilled,
    ClockBack,
    WorkerReplaced,
    TopicDeleted,
    Poison,
    PostgresKilledForAMoment,
    Delayed,
    ZombieConsumer,
    RestoredToAPoint,
    ApiPaused,
    DiskFull,
    KafkaDown,
    RestoredFromACopy,
    RestoredFromACopySoon,
)


def possible() -> tuple[Sequence[type[Fault]], Sequence[str]]:
    """The faults that this system allows, and the names of those that it does not."""
    if can_mount():
        return FAULTS, ()
    return [each for each in FAULTS if each is not DiskFull], (DiskFull.name,)
