"""Who asks, and what of which service they may: dependencies of every route."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Request

from steerco_events.commands.judging import Forbidden
from steerco_events.contracts.portfolio import Role
from steerco_events.positions import Token
from steerco_service.access.access import SOURCE
from steerco_service.access.permissions import ROLES, Permission
from steerco_service.access.scope import Grant, Scope, Tree, scope_of
from steerco_service.consistency import token_of_header, wait_until
from steerco_service.edge.visits import visit_of
from steerco_service.identity.principal import Principal
from steerco_service.problems import Problem
from steerco_service.runtime import Runtime

NOTHING = Token()


def runtime_of(request: Request) -> Runtime:
    """The runtime of the service that a request reached."""
    runtime: Runtime = request.app.state.runtime
    return runtime


@dataclass(frozen=True, slots=True)
class Asking:
    """A principal who asks for an operation: where they may do that (`scope`), where they see anything (`sight`)."""

    principal: Principal
    permission: Permission
    scope: Scope
    sight: Scope
    grants: Sequence[Grant] = ()
    tree: Tree = field(default_factory=Tree)

    def as_one_of(self, roles: frozenset[Role], *, in_person: bool = False) -> "Asking":
        """The same question, where not all of the permission's roles will do, nor, `in_person`, standing in for one."""
        permission = replace(self.permission, roles=self.permission.roles & roles)
        grants = [each for each in self.grants if not (in_person and each.is_delegated)]
        return replace(self, permission=permission, scope=scope_of(grants, self.tree, permission.roles))

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


async def asking_of(runtime: Runtime, permission: Permission, principal: Principal, seen: Token = NOTHING) -> Asking:
    """Who asks, if they may at all. Raises a 403 or 503 `Problem`.

    What is known may be a second old, but for what a token says that they have seen of portfolio's log.
    """
    if not permission.needs_role:
        return Asking(principal, permission, Scope(), Scope())
    asking = await _known(runtime, permission, principal, is_fresh=False)
    if SOURCE in seen.seen and not asking.scope.is_whole:
        await wait_until(runtime, Token({SOURCE: seen.seen[SOURCE]}))
        asking = await _known(runtime, permission, principal, is_fresh=True)
    if not asking.scope or (permission.is_whole and not asking.scope.is_whole):
        where = " in the whole enterprise" if permission.is_whole else ""
        raise Problem(403, "forbidden", f"this needs one of the roles {_listed(permission)}{where}")
    return asking


async def _known(runtime: Runtime, permission: Permission, principal: Principal, *, is_fresh: bool) -> Asking:
    grants = await runtime.access.grants(principal, fresh=is_fresh)
    tree = (await runtime.access.organization()).tree
    return Asking(
        principal,
        permission,
        scope_of(grants, tree, permission.roles),
        scope_of(grants, tree, ROLES),
        grants,
        tree,
    )


def _listed(permission: Permission) -> str:
    return ", ".join(sorted(permission.roles))


async def asker_of(
    request: Request,
    authorization: Annotated[str | None, Header(include_in_schema=False)] = None,
    consistency_token: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Asking:
    """Who asks for what the request names. Raises a 401, 403, 429 or 503 `Problem`."""
    runtime = runtime_of(request)
    permission: Permission = request.app.state.permissions[request.scope["route"].name]
    principal = await runtime.authenticator.principal(authorization)
    if visit := visit_of(request.scope):
        visit.is_of(principal)
    return await asking_of(runtime, permission, principal, token_of_header(consistency_token))


type Asker = Annotated[Asking, Depends(asker_of)]
"""Who asks: every route that is not open to all has one."""
