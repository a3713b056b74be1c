"""What runs in the background of a service: its sealer, its view, its reactions, its housekeeping."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from steerco_events.postgres.commands import keep_forgetting
from steerco_events.postgres.lease import Lease
from steerco_events.postgres.sealer import Sealer
from steerco_events.projections.runner import ViewRunner
from steerco_events.reactions import ReactionRunner
from steerco_events.retrying import retrying
from steerco_events.sealing import Sealing
from steerco_service.runtime import Runtime

type Run = Callable[[], Awaitable[None]]


def workers(runtime: Runtime) -> Sequence[tuple[str, Run]]:
    """The background work of a service, by name. Each runs until cancelled."""
    service, signals = runtime.service, runtime.signals
    found: list[tuple[str, Run]] = []
    if service.owns_log:
        sealer = Sealer(runtime.engine, runtime.clock, Lease("sealer"))
        sealing = Sealing(sealer, signals.appended, signals.sealed)
        found.append((f"{service.name} sealer", sealing.run))
        found.append((f"{service.name} remembered commands", partial(keep_forgetting, runtime.engine, runtime.clock)))
    view = ViewRunner(
        service.view,
        runtime.engine,
        {source: partial(runtime.open_feed, source) for source in service.view.services},
        runtime.clock,
        signals.applied,
        signals.rebuild_requested,
    )
    found.append((f"{service.name} view {service.view.name}", view.run))
    for reaction in service.reactions:
        runner = ReactionRunner(
            reaction,
            runtime.engine,
            runtime.store,
            partial(runtime.open_feed, reaction.service),
            runtime.clock,
            signals.appended,
            signals.applied,
        )
        found.append((f"{service.name} reaction {reaction.name}", runner.run))
    return found


async def run_workers(found: Sequence[tuple[str, Run]]) -> None:
    """Run them all until cancelled; each starts again by itself after an error."""
    async with asyncio.TaskGroup() as group:
        for name, run in found:
            group.create_task(retrying(run, name), name=name)
