"""What a running service is made of, and what it needs from the process that hosts it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncEngine

from steerco_events.batching import Batcher
from steerco_events.clock import Clock
from steerco_events.ports import EventFeed
from steerco_events.postgres.store import EventStore
from steerco_events.projections.builds import Builds
from steerco_events.projections.model import View
from steerco_events.reactions import Reaction
from steerco_events.registry import Registry
from steerco_events.signals import Signal
from steerco_service.identity import Authenticator


@dataclass(frozen=True, slots=True)
class Service:
    """One service, as its `app.py` declares it. A service without `owns_log` only projects others' logs."""

    name: str
    title: str
    description: str
    migrations: str
    routers: Sequence[APIRouter]
    view: View
    reactions: Sequence[Reaction] = ()
    owns_log: bool = True


@dataclass(frozen=True, slots=True)
class Signals:
    """What wakes what inside the process, for one service."""

    appended: Signal = field(default_factory=Signal)
    sealed: Signal = field(default_factory=Signal)
    applied: Signal = field(default_factory=Signal)
    rebuild_requested: Signal = field(default_factory=Signal)


@dataclass(frozen=True, slots=True)
class Runtime:
    """A service together with the resources of its process."""

    service: Service
    engine: AsyncEngine
    registry: Registry
    clock: Clock
    authenticator: Authenticator
    signals: Signals
    open_feed: Callable[[str], EventFeed]
    batcher: Batcher = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "batcher", Batcher(self.engine, self.store, self.signals.appended))

    @property
    def store(self) -> EventStore:
        """The service's event store."""
        return EventStore(self.service.name, self.registry)

    @property
    def builds(self) -> Builds:
        """The builds of the service's view."""
        return Builds(self.service.view)
