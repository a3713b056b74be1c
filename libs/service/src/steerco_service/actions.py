"""What may be done with a record now, and why not the rest: each command asked in advance, by the way that it would go.

The operation's own endpoint is called, so its permission, its judgement and its decider answer, and none of their rules
is written again; only, where the command would be handled, what it would lead to is told and nothing is done.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Never
from uuid import UUID

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from steerco_events.commands.handling import weigh
from steerco_events.contracts.portfolio import Duties
from steerco_events.decider import Decider, Refusal
from steerco_events.envelope import StreamSlice
from steerco_events.registry import NewerVersion
from steerco_service.access.duties import Pair, pairs_of
from steerco_service.access.gaps import SOURCE
from steerco_service.access.known import Organization, Places
from steerco_service.access.permissions import permission_of
from steerco_service.access.scope import Grant, Scope
from steerco_service.asking import Asker, Asking, partings_by, runtime_of
from steerco_service.bodies import Body
from steerco_service.call import Call
from steerco_service.consistency import seen_by, wait_until
from steerco_service.lookups import Finder
from steerco_service.problems import Problem, problem_of_newer, problem_of_refusal
from steerco_service.reading import Read, Reading

ALREADY = "it is so already"
NOBODY = UUID(int=0)
"""A stand-in for an id: nothing has it."""

type Ids = Mapping[str, UUID]
"""The ids in a path, by their names."""


class Action(BaseModel):
    """A command that a record takes, and whether it would be accepted from the caller now."""

    name: Annotated[str, Field(description="The operation: what its `operationId` begins with.")]
    method: str
    href: Annotated[str, Field(description="The path below the service.")]
    body: Annotated[
        dict[str, str | bool],
        Field(description="What the body says to mean this one of what the operation does; with more."),
    ]
    is_allowed: Annotated[
        bool, Field(description="Whether it would be accepted and change something, if its values keep the rules.")
    ]
    because: Annotated[str | None, Field(description="Why it is not allowed.")]
    type: Annotated[
        str | None,
        Field(description="The problem that the command would be answered with; null where it would change nothing."),
    ]


class Acted(BaseModel):
    """What is answered of one record beside what is known of it."""

    actions: Annotated[
        list[Action], Field(description="Every command that it takes, and whether the caller may send it now.")
    ]


def in_full[Answer: Acted](kind: type[Answer], answer: BaseModel, actions: Sequence[Action]) -> Answer:
    """What a list says of a record, with the actions of the record."""
    return kind.model_validate({**dict(answer), "actions": actions})


@dataclass(frozen=True, slots=True)
class Probe:
    """A command to be asked in advance: its endpoint and a body, of which the `chosen` fields say what it would do.

    The others stand in for what only the caller knows: they are as no body may be, so nothing is so already. What they
    break of the rules for values is no reason against the command. `means`: what it says that they are refused so.
    """

    endpoint: Callable[..., Awaitable[Response]]
    body: Body
    chosen: Sequence[str] = ()
    means: Mapping[type[Refusal], str] = field(default_factory=dict)


class _Weighed(Exception):
    """A command was asked in advance: whether it would change anything."""

    def __init__(self, is_new: bool) -> None:
        super().__init__(is_new)
        self.is_new = is_new


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of who may act where, and what the caller may."""

    organization: Organization
    grants: Sequence[Grant]


@dataclass(frozen=True, slots=True)
class Actions:
    """The commands of a record, asked in advance in the snapshot in which the record is read."""

    request: Request
    known: Organization
    grants: Sequence[Grant]
    reading: Reading
    slices: dict[str, StreamSlice] = field(default_factory=dict)
    places: dict[UUID, Places] = field(default_factory=dict)
    managers: dict[UUID, UUID | None] = field(default_factory=dict)

    async def of(self, ids: Ids, probes: Iterable[Probe]) -> list[Action]:
        """What each of these would be answered. `ids` are those of the record, by their names in the paths."""
        routes = {each.endpoint: each for each in self.request.app.state.operations}
        return [await self._action(routes[probe.endpoint], probe, ids) for probe in probes]

    def scope(self, endpoint: Callable[..., Awaitable[Response]]) -> Scope:
        """Where the caller may do something."""
        return self._asking(endpoint.__name__).scope

    def another_unit(self, endpoint: Callable[..., Awaitable[Response]], present: UUID) -> UUID:
        """A unit where the caller may do something, other than the present one; if there is one."""
        scope = self.scope(endpoint)
        units = self.reading.asking.tree.parents if scope.is_whole else scope.units
        return next((each for each in sorted(units) if each != present), NOBODY)

    async def _action(self, route: APIRoute, probe: Probe, ids: Ids) -> Action:
        named = {name: ids[name] for name in route.param_convertors}
        refused: Problem | None = None
        because: str | None = None
        try:
            because = None if await self._weighed(route, probe, named) else ALREADY
        except Problem as problem:
            refused = problem
        except Refusal as refusal:
            because = probe.means.get(type(refusal))
            refused = None if because else problem_of_refusal(refusal)
        except NewerVersion as newer:
            refused = problem_of_newer(newer)
        if refused and refused.status == 422:
            refused = None
        (method,) = route.methods or ("",)
        return Action(
            name=route.name,
            method=method,
            href=route.path_format.format(**named),
            body=probe.body.model_dump(mode="json", include=set(probe.chosen)),
            is_allowed=not (refused or because),
            because=refused.detail if refused else because,
            type=refused.type if refused else None,
        )

    async def _weighed(self, route: APIRoute, probe: Probe, ids: Ids) -> bool:
        asking = self._asking(route.name)
        asking.check()
        pairs = pairs_of(f"{self.reading.runtime.service.name}.{route.name}")
        try:
            await probe.endpoint(**ids, body=probe.body, call=_InAdvance(self, asking, pairs))
        except _Weighed as weighed:
            return weighed.is_new
        raise AssertionError(f"{route.name} handles no command")

    def _asking(self, operation: str) -> Asking:
        asking = replace(self.reading.asking, grants=self.grants)
        return asking.about(permission_of(self.reading.runtime.service.name, operation))


