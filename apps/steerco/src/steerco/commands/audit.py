"""`steerco audit`: what was done, by whom and why, in all services; and who asked for what, from where."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import IO, Annotated, Any
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text

from steerco.client import Client, CommandFailed, connected
from steerco.commands.instants import beginning_of, end_of, to_the_second
from steerco.commands.log import Services
from steerco.commands.move import unit_named
from steerco.commands.said import console, told
from steerco.commands.watch import types_by_service
from steerco_events.clock import SystemClock
from steerco_events.contracts.catalog import LOGS

SHOWN = 50
"""Lines of a table, if nothing else is said."""

SERVICES = (*LOGS, "reporting")
"""Whoever answers has a record of who asked."""

AT_ONCE = 500

audit = typer.Typer(
    invoke_without_command=True, help="What was done, by whom and why; and who asked for what, from where."
)

type Row = Mapping[str, Any]

From = Annotated[
    str | None, typer.Option("--from", help="From then: 2026-03-31, 2026-03-31T12:00:00Z, -90d.", metavar="WHEN")
]
Until = Annotated[str | None, typer.Option("--until", help="Until then, a day to its end.", metavar="WHEN")]
Actor = Annotated[UUID | None, typer.Option("--actor", help="By this person or machine, by its id.")]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help=f"How many at most: of a table {SHOWN}, of a file all.")
]
Csv = Annotated[
    Path | None, typer.Option("--csv", help="Into this file, as CSV; `-` is the standard output.", metavar="FILE")
]


@audit.callback()
def audit_events(
    context: typer.Context,
    services: Services = None,
    since: From = None,
    until: Until = None,
    actor: Actor = None,
    type: Annotated[str | None, typer.Option("--type", help="Of this type, such as steerco.risk.risk-raised.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", help="Of this stream, such as organization.")] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="At this unit with all below it, by its code.")] = None,
    command: Annotated[UUID | None, typer.Option("--command", help="What came of this command: a correlation.")] = None,
    limit: Limit = None,
    csv: Csv = None,
) -> None:
    """Show what was done, the newest first: when (UTC), where, what, to what, by whom and why."""
    if context.invoked_subcommand:
        return
    with told(), connected() as client:
        asked = {
            **_between(since, until),
            "actor": actor,
            "subject": subject,
            "unit_id": unit_named(client, unit)["unit_id"] if unit else None,
            "command": command,
            "type": type,
        }
        named = types_by_service(services or LOGS, [type] if type else [])
        rows = _newest(client, "audit", list(named), asked, "sealed_at")
        if csv:
            from steerco_service.audit.trail import AuditedEvent

            _write(csv, AuditedEvent.model_fields, islice(rows, limit))
        else:
            _show(("when", "service", "what", "to", "by", "why"), map(_event, islice(rows, limit or SHOWN)))


@audit.command("accesses")
def audit_accesses(
    services: Annotated[
        list[str] | None, typer.Option("--service", help=f"One of {', '.join(SERVICES)}; may be repeated. Else all.")
    ] = None,
    since: From = None,
    until: Until = None,
    actor: Actor = None,
    operation: Annotated[str | None, typer.Option("--operation", help="For this operation, by its name.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", help="Whose path names this id.")] = None,
    sensitive: Annotated[bool, typer.Option("--sensitive", help="Only reads of what is sensitive.")] = False,
    limit: Limit = None,
    csv: Csv = None,
) -> None:
    """Show who asked for what, the newest first: when (UTC), whom, for what, by whom, from where, and the status."""
    with told(), connected() as client:
        asked = {
            **_between(since, until),
            "actor": actor,
            "operation": operation,
            "subject": subject,
            "is_sensitive": "true" if sensitive else None,
        }
        rows = _newest(client, "accesses", _answering(services), asked, "at")
        if csv:
            from steerco_service.audit.accesses import AnsweredRequest

            _write(csv, AnsweredRequest.model_fields, islice(rows, limit))
        else:
            titles = ("when", "service", "what", "of", "by", "from", "status")
            _show(titles, map(_access, islice(rows, limit or SHOWN)))


def _answering(services: Sequence[str] | None) -> Sequence[str]:
    for service in services or ():
        if service not in SERVICES:
            raise CommandFailed(f"there is no service {service!r}; there is {', '.join(SERVICES)}")
    return services or SERVICES


def _between(since: str | None, until: str | None) -> Mapping[str, str | None]:
    now = SystemClock().now()
    return {
        "from": beginning_of("--from", since, now).isoformat() if since else None,
        "until": end_of("--until", until, now).isoformat() if until else None,
    }


def _newest(
    client: Client, what: str, services: Sequence[str], asked: Mapping[str, object], order: str
) -> Iterator[Row]:
    """The lists of these services as one, the newest first."""
    given = {name: str(value) for name, value in asked.items() if value is not None}

    def listed(service: str) -> Iterator[Row]:
        return ({"service": service} | row for row in client.pages(f"/{service}/{what}", **given))

    return merge(*map(listed, services), key=lambda row: datetime.fromisoformat(row[order]), reverse=True)


def _show(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table()
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table if table.row_count else "nothing is found", highlight=False)


def _event(row: Row) -> Sequence[str]:
    what = row["type"].rpartition(".")[2].replace("-", " ")
    by = f"{row['actor_title']}\n{row['actor_id']}"
    if row["on_behalf_of"]:
        by += f"\non behalf of {row['on_behalf_of']}"
    return to_the_second(row["recorded_at"]), row["service"], what, row["subject"], by, row["reason"] or ""


def _access(row: Row) -> Sequence[str]:
    what = row["operation"] or f"{row['method']} {row['path']}"
    who = row["actor_id"] or "nobody"
    return (
        to_the_second(row["at"]),
        row["service"],
        what,
        row["subject"] or "",
        who,
        row["address"],
        str(row["status"]),
    )


def _write(file: Path, columns: Iterable[str], rows: Iterator[Row]) -> None:
    """Write rows as CSV, some at a time; a file is there when it is whole. Raises `CommandFailed`."""
    from steerco_service.audit.exporting import csv_lines

    names = ["service", *columns]

    def write_to(out: IO[str]) -> None:
        out.write(csv_lines([names]))
        while some := list(islice(rows, AT_ONCE)):
            out.write(csv_lines([row[name] for name in names] for row in some))

    if str(file) == "-":
        write_to(sys.stdout)
        return
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as out:
            write_to(out)
        part.replace(file)
    except OSError as error:
        raise CommandFailed(f"{file} can't be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
