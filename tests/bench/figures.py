"""The figures of the bench: each is a ratio within one run, or a peak, with how far it should reach."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from steerco_servers.testing import TemporaryKafka, TemporaryPostgres


@dataclass(frozen=True, slots=True)
class Servers:
    """What is measured on: a PostgreSQL with the settings of production, a single-node Kafka."""

    postgres: TemporaryPostgres
    kafka: TemporaryKafka


@dataclass(frozen=True, slots=True)
class Figure:
    """One result: `value` against `reach`; `parts` are what it was made of, in the units that `note` names.

    `flaw` says what keeps it from being met whatever its value is. `profile` says where the time or the memory goes,
    if it falls short.
    """

    key: str
    value: float
    reach: float
    better: Literal["higher", "lower"]
    parts: Mapping[str, float]
    note: str
    flaw: str = ""
    profile: Sequence[str] = ()

    @property
    def is_met(self) -> bool:
        """Whether it reaches what it should."""
        if self.flaw:
            return False
        return self.value >= self.reach if self.better == "higher" else self.value <= self.reach


type Measure = Callable[[Servers], Awaitable[Sequence[Figure]]]
"""Takes one figure or several that belong together. Each module of measurements has one, `measure`."""

type Round = Callable[[], Awaitable[float]]
"""One round of one side: what it reached, such as events per second."""


@dataclass(frozen=True, slots=True)
class Paired:
    """What alternating rounds gave: the median of the ratios of each pair, and of each side."""

    ratio: float
    ours: float
    theirs: float


async def paired(ours: Round, theirs: Round, rounds: int = 7) -> Paired:
    """Both in turn, so that what else the machine does meets both alike; the first round of each warms up."""
    await theirs()
    await ours()
    pairs = [(await theirs(), await ours()) for _ in range(rounds)]
    return Paired(
        median(our / their for their, our in pairs),
        median(our for _, our in pairs),
        median(their for their, _ in pairs),
    )
