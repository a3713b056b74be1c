"""`steerco watch`: what happens at a scope, in every service, as it happens."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from heapq import merge
from operator import itemgetter
from typing import Annotated, Any

import httpx
import typer

from steerco.client import Client, CommandFailed, address, connected
from steerco.commands.said import told
from steerco.following import Following, Question
from steerco.logs import chosen
from steerco_events.clock import SystemClock
from steerco_events.contracts.catalog import LOGS

MOST_UNITS = 1000
"""So many can be asked for at once."""

MOST_CODES = 12
"""So many are named to somebody who asked for one that is not there."""

SILENCE_SECONDS = 60.0
"""A service gives a sign of life every 15 seconds; one that gives none for so long is asked again."""

_AGO = re.compile(r"-([0-9]{1,5})([mhdw])", re.ASCII)
_LENGTHS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_CURSOR = re.compile(r"[0-9]{1,9}\.[0-9]{1,20}", re.ASCII)

type Event = Mapping[str, Any]


class Format(StrEnum):
    """How an event is printed."""

    text = "text"
    json = "json"


def watch(
    scope: Annotated[str, typer.Option("--scope", help="A unit's code, with all below it; `enterprise` is all.")],
    services: Annotated[
        list[str] | None, typer.Option("--service", help=f"One of {', '.join(LOGS)}; may be repeated.")
    ] = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", help="An event's full name, such as steerco.risk.risk-raised; may be repeated."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="From when: -15m, -1h, -2d, 2026-03-31T12:00:00Z; or a cursor. Else from now."),
    ] = None,
    as_format: Annotated[Format, typer.Option("--format", help="A line of text, or a CloudEvent, each.")] = Format.text,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Go on, or end with what there was.")] = True,
) -> None:
    """Show what happens at a scope, a line per event: when (UTC), where, what, to what, by whom and why.

    The scope is the unit with those that are below it when the command starts. Ctrl-C ends it.
    """
    with told(), connected() as client:
        units = units_below(client.get("/portfolio/units"), scope)
        after = after_of(since, services, SystemClock().now())
        asked = [
            Question(service, after, {"type": names, "unit": units})
            for service, names in types_by_service(services or LOGS, types or []).items()
        ]
        show = _show_text if as_format is Format.text else typer.echo
        if follow:
            _follow(client, asked, show)
        elif since is None:
            raise CommandFailed("--no-follow shows what there was; say since when, such as --since -1d")
        else:
            for event in _past(client, asked):
                show(json.dumps(event, ensure_ascii=False, separators=(",", ":")))


def units_below(units: Sequence[Mapping[str, Any]], scope: str) -> Sequence[str]:
    """The ids of a scope's units; none for the whole enterprise. Raises `CommandFailed`."""
    if scope.casefold() == "enterprise":
        return []
    found = [unit["unit_id"] for unit in units if unit["code"].casefold() == scope.casefold()]
    if not units:
        raise CommandFailed("no unit was opened yet, or none where you have a role")
    if not found:
        known = ", ".join(sorted(unit["code"] for unit in units if unit["kind"] != "department")[:MOST_CODES])
        raise CommandFailed(f"no unit has the code {scope!r}; above the departments there are {known}")
    for parent in found:  # which grows meanwhile
        found += [unit["unit_id"] for unit in units if unit["parent_id"] == parent]
    if len(found) > MOST_UNITS:
        raise CommandFailed(f"{scope} has {len(found):,} units; at most {MOST_UNITS:,} are watched, or enterprise")
    return found


def after_of(since: str | None, services: Sequence[str] | None, now: datetime) -> str:
    """Where to begin, as the feed takes it. Raises `CommandFailed`."""
    if since is None:
        return "end"
    if _CURSOR.fullmatch(since):
        if len(services or LOGS) > 1:
            raise CommandFailed(f"the cursor {since} is a place in one log: say in whose by --service")
        return since
    with suppress(ValueError, OverflowError):
        if ago := _AGO.fullmatch(since):
            return (now - timedelta(**{_LENGTHS[ago[2]]: int(ago[1])})).isoformat()
        at = datetime.fromisoformat(since)
        if at.tzinfo is not None:
            return at.astimezone(UTC).isoformat()
    raise CommandFailed(
        f"--since {since!r} is nothing to begin at; write -15m, -1h, -2d, 2026-03-31T12:00:00Z or 1.2500"
    )


def types_by_service(services: Sequence[str], types: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Which event types to ask each service for; all of them where none is named. Raises `CommandFailed`."""
    services = chosen(services)
    if not types:
        return {service: [] for service in services}
    found: dict[str, list[str]] = {}
    for name in types:
        owner = name.removeprefix("steerco.").partition(".")[0]
        if owner not in services:
            raise CommandFailed(f"{name!r} is no event type of {', '.join(services)}; one is steerco.risk.risk-raised")
        found.setdefault(owner, []).append(name)
    return found


def _follow(client: Client, asked: Sequence[Question], show: Callable[[str], None]) -> None:
    def say_broken() -> None:
        typer.echo(f"steerco: the connection to {client.at.url} broke; connecting again", err=True)

    async def run() -> None:
        timeout = httpx.Timeout(10, read=SILENCE_SECONDS)
        async with httpx.AsyncClient(base_url=client.at.url, headers=client.at.headers, timeout=timeout) as http:
            await Following(http, show, say_broken, lambda: address().headers).run(asked)

    with suppress(KeyboardInterrupt):
        asyncio.run(run())


def _past(client: Client, asked: Sequence[Question]) -> Iterator[Event]:
    """The events up to now, of all services in the order in which they were sealed."""
    logs = (client.pages(f"/{each.service}/events", after=each.after, **each.filters) for each in asked)
    return merge(*logs, key=itemgetter("sealedat"))


def _show_text(text: str) -> None:
    event = json.loads(text)
    _, service, what = event["type"].split(".", 2)
    at = f"{event['time'][:19]}Z"
    about = event["data"].get("code") or event["subject"]
    _, _, who = event["actor"].partition(" ")
    why = f"  ({event['reason']})" if event.get("reason") else ""
    typer.echo(f"{at}  {service:9}  {what.replace('-', ' '):28}  {about}  {who}{why}")
