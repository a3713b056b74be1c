"""What the doctor reads of the answers of services, of this release as of one before."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec


class Readiness(msgspec.Struct, frozen=True):
    """Of `/readyz`: whether it is ready and what fails behind it; else `detail` says why it is not."""

    ready: bool = False
    degraded: Mapping[str, str] = {}
    detail: str = "is not ready"


class Generation(msgspec.Struct, frozen=True):
    """After which position a generation of positions began."""

    from_position: int


class Signed(msgspec.Struct, frozen=True):
    """The newest head that was signed."""

    position: int
    watermark: datetime


class Relay(msgspec.Struct, frozen=True):
    """How far the log is published, and how many positions are still to come."""

    position: int
    behind: int


class Reaction(msgspec.Struct, frozen=True):
    """How far a reaction has come in the log of `service`, in each partition."""

    reaction: str
    service: str
    generation: int
    positions: Sequence[int]


class Log(msgspec.Struct, frozen=True):
    """Of `/log`. An earlier release tells no `positions`."""

    service: str
    position: int
    generations: Sequence[Generation]
    watermark: datetime
    unsealed: int
    open_since: datetime | None
    signed: Signed | None
    relay: Relay | None
    reactions: Sequence[Reaction]
    positions: Sequence[int] | None = None


class Progress(msgspec.Struct, frozen=True):
    """How far a build has come in one service's log."""

    service: str
    generation: int
    position: int
    watermark: datetime | None


class Way(msgspec.Struct, frozen=True):
    """What keeps a build that is being made from going live, if anything."""

    waits_for: str | None


class Build(msgspec.Struct, frozen=True):
    """One build of a view."""

    build: int
    state: str
    progress: Sequence[Progress]
    way: Way | None = None


class View(msgspec.Struct, frozen=True):
    """Of `/views/<view>`."""

    view: str
    version: int
    builds: Sequence[Build]
