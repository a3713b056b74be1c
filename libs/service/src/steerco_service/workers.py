"""What runs in the background of a service: its sealer, its view, its reactions, its timers, its housekeeping."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.consuming.consumer import Role, run_shards
from steerco_events.consuming.reactions import reacting
from steerco_events.consuming.unparking import Unparking
from steerco_events.postgres.accesses import keep_clearing
from steerco_events.postgres.commands import keep_forgetting
from steerco_events.postgres.lease import Lease
from steerco_events.postgres.sealer import Sealer
from steerco_events.projections.runner import ViewRunner
from steerco_events.projections.tables import known_at
from steerco_events.retrying import retrying
from steerco_events.sealing import Sealing
from steerco_events.signing import HeadSigner
from steerco_events.timing.runner import TimerRunner
from steerco_service.runtime import Runtime

type Run = Callable[[], Awaitable[None]]


def workers(runtime: Runtime) -> Sequence[tuple[str, Run]]:
    """The background work of a service, by name. Each runs until cancelled, but for what is done once at the start."""
    service, signals = runtime.service, runtime.signals
    found: list[tuple[str, Run]] = []
    if service.begins:
        found.append((f"{service.name} begins", partial(_begin, runtime, service.begins)))
    if service.owns_log:
        found.append((f"{service.name} sealer", _sealing(runtime).run))
        found.append((f"{service.name} remembered commands", partial(keep_forgetting, runtime.engine, runtime.clock)))
    clearing = partial(keep_clearing, runtime.engine, runtime.clock, runtime.accesses_kept)
    found.append((f"{service.name} old accesses", clearing))
    found.append((f"{service.name} leases", runtime.leases.run))
    view = ViewRunner(
        service.view,
        runtime.consumers,
        {source: partial(runtime.open_feed, source) for source in service.view.services},
        signals.rebuild_requested,
        runtime.keeping,
    )
    found.append((f"{service.name} view {service.view.name}", view.run))
    reactions: list[Role] = []
    for reaction in service.reactions:
        role = reacting(reaction, runtime.store, runtime.clock, signals.appended)
        open_feed = partial(runtime.open_feed, reaction.service)
        run = partial(run_shards, runtime.consumers, role, reaction.service, open_feed)
        found.append((f"{service.name} reaction {reaction.name}", run))
        reactions.append(role)
    unparking = Unparking(
        runtime.consumers, runtime.registry, lambda: [*view.roles(), *reactions], signals.parked_asked
    )
    found.append((f"{service.name} parked streams", unparking.run))
    if service.timed:
        found.append((f"{service.name} timers", _timers(runtime).run))
    return found


async def _begin(runtime: Runtime, begins: Callable[[Runtime], Awaitable[None]]) -> None:
    await begins(runtime)
    runtime.begun.set()


def _sealing(runtime: Runtime) -> Sealing:
    signing, signals = runtime.signing, runtime.signals
    file = signing.file(runtime.service.name) if signing else None
    signer = HeadSigner(runtime.engine, runtime.service.name, signing.key, file) if signing else None
    lease = Lease("sealer", runtime.lasts, leases=signals.leases)
    sealer = Sealer(runtime.engine, runtime.clock, lease, file.last if file else lambda: None)
    return Sealing(
        sealer, signals.appended, signals.sealed, runtime.lasts, signer, signals.rested, runtime.service.name
    )


def _timers(runtime: Runtime) -> TimerRunner:
    return TimerRunner(
        runtime.timetable,
        runtime.engine,
        runtime.store,
        runtime.clock,
        runtime.signals.appended,
        Lease("timers", runtime.lasts, leases=runtime.signals.leases),
        partial(_units_of, runtime),
    )


async def _units_of(runtime: Runtime, tx: AsyncConnection, project_id: UUID) -> Sequence[UUID]:
    """The unit that has a project, as the service's view knows. Raises `ViewNotBuilt`."""
    placed = (await runtime.builds.live(tx)).table("projects_placed")
    query = select(placed.c.unit_id).where(placed.c.key == str(project_id), known_at(placed, None))
    return (await tx.execute(query)).scalars().all()


async def run_workers(found: Sequence[tuple[str, Run]], service: str) -> None:
    """Run what is a service's work until cancelled; each starts again by itself after an error."""
    async with asyncio.TaskGroup() as group:
        for name, run in found:
            group.create_task(retrying(run, name, service), name=name)
