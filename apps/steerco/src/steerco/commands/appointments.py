"""`steerco appoint` and `steerco appointments`: who has which role where, standing in for somebody, and an end."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

import httpx
import typer
from rich.table import Table

from steerco.client import Client, connected, seen_by
from steerco.commands.instants import instant_of
from steerco.commands.move import unit_named
from steerco.commands.said import console, told, words
from steerco_events.clock import SystemClock
from steerco_events.contracts.portfolio import Role

appointments = typer.Typer(no_args_is_help=True, help="Who has which role where.")

ROLES: Sequence[str] = get_args(Role.__value__)


def _role(text: str) -> str:
    role = re.sub(r"[- ]", "_", text.casefold())
    if role not in ROLES:
        raise typer.BadParameter(f"{text!r} is no role; there is {', '.join(ROLES)}")
    return role


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day; write 2026-03-31") from None


Person = Annotated[UUID, typer.Argument(help="The person's or machine's id.")]
Appointment = Annotated[UUID, typer.Argument(help="The appointment's id, as the list has it.")]
From = Annotated[
    date | None, typer.Option("--from", help="The first day; today, if it is not said.", parser=_day, metavar="DAY")
]


def appoint(
    person: Person,
    role: Annotated[str, typer.Argument(help="Such as pmo_officer or auditor.", parser=_role, metavar="ROLE")],
    at: Annotated[str, typer.Option("--at", help="The code of a unit or of a project, or `enterprise`.")],
    from_on: From = None,
    until_on: Annotated[
        date | None, typer.Option("--until", help="The last day, if there is one.", parser=_day, metavar="DAY")
    ] = None,
) -> None:
    """Appoint a person or a machine to a role: at a unit with all below it, at a project, or in the enterprise."""
    with told(), connected() as client:
        term = {"from_on": _text(from_on or _today()), "until_on": _text(until_on)}
        body = {"person_id": str(person), "role": role, **term, **_place(client, at)}
        answer = client.command("POST", "/portfolio/appointments", body)
        _holds(client, answer)
        _say(f"{person} is {role_in_words(role)} at {at} {_days(term)}: appointment {answer.json()['id']}")


@appointments.command("list")
def list_appointments(
    at: Annotated[
        str, typer.Option("--at", help="At this unit, those below it and their projects: a code, or `enterprise`.")
    ] = "enterprise",
    person: Annotated[UUID | None, typer.Option("--person", help="Of this person or machine only.")] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help="As it was known then.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that are over or have not begun.")] = False,
    as_format: Annotated[Literal["table", "json"], typer.Option("--format", help="How to print it.")] = "table",
) -> None:
    """List who has which role at a unit, with all below it, and at their projects."""
    asked = {"scope": at} | ({"person_id": str(person)} if person else {}) | ({"ever": "true"} if every else {})
    with told(), connected() as client:
        if as_of:
            asked["as_of"] = instant_of(as_of, SystemClock().now()).isoformat()
        found = list(client.pages("/reporting/appointments", **asked))
        if as_format == "json":
            console.print_json(data=found)
        else:
            console.print(_table(found) if found else "nobody is appointed", highlight=False)


def _table(found: Sequence[Any]) -> Table:
    table = Table("role", "at")
    for title in ("person", "from\nuntil", "appointment"):
        table.add_column(title, no_wrap=True)
    for each in found:
        notes = (("stands in", each["delegated_from"]), ("ended", each["ended_on"]))
        note = ", ".join(text for text, is_so in notes if is_so)
        role = f"{role_in_words(each['role'])}\n{note}".rstrip()
        days = f"{each['from_on']}\n{each['ended_on'] or each['until_on'] or ''}".rstrip()
        place = each["project_code"] or each["unit_code"] or "enterprise"
        person = f"{each['name'] or ''}\n{each['person_id']}".lstrip()
        table.add_row(role, place, person, days, each["appointment_id"])
    return table


@appointments.command("delegate")
def delegate(
    appointment: Appointment,
    person: Person,
    until_on: Annotated[date, typer.Option("--until", help="The last day.", parser=_day, metavar="DAY")],
    from_on: From = None,
) -> None:
    """Let another person stand in for the holder of an appointment, for some of its days."""
    with told(), connected() as client:
        term = {"from_on": _text(from_on or _today()), "until_on": _text(until_on)}
        path = f"/portfolio/appointments/{appointment}/delegations"
        answer = client.command("POST", path, {"person_id": str(person)} | term)
        _holds(client, answer)
        made = client.get(f"/portfolio/appointments/{answer.json()['id']}")
        role = role_in_words(made["role"])
        _say(f"{person} stands in as {role} {_days(term)}: appointment {made['appointment_id']}")


@appointments.command("end")
def end(
    appointment: Appointment,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the event.")],
) -> None:
    """End an appointment, with those who stand in for its holder: it holds no more, from now on."""
    with told(), connected() as client:
        answer = client.command("POST", f"/portfolio/appointments/{appointment}/end", {"reason": reason})
        _holds(client, answer)
        _say(f"appointment {appointment} is ended")


def _holds(client: Client, answer: httpx.Response) -> None:
    """Return once what was done is known where appointments are kept, and where they are shown."""
    for path in ("/portfolio/units", "/reporting/sources"):
        client.get(path, after=seen_by(answer))


def role_in_words(role: str) -> str:
    """A role as people write it."""
    return words(role).replace("pmo", "PMO")


def _place(client: Client, at: str) -> dict[str, str]:
    """What a body has of a place: a unit, a project, or neither. Raises `CommandFailed`."""
    if at.casefold() == "enterprise":
        return {}
    units = [unit for unit in client.get("/portfolio/units") if unit["code"].casefold() == at.casefold()]
    projects = [] if units else client.get("/portfolio/projects", {"code": at})
    if projects:
        return {"project_id": projects[0]["project_id"]}
    return {"unit_id": unit_named(client, at)["unit_id"]}


def _today() -> date:
    return SystemClock().now().date()


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _days(term: Mapping[str, str | None]) -> str:
    return f"from {term['from_on']}" + (f" until {term['until_on']}" if term["until_on"] else "")


def _say(line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
