"""What a running service is made of, and what it needs from the process that hosts it."""

from asyncio import Event
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncEngine

from steerco_events.clock import Clock
from steerco_events.commands.batching import Batcher
from steerco_events.consuming.consumer import PARKED_LIMIT, Consumers
from steerco_events.consuming.reactions import Reaction
from steerco_events.ports import WHOLE, EventFeed, Shard
from steerco_events.postgres.accesses import KEPT
from steerco_events.postgres.lease_keeper import LASTS, LeaseKeeper
from steerco_events.postgres.store import EventStore
from steerco_events.projections.builds import Builds
from steerco_events.projections.keeping import KEEPING, Keeping
from steerco_events.projections.model import View
from steerco_events.registry import Registry
from steerco_events.signals import Signal
from steerco_events.timing.timetable import TimedDecider, Timetable
from steerco_service.access.access import STALE_AFTER, Access
from steerco_service.access.groups import GroupRole
from steerco_service.audit.access_log import AccessLog
from steerco_service.identity.authenticator import Authenticator
from steerco_service.log_key import Signing
from steerco_service.lookups import Lookups
from steerco_service.privacy.key_database import KeyDatabase
from steerco_service.privacy.keys import Keys, NoKeys


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
    timed: Sequence[TimedDecider] = ()
    owns_log: bool = True
    keeps_keys: bool = False
    """Whether it keeps the keys of people's records, in a database of their own."""
    begins: "Callable[[Runtime], Awaitable[None]] | None" = None
    """What is done at each start, beside the other work; doing it again changes nothing."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What wakes what inside the process, for one service.

    `rested`: its log is quiet and complete up to now. `leases`: a worker has come, or left leases to others.
    """

    appended: Signal = field(default_factory=Signal)
    sealed: Signal = field(default_factory=Signal)
    rested: Signal = field(default_factory=Signal)
    applied: Signal = field(default_factory=Signal)
    rebuild_requested: Signal = field(default_factory=Signal)
    parked_asked: Signal = field(default_factory=Signal)
    leases: Signal = field(default_factory=Signal)


class OpenLog(Protocol):
    """Opens a new feed on a service's log, or on one shard of it."""

    def __call__(self, service: str, shard: Shard = WHOLE) -> EventFeed: ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """A service together with the resources of its process.

    Its leases last for `lasts`. Each of its consumers works in `shards` parts, and has at most `parked_limit` streams
    parked. Builds of its view that are read no more are kept as `keeping` says. `relays`: whether its log is published
    to a topic where it is hosted. `groups` of the identity provider are roles. Whoever asks is refused when what is
    known of units and appointments is older than `stale_after`, but for who operates the service as a whole.
    `first_admin`: who is appointed for the whole enterprise at the first start, and operates the service before
    anything is known. `keys` are those of people's records, to show who they are; the service that keeps them has them
    in `key_database`, and serves them to the machines of `service_clients`. `begun`: what the service does at each
    start was done. `draining`: it was told to end, and goes on until whoever sends requests knows. Who asked for what
    is known for as long as `accesses_kept`. `only_scope`: the unit, by its code or id, beyond which nobody is answered,
    as the service has only what is of there; empty where it has all.
    """

    service: Service
    engine: AsyncEngine
    registry: Registry
    clock: Clock
    authenticator: Authenticator
    signals: Signals
    open_feed: OpenLog
    signing: Signing | None = None
    lasts: timedelta = LASTS
    shards: int = 1
    parked_limit: int = PARKED_LIMIT
    keeping: Keeping = KEEPING
    relays: bool = False
    groups: Mapping[str, Sequence[GroupRole]] = field(default_factory=dict)
    stale_after: timedelta = STALE_AFTER
    first_admin: UUID | None = None
    keys: Keys = field(default_factory=NoKeys)
    key_database: KeyDatabase | None = None
    service_clients: frozenset[str] = frozenset()
    accesses_kept: timedelta = KEPT
    only_scope: str = ""
    begun: Event = field(init=False, default_factory=Event)
    draining: Event = field(init=False, default_factory=Event)
    batcher: Batcher = field(init=False)
    lookups: Lookups = field(init=False)
    leases: LeaseKeeper = field(init=False)
    access: Access = field(init=False)
    accesses: AccessLog = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "batcher", Batcher(self.engine, self.store, self.signals.appended))
        object.__setattr__(self, "lookups", Lookups(self.engine, self.builds))
        object.__setattr__(self, "leases", LeaseKeeper(self.engine, self.lasts, self.signals.leases))
        access = Access(self.engine, self.builds, self.clock, self.groups, self.stale_after, self.first_admin)
        object.__setattr__(self, "access", access)
        object.__setattr__(self, "accesses", AccessLog(self.service.name, self.engine))

    async def close(self) -> None:
        """Record what was asked, and let go of the database."""
        await self.accesses.close()
        await self.engine.dispose()

    @property
    def store(self) -> EventStore:
        """The service's event store."""
        return EventStore(self.service.name, self.registry)

    @property
    def timetable(self) -> Timetable:
        """The deciders of the service that keep time."""
        return Timetable(self.service.timed)

    @property
    def consumers(self) -> Consumers:
        """What the service's consumers share."""
        return Consumers(
            self.engine,
            self.leases,
            self.clock,
            self.signals.applied,
            self.shards,
            self.parked_limit,
            self.service.name,
        )

    @property
    def builds(self) -> Builds:
        """The builds of the service's view."""
        return Builds(self.service.view)
