"""Waking another process that works on the same database: one coalesced NOTIFY, outside the append.

A wake-up is only a hint; whoever listens also polls.
"""

import asyncio
from collections.abc import Mapping

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from steerco_events.postgres.statements import Driver, Statement, driver_connection
from steerco_events.signals import Signal

APPENDED = "steerco_appended"
LEASES = "steerco_leases"
PARKED_ASKED = "steerco_parked_asked"
REBUILD_REQUESTED = "steerco_rebuild_requested"
SEALED = "steerco_sealed"

COALESCE_SECONDS = 0.005
COALESCE_SEALED_SECONDS = 0.05
"""A log under load is sealed hundreds of times a second; those who read it over HTTP need not know each."""

IDLE_SECONDS = 3600.0

_NOTIFY = Statement("SELECT pg_notify(:channel, '')")


def asyncpg_dsn(url: str) -> str:
    """A SQLAlchemy URL as asyncpg reads it, which calls the option `ssl` by libpq's name."""
    target = make_url(url).set(drivername="postgresql")
    query = {"sslmode" if name == "ssl" else name: value for name, value in target.query.items()}
    return target.set(query=query).render_as_string(hide_password=False)


async def notify(driver: Driver, channel: str) -> None:
    """Wake who listens to the channel."""
    await _NOTIFY.rows(driver, {"channel": channel})


async def announce(engine: AsyncEngine, channel: str, signal: Signal, coalesce: float = COALESCE_SECONDS) -> None:
    """Until cancelled: whenever `signal` was raised in this process, notify the channel, then rest for `coalesce`."""
    subscription = signal.subscribe()
    while True:
        if await subscription.wait(IDLE_SECONDS):
            async with driver_connection(engine) as driver:
                await notify(driver, channel)
            await asyncio.sleep(coalesce)


async def listen(url: str, signals: Mapping[str, Signal]) -> None:
    """Until cancelled or disconnected: raise the signal of a channel when another process notifies it."""
    connection = await asyncpg.connect(asyncpg_dsn(url))
    try:
        gone = asyncio.Event()
        connection.add_termination_listener(lambda _: gone.set())
        for channel, signal in signals.items():
            await connection.add_listener(channel, lambda *_, signal=signal: signal.notify())
            signal.notify()
        await gone.wait()
        raise ConnectionError("the connection that listens for wake-ups was closed")
    finally:
        await connection.close()
