"""Who asks, and what of which service they may: dependencies of every route."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from steerco_events.commands.judging import Forbidden
from steerco_events.commands.parting import Parting
from steerco_events.contracts.portfolio import Duties, Role
from steerco_events.contracts.values import FieldClass
from steerco_events.positions import Token
from steerco_service.access.duties import Pair, pairs_of, parting
from steerco_service.access.gaps import SOURCE
from steerco_service.access.known import Organization
from steerco_service.access.permissions import ROLES, SHOWN_TO, Permission
from steerco_service.access.scope import Grant, Scope, Tree, scope_of, within
from steerco_service.audit.accessing import asked_by
from steerco_service.consistency import deadline_from_now, seen_by, wait_until
from steerco_service.edge.visits import visit_of
from steerco_service.identity.principal import Principal
from steerco_service.problems import Problem
from steerco_service.runtime import Runtime

NOTHING = Token()

_PRINCIPAL = "steerco.principal"


def runtime_of(request: Request) -> Runtime:
    """The runtime of the service that a request reached."""
    runtime: Runtime = request.app.state.runtime
    return runtime


@dataclass(frozen=True, slots=True)
class Asking:
    """A principal who asks for an operation: where they may do that (`scope`), where they see anything (`sight`).

    `known_at`: that is so by all of portfolio's log that was sealed up to then. `deadline`: when the request has
    waited long enough for what it has seen.
    """

    principal: Principal
    permission: Permission
    scope: Scope
    sight: Scope
    grants: Sequence[Grant] = ()
    tree: Tree = field(default_factory=Tree)
    known_at: datetime | None = None
    deadline: float | None = None

    def as_one_of(self, roles: frozenset[Role], *, in_person: bool = False) -> "Asking":
        """The same question, where not all of the permission's roles will do, nor, `in_person`, standing in for one."""
        permission = replace(self.permission, roles=self.permission.roles & roles)
        grants = [each for each in self.grants if not (in_person and each.is_delegated)]
        return replace(self, permission=permission, scope=scope_of(grants, self.tree, permission.roles))

    def seeing(self, fields: FieldClass) -> "Asking":
        """The same question, where the fields of a class may be seen."""
        return replace(self, scope=scope_of(self.grants, self.tree, SHOWN_TO[fields]))

    def about(self, permission: Permission) -> "Asking":
        """The same person's question for another operation."""
        return replace(self, permission=permission, scope=scope_of(self.grants, self.tree, permission.roles))

    def check(self) -> None:
        """Raises a 403 `Problem` for who may do it nowhere, or not in the whole enterprise where that is needed."""
        if not self.scope or (self.permission.is_whole and not self.scope.is_whole):
            where = " in the whole enterprise" if self.permission.is_whole else ""
            raise Problem(403, "forbidden", f"this needs one of the roles {_listed(self.permission)}{where}")

    def may_as(self, roles: frozenset[Role]) -> bool:
        """Whether one of these roles is among those by which they may do this, wherever that is."""
        return any(each.role in roles & self.permission.roles for each in self.grants)

    def has(self, units: Collection[UUID | None], projects: Collection[UUID] = ()) -> bool:
        """Whether what concerns these units, or is about one of these projects, is there for who asks.

        Raises `Forbidden` where they see it, but may not do this.
        """
        if self.scope.has_all(units, projects):
            return True
        if self.sight.has_all(units, projects) or None in units:
            raise Forbidden(f"this needs one of the roles {_listed(self.permission)} there")
        return False

    def has_any(self, units: Collection[UUID], projects: Collection[UUID]) -> bool:
        """Whether who is at any of these units and projects is there for who asks. Raises `Forbidden`, as `has`."""
        if self.scope.has_any(units, projects):
            return True
        if self.sight.has_any(units, projects):
            raise Forbidden(f"this needs one of the roles {_listed(self.permission)} there")
        return False

    def has_unit(self, unit_id: UUID | None) -> bool:
        """The same, of one unit; of none: of the whole enterprise."""
        return self.has((unit_id,))

    def has_project(self, project_id: UUID, unit_id: UUID) -> bool:
        """The same, of a project that belongs to a unit."""
        return self.has((unit_id,), (project_id,))


