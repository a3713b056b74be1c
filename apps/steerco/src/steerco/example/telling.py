"""Telling the example: every act at its own time, as a command of the person who did it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import httpx
from fastapi import FastAPI

from steerco.example.acts import LAST_DAY, Act, Calendar, Chapter
from steerco.example.corporate import corporate
from steerco.example.inventory import inventory
from steerco.example.licensing import licensing
from steerco.example.organization import organization
from steerco.example.people import by_the_admin, people
from steerco.example.supervision import supervision
from steerco_events.clock import ShiftedClock, SystemClock
from steerco_events.envelope import Actor
from steerco_service.identity.issuer import Issuer
from steerco_service.identity.principal import Principal

CHAPTERS: Sequence[Callable[[Calendar], Chapter]] = (organization, people, inventory, licensing, supervision, corporate)
SERVICES = ("portfolio", "intake", "finance", "risk", "training")
"""The order in which the acts of one day are sent."""

TOKEN_LASTS = timedelta(hours=1)


class ExampleFailed(Exception):
    """A service refused an act of the example."""


def story(calendar: Calendar, admin: Actor) -> Sequence[Act]:
    """All acts in the order in which they happen; a few are of who administers the edition."""
    acts = [*by_the_admin(calendar, admin), *(act for chapter in CHAPTERS for act in chapter(calendar))]
    return sorted(acts, key=lambda act: (act.day, SERVICES.index(act.service)))


async def tell(
    apps: Mapping[str, FastAPI],
    issuer: Issuer,
    admin: Actor,
    clock: ShiftedClock,
    settled: Callable[[], Awaitable[None]],
    today: date,
    progress: Callable[[str], None],
) -> None:
    """Tell the whole example; ends the day before `today`. Raises `ExampleFailed`."""
    calendar = Calendar(today)
    async with AsyncExitStack() as stack:
        clients = {name: await stack.enter_async_context(_client(apps[name])) for name in SERVICES}
        month = ""
        for day, acts in groupby(story(calendar, admin), key=lambda act: act.day):
            clock.set(calendar.at(day))
            if month != (month := f"{calendar.at(day):%B %Y}"):
                progress(f"telling the example: {month} ({100 * day // LAST_DAY} %)")
            # What fell due since the last day happens before what is done on this one.
            await settled()
            for (service, who), told in groupby(acts, key=lambda act: (act.service, act.who)):
                await _send(clients[service], issuer, who, list(told))
                if who == admin:
                    await settled()  # what this gave to others
            await settled()


def _client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://example", timeout=60)


async def _send(client: httpx.AsyncClient, issuer: Issuer, who: Actor, acts: Sequence[Act]) -> None:
    token = issuer.token(Principal(who, "steerco example"), SystemClock().now(), TOKEN_LASTS)
    commands = [
        {"method": act.method, "path": act.path, "body": act.body, "group": act.group, "reason": act.reason}
        for act in acts
    ]
    answer = await client.post("/batch", json={"commands": commands}, headers={"Authorization": f"Bearer {token}"})
    answers: Sequence[Any] = answer.json()["answers"] if answer.is_success else [{"status": answer.status_code}]
    for act, given in zip(acts, answers, strict=False):
        if given["status"] >= 400:
            raise ExampleFailed(f"day {act.day}, {act.group}: {act.path} was answered with {given}")
