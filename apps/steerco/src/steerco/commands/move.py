"""`steerco move`: a project goes to another unit."""

from typing import Annotated, Any
from uuid import UUID

import typer

from steerco.client import Client, CommandFailed, NotThere, connected, seen_by
from steerco.commands.said import console, told


def move(
    project: Annotated[str, typer.Argument(help="The project's code or id.")],
    to: Annotated[str, typer.Option("--to", help="The code of the unit that gets it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the event.")],
) -> None:
    """Move a project to another unit, with all its facts; what was known before stays as it was."""
    with told(), connected() as client:
        found, unit = project_named(client, project), unit_named(client, to)
        units = {each["unit_id"]: each for each in client.get("/portfolio/units")}
        body = {"unit_id": unit["unit_id"], "reason": reason}
        answer = client.command("POST", f"/portfolio/projects/{found['project_id']}/move", body)
        before = units[found["unit_id"]]["code"]
        client.get("/reporting/sources", after=seen_by(answer))
        if before == unit["code"]:
            console.print(f"{found['code']} {found['title']} is in {unit['code']} already", highlight=False)
        else:
            console.print(f"{found['code']} {found['title']}: {before} → {unit['code']}", highlight=False)


def project_named(client: Client, name: str) -> Any:
    """The project of a code or an id. Raises `CommandFailed`."""
    try:
        return client.get(f"/portfolio/projects/{UUID(name)}")
    except (ValueError, NotThere):
        found = client.get("/portfolio/projects", {"code": name})
    if not found:
        raise CommandFailed(f"no project has the code {name!r}")
    return found[0]


def unit_named(client: Client, code: str) -> Any:
    """The unit of a code, in any case. Raises `CommandFailed`, which names units that begin alike."""
    units = client.get("/portfolio/units")
    for unit in units:
        if unit["code"].casefold() == code.casefold():
            return unit
    alike = [unit["code"] for unit in units if unit["code"][:2].casefold() == code[:2].casefold()]
    hint = f"; there is {', '.join(alike[:8])}" if alike else ""
    raise CommandFailed(f"no unit has the code {code!r}{hint}")