async def asking_of(
    runtime: Runtime,
    permission: Permission,
    principal: Principal,
    seen: Token = NOTHING,
    deadline: float | None = None,
) -> Asking:
    """Who asks, if they may at all. Raises a 403 or 503 `Problem`.

    Who heals a service that does not know any more is judged by what was last known, however old.
    What is known may be a second old, but for what a token says that they have seen of portfolio's log.
    """
    if permission.is_for_services and not _is_service(runtime, principal):
        raise Problem(403, "forbidden", "this is for the other services, by clients that the settings name")
    if not permission.needs_role:
        return Asking(principal, permission, Scope(), Scope(), deadline=deadline)
    asking = await _known(runtime, permission, principal, is_fresh=False)
    if SOURCE in seen.seen and not asking.scope.is_whole:
        await wait_until(runtime, Token({SOURCE: seen.seen[SOURCE]}), deadline)
        asking = await _known(runtime, permission, principal, is_fresh=True)
    asking.check()
    return replace(asking, deadline=deadline)


async def _known(runtime: Runtime, permission: Permission, principal: Principal, *, is_fresh: bool) -> Asking:
    access, known_at = runtime.access, None
    if permission.heals:
        grants, tree = await access.last_known(principal)
    else:
        granted = await access.grants(principal, fresh=is_fresh)
        grants, known_at = granted.grants, granted.watermark
        is_whole = scope_of(grants, Tree(), permission.roles).is_whole and not runtime.only_scope
        tree = (await (access.known() if is_whole else access.organization())).tree
    if runtime.only_scope and not permission.is_whole:
        grants = within((await access.organization()).unit_named(runtime.only_scope), grants)
    return Asking(
        principal,
        permission,
        scope_of(grants, tree, permission.roles),
        scope_of(grants, tree, ROLES),
        grants,
        tree,
        known_at,
    )


def _is_service(runtime: Runtime, principal: Principal) -> bool:
    return principal.is_machine and principal.client in runtime.service_clients


def _listed(permission: Permission) -> str:
    return ", ".join(sorted(permission.roles))


async def partings_of(request: Request, asking: Asking, seen: Token = NOTHING) -> Sequence[Parting]:
    """Which duties are kept apart from what the request asks for, as units require it today.

    What is known may be a second old, as in `asking_of`.
    """
    runtime = runtime_of(request)
    pairs = pairs_of(f"{runtime.service.name}.{request.scope['route'].name}")
    if not pairs:
        return ()
    organization = await runtime.access.organization(fresh=SOURCE in seen.seen)
    return partings_by(organization, pairs, asking, runtime.clock.now().date())


def partings_by(
    organization: Organization, pairs: Mapping[Duties, Pair], asking: Asking, today: date
) -> Sequence[Parting]:
    """Which of these pairs of duties are kept apart, by what is known of the organization."""
    if not organization.policies:
        return ()

    def named(unit_id: UUID) -> str:
        return organization.policies[unit_id].code if asking.sight.has_unit(unit_id) else "a unit above"

    return [
        parting(pair, partial(organization.requirement, duties, day=today), named) for duties, pair in pairs.items()
    ]


async def principal_of(request: Request) -> Principal:
    """Who asks, checked once in a request: before its body is read. Raises a 401, 429 or 503 `Problem`."""
    found = request.scope.get(_PRINCIPAL)
    if isinstance(found, Principal):
        return found
    principal = await runtime_of(request).authenticator.principal(request.headers.get("authorization"))
    asked_by(request.scope, principal)
    if visit := visit_of(request.scope):
        visit.is_of(principal)
    request.scope[_PRINCIPAL] = principal
    return principal


async def asker_of(request: Request) -> Asking:
    """Who asks for what the request names. Raises a 401, 403, 429 or 503 `Problem`."""
    deadline = deadline_from_now()
    permission: Permission = request.app.state.permissions[request.scope["route"].name]
    principal = await principal_of(request)
    return await asking_of(runtime_of(request), permission, principal, seen_by(request), deadline)


type Asker = Annotated[Asking, Depends(asker_of)]
"""Who asks: every route that is not open to all has one."""
