"""`steerco people` and `steerco privacy`: who is behind an id, and that nobody knows it any more."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

import typer
from rich.table import Table

from steerco.client import CommandFailed, connected, seen_by
from steerco.commands.move import unit_named
from steerco.commands.said import console, told

people = typer.Typer(no_args_is_help=True, help="Who is behind the ids, and of which unit.")
privacy = typer.Typer(no_args_is_help=True, help="What of people is kept, and that it is no more.")

Person = Annotated[UUID, typer.Argument(help="The person's id, as in their token and the lists.")]
Name = Annotated[str, typer.Argument(help="The whole name.")]
Email = Annotated[str | None, typer.Option("--email", help="The address for mail.")]
Unit = Annotated[str, typer.Option("--unit", help="The code of the unit that the person is of.")]


@people.command("list")
def list_people(
    at: Annotated[
        str, typer.Option("--at", help="Of this unit and those below it: a code, or `enterprise`.")
    ] = "enterprise",
    as_format: Annotated[Literal["table", "json"], typer.Option("--format", help="How to print it.")] = "table",
) -> None:
    """List who is of a unit, with all below it."""
    with told(), connected() as client:
        found = list(client.pages("/reporting/people", scope=at))
        if as_format == "json":
            console.print_json(data=found)
        else:
            console.print(_table(found) if found else "nobody is registered", highlight=False)


def _table(found: Sequence[Any]) -> Table:
    table = Table("name", "unit", "e-mail")
    table.add_column("person", no_wrap=True)
    for each in sorted(found, key=lambda person: (person["name"] is None, person["name"])):
        table.add_row(each["name"] or each["withheld"], each["unit_code"], each["email"] or "", each["person_id"])
    return table


@people.command("register")
def register(
    name: Name,
    unit: Unit,
    email: Email = None,
    person: Annotated[UUID | None, typer.Option("--id", help="The id of their token; a new one without it.")] = None,
) -> None:
    """Say who is behind an id. Name and address are kept encrypted, with a key of the person's own."""
    with told(), connected() as client:
        body = {"name": name, "email": email, "unit_id": unit_named(client, unit)["unit_id"]}
        answer = client.command("POST", "/portfolio/people", body | ({"person_id": str(person)} if person else {}))
        client.get("/reporting/sources", after=seen_by(answer))
        _say(f"{answer.json()['id']} is {name} of {unit}")


@people.command("correct")
def correct(person: Person, name: Name, email: Email = None) -> None:
    """Give another name or address; an address that is left out is no more."""
    with told(), connected() as client:
        answer = client.command("PUT", f"/portfolio/people/{person}", {"name": name, "email": email})
        client.get("/reporting/sources", after=seen_by(answer))
        _say(f"{person} is {name}")


@people.command("move")
def move(person: Person, unit: Unit) -> None:
    """Let a person be of another unit; their roles stay where they are."""
    with told(), connected() as client:
        body = {"unit_id": unit_named(client, unit)["unit_id"]}
        answer = client.command("PUT", f"/portfolio/people/{person}/unit", body)
        client.get("/reporting/sources", after=seen_by(answer))
        _say(f"{person} is of {unit}")


@privacy.command("erase")
def erase(
    person: Person,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the event. It names nobody.")],
    is_sure: Annotated[bool, typer.Option("--yes", help="Don't ask: it can't be undone.")] = False,
) -> None:
    """Forget who a person is, for good: in the log, in every view, and in what was published."""
    with told(), connected() as client:
        if client.get(f"/portfolio/people/{person}")["is_erased"]:
            _say(f"{person} is erased already")
            return
        if not is_sure and not typer.confirm(f"Forget for good who {person} is?"):
            raise CommandFailed("nothing was erased")
        answer = client.command("POST", f"/portfolio/people/{person}/erasure", {"reason": reason})
        client.get("/reporting/sources", after=seen_by(answer))
        _say(f"{person} is erased: nobody reads name and address any more; the id stays in what was done")


def _say(line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