class _InAdvance(Call):
    """A command that is not meant: it reads what the record's reader reads, and leads to nothing."""

    def __init__(self, actions: Actions, asking: Asking, pairs: Mapping[Duties, Pair]) -> None:
        today = actions.reading.runtime.clock.now().date()
        partings = partings_by(actions.known.whole(), pairs, asking, today) if pairs else ()
        super().__init__(actions.request, asking, b"", None, None, None, partings)
        self._actions = actions
        self._reading = actions.reading

    async def makes[Made](self, make: Callable[[], Awaitable[Made]], instead: Made) -> Made:
        """What is taken for it: nothing may change."""
        return instead

    async def look_up[Found](self, ask: Callable[[Finder, UUID], Awaitable[Found]], id: UUID) -> Found:
        """What the service's view knows, in the reader's snapshot."""
        return await ask(self._reading, id)

    async def fold[State](self, decider: Decider[State, Any], stream: str) -> State:
        """A situation of the service's own, in the reader's snapshot."""
        return decider.fold((await self._slice(stream)).payloads)

    async def handle[State, Command](
        self,
        decider: Decider[State, Command],
        stream: str,
        command: Command,
        *,
        created: UUID | None = None,
        among: str | None = None,
        reason: str | None = None,
    ) -> Never:
        """Raises `_Weighed`, or what the command would be refused with: what an endpoint does after it is not done."""
        handling = await self._handling(decider, stream, command, reason)
        slices = {stream: await self._slice(stream)}
        raise _Weighed(bool(await weigh(self._reading.connection, self.runtime.store, handling, slices)))

    async def _slice(self, stream: str) -> StreamSlice:
        known = self._actions.slices
        if stream not in known:
            known[stream] = await self.runtime.store.read_stream(self._reading.connection, stream)
        return known[stream]

    async def administrators(self) -> frozenset[UUID]:
        """The appointments of who administers the whole, in the reader's snapshot."""
        return await self.runtime.access.administrators_by(self._reading.connection, self._actions.known)

    async def _places(self, person_id: UUID) -> Places:
        found, connection = self._actions.places, self._reading.connection
        if person_id not in found:
            found[person_id] = await self.runtime.access.places_by(connection, self._actions.known, person_id)
        return found[person_id]

    async def _manager(self, project_id: UUID) -> UUID | None:
        found, connection = self._actions.managers, self._reading.connection
        if project_id not in found:
            found[project_id] = await self.runtime.access.manager_by(connection, self._actions.known, project_id)
        return found[project_id]


async def known_of(request: Request, asking: Asker) -> Known:
    """What is known of who may act where, with all that the caller has seen of it."""
    runtime, seen = runtime_of(request), seen_by(request)
    await wait_until(runtime, seen, asking.deadline)
    is_fresh = SOURCE in seen.seen
    organization = await runtime.access.known(fresh=is_fresh)
    return Known(organization, (await runtime.access.grants(asking.principal, fresh=is_fresh)).grants)


async def actions_of(request: Request, known: Annotated[Known, Depends(known_of)], reading: Read) -> Actions:
    """The dependency of every endpoint that answers one record.

    It comes before the `Read` of the endpoint: what is known is read before a connection is held for the reader.
    """
    return Actions(request, known.organization, known.grants, reading)


type Acting = Annotated[Actions, Depends(actions_of)]
