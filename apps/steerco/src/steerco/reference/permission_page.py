"""The page of the documentation that says who may call which operation, and who appoints to which role.

`python -m steerco.reference.permission_page docs/reference` writes `permissions.md` anew.
"""

import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from fastapi.routing import APIRoute

from steerco.edition.services import SERVICES
from steerco_events.contracts.portfolio import Role
from steerco_service.access.permissions import PERMISSIONS, ROLES, SHOWN_TO, Permission, appointed_by, permission_of
from steerco_service.factory import routers_of
from steerco_service.runtime import Service

_HEAD = """# Permissions

*Written by `make docs` from the table of permissions and the routes; a test compares.*

Whoever has one of an operation's roles may call it where they have the role: at a unit, for all that is below it, or \
at a project. [Appointments](../how-to/appoint-people.md) give roles, managing a project gives `project_manager` \
there, and groups of the identity provider [may be roles](../how-to/operate.md#tokens-of-your-identity-provider).

- What is outside of all that somebody has a role for is not there for them: 404, as if it did not exist; lists, \
totals and events leave it out.
- What they see, but may not do: 403 `forbidden`, which names the roles.
- *In the whole enterprise*: what is about a service as a whole takes the role at the enterprise, the topmost unit, or \
at no unit and no project.
- *Sensitive*: it is answered only once it is [recorded who asked](../how-to/audit.md#who-looked), and from where.
"""

_APPOINTING = """## Who appoints

Whoever has one of these roles where the appointment is to be; for the whole enterprise, in the whole of it. They \
change its days and end it, too. Whoever holds an appointment may delegate it, and so may who appoints to its role; \
nobody else. Nobody appoints themselves, changes the days of their own appointment, delegates one to themselves or \
takes a project to manage, but who is `pmo_admin` in the whole, and not as a deputy.

| to | appointed by |
| --- | --- |"""

_SHOWN = """## Who sees fields of a class

Others get the record without them, in answers and in the feed; a sum of them is for who sees them in all that is \
summed. Everybody sees who they are themselves.

| fields | shown to |
| --- | --- |"""

_TABLE = "| operation | | who |\n| --- | --- | --- |"


def permission_page(services: Sequence[Service] = SERVICES) -> str:
    """The text of the page."""
    return "\n".join([_HEAD, *_appointing(), *_shown(), *_shared(services), *_own(services)])


def _appointing() -> Iterator[str]:
    yield _APPOINTING
    for by in sorted({appointed_by(role) for role in ROLES}, key=len):
        yield f"| {_listed([role for role in ROLES if appointed_by(role) == by])} | {_listed(by)} |"
    yield ""


def _shown() -> Iterator[str]:
    yield _SHOWN
    for fields, roles in SHOWN_TO.items():
        yield f"| {fields} | {_in_words(roles)} |"
    yield ""


def _shared(services: Sequence[Service]) -> Iterator[str]:
    """What is the same for all: of the services that have a log, as the first that has one serves it."""
    serving = next(each for each in services if each.owns_log)
    yield "## Every service\n\nOf a service without a log, such as reporting, what is not about its log.\n"
    yield _TABLE
    for route in _routes(serving):
        if f"{serving.name}.{route.name}" not in PERMISSIONS:
            yield from _rows("<service>", route, permission_of(serving.name, route.name))
    yield ""


def _own(services: Sequence[Service]) -> Iterator[str]:
    for service in services:
        yield f"## {service.name}\n"
        yield _TABLE
        for route in _routes(service):
            if f"{service.name}.{route.name}" in PERMISSIONS:
                yield from _rows(service.name, route, permission_of(service.name, route.name))
        yield ""


def _routes(service: Service) -> Iterator[APIRoute]:
    for router in routers_of(service):
        for route in router.routes:
            if isinstance(route, APIRoute) and route.include_in_schema:
                yield route


def _rows(service: str, route: APIRoute, permission: Permission) -> Iterator[str]:
    for method in sorted(route.methods or ()):
        yield f"| `{method} /{service}{route.path_format}` | {route.summary or route.name} | {who(permission)} |"


def who(permission: Permission) -> str:
    """Who has a permission, in words."""
    if not permission.needs_token:
        return "anybody"
    if permission.is_for_services:
        return "the other services, by their own clients"
    if not permission.needs_role:
        return "anybody with a token"
    where = "*in the whole enterprise:* " if permission.is_whole else ""
    return where + _in_words(permission.roles) + ("; *sensitive*" if permission.is_sensitive else "")


def _in_words(roles: Collection[Role]) -> str:
    others = ROLES.difference(roles)
    if not others:
        return "any role"
    return f"any role but {_listed(others)}" if len(others) < len(roles) // 2 else _listed(roles)


def _listed(roles: Collection[Role]) -> str:
    return ", ".join(f"`{role}`" for role in sorted(roles))


def write(folder: Path) -> None:
    """Write the page anew."""
    (folder / "permissions.md").write_text(permission_page(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
