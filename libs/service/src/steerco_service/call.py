"""One request that changes something: who asks, what they saw, and the way to the decider and back."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import Depends, Request, Response

from steerco_events import tracing
from steerco_events.commands.handling import Handled
from steerco_events.commands.judging import Behalf, Forbidden, IdTaken, Judge
from steerco_events.commands.parting import Parting
from steerco_events.commands.planning import Handling
from steerco_events.contracts.portfolio import Role
from steerco_events.decider import Decider, Refusal
from steerco_events.envelope import Context
from steerco_events.ids import new_id
from steerco_events.postgres.commands import find
from steerco_events.projections.builds import ViewNotBuilt
from steerco_events.trace_contexts import traceparent
from steerco_service.access.known import Places
from steerco_service.access.permissions import ROLES, SUPPORT
from steerco_service.access.placed import ProjectPlaced, projects_placed
from steerco_service.asking import Asker, Asking, partings_of, runtime_of
from steerco_service.conditions import (
    ANY_VERSION,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    REASON,
    checked_reason,
    command_key,
    expected_version,
)
from steerco_service.consistency import seen_by, view_not_built, wait_until
from steerco_service.headers import CONSISTENCY_TOKEN
from steerco_service.identity.principal import Principal
from steerco_service.lookups import Finder

DONE = "steerco.done"
"""Where a request's scope says what a command that was not refused has done."""


class UnknownPerson(Refusal):
    """Nobody of this id is there for who asks."""

    kind = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command answers with, as it is remembered for a repetition."""

    status: int
    headers: Mapping[str, str]
    body: Mapping[str, str] | None


_ANSWER = msgspec.json.Decoder(Answer)


async def _placed(finder: Finder, project_id: UUID) -> ProjectPlaced | None:
    return await finder.one(projects_placed, str(project_id))


class Call:
    """A command request. Built as a dependency, after the caller's consistency token was waited for."""

    def __init__(
        self,
        request: Request,
        asking: Asking,
        body: bytes,
        if_match: str | None,
        idempotency_key: str | None,
        reason: str | None,
        partings: Sequence[Parting],
    ) -> None:
        self.runtime = runtime_of(request)
        self.asking = asking
        self.principal: Principal = asking.principal
        self.now: datetime = self.runtime.clock.now()
        self._concerned: list[UUID] = []
        self._projects: list[UUID] = []
        self._judge: Judge = lambda units: self.asking.has(units, self._projects)
        self._partings = partings
        self._request = request
        self._expected = expected_version(if_match)
        self._must_be_there = if_match is not None and if_match.strip() == ANY_VERSION
        self._key = command_key(request, asking.principal, body, idempotency_key)
        self._reason = checked_reason(reason)
        self._is_submitted = False

    def concerns(self, *units: UUID) -> None:
        """Stamp the events that come of this call with these units, beside those that the situation names."""
        self._concerned += units

    def of_project(self, project_id: UUID) -> None:
        """What is to be done is about a project: whoever may do it there may."""
        self._projects.append(project_id)

    def needs_one_of(self, roles: frozenset[Role], *, in_person: bool = False) -> None:
        """Of those who may do it, only who has one of these roles there may do this, and `in_person` no deputy."""
        self.asking = self.asking.as_one_of(roles, in_person=in_person)

    @staticmethod
    def must_be_there(is_there: bool) -> None:
        """Raises `IdTaken` for what has the id that is to be given, and is not there for who asks."""
        if not is_there:
            raise IdTaken("the id names something already")

    def within(self, *units: UUID | None) -> None:
        """Whoever may do it there may, whatever units the events concern; `None` is the whole enterprise."""
        self._judge = lambda _: self.asking.has(units)

    async def about_person(self, person_id: UUID, *projects: UUID) -> None:
        """Whoever may do it where a person has a role or manages a project may. Raises `UnknownPerson`, `Forbidden`.

        It concerns the units that have these projects; where none is known, those where the person is.
        """
        places = await self._places(person_id)
        self._check_is_at(places, person_id)
        placed = [await self.look_up(_placed, each) for each in projects]
        self.concerns(*({each.unit_id for each in placed if each} or places.units))
        self._judge = lambda _: True

    async def not_of_others(self, person_id: UUID) -> None:
        """Who has a role or a project is for who may do it at one of these places. Raises as `about_person` does."""
        places = await self._places(person_id)
        if places:
            self._check_is_at(places, person_id)

    async def about_person_at(self, project_id: UUID, person_id: UUID) -> None:
        """Whoever may do it where a project is may, for what a person has to do with it; it concerns that unit.

        Raises `UnknownPerson`, and `Forbidden` where they see the person or the project only.
        """
        placed = await self.look_up(_placed, project_id)
        units = (placed.unit_id,) if placed else ()
        if not self.asking.has(units, (project_id,)):
            await self.about_person(person_id)
            raise Forbidden("this is about a project where you have no role for it")
        self.concerns(*units)
        self._judge = lambda _: self.asking.has(units, (project_id,))

    async def administrators(self) -> frozenset[UUID]:
        """The appointments by which somebody administers the whole enterprise, as far as is known."""
        return await self.runtime.access.administrators()

    @staticmethod
    def new_id() -> UUID:
        """A fresh identifier, for a thing that the caller did not name."""
        return new_id()

    async def makes[Made](self, make: Callable[[], Awaitable[Made]], instead: Made) -> Made:
        """What a command needs and has to be made for it first; `instead` is taken where nothing may be made."""
        return await make()

    async def look_up[Found](self, ask: Callable[[Finder, UUID], Awaitable[Found]], id: UUID) -> Found:
        """What the service's own view knows of another service's thing. Raises a 503 `Problem` while it is made."""
        try:
            return await ask(self.runtime.lookups, id)
        except ViewNotBuilt as error:
            raise view_not_built(error) from error

    async def fold[State](self, decider: Decider[State, Any], stream: str) -> State:
        """A situation of the service's own, from its stream."""
        async with self.runtime.engine.connect() as connection:
            return decider.fold((await self.runtime.store.read_stream(connection, stream)).payloads)

    async def handle[State, Command](
        self,
        decider: Decider[State, Command],
        stream: str,
        command: Command,
        *,
        created: UUID | None = None,
        among: str | None = None,
        reason: str | None = None,
    ) -> Response:
        """Decide, append and answer: 201 with `Location` when something was created, else 204.

        `among` is the path of those that it was created among, if that is not the request's own. `reason`, if the
        body has one, goes before the header's.
        Raises what `Batcher.submit` raises; nothing half-done stays.
        """
        with tracing.handling(self.runtime.service.name, type(command).__name__, Refusal):
            handling = await self._handling(decider, stream, command, reason)
            self._is_submitted = True
            answer = await self.runtime.batcher.submit(
                handling, self._key, lambda handled: msgspec.json.encode(self._answer(handled, created, among))
            )
        return _response(answer)

    async def _handling[State, Command](
        self, decider: Decider[State, Command], stream: str, command: Command, reason: str | None
    ) -> Handling[State, Command]:
        command_id = new_id()
        context = Context(
            command_id=command_id,
            actor=self.principal.actor,
            client=self.principal.client,
            recorded_at=self.now,
            correlation_id=command_id,
            causation_id=command_id,
            reason=reason or self._reason,
            traceparent=traceparent(),
            org_units=tuple(self._concerned),
        )
        return Handling(
            decider,
            stream,
            command,
            context,
            self._expected,
            self._must_be_there,
            judge=self._judge,
            behalf=await self._behalf(),
            partings=self._partings,
        )

    async def remembered(self) -> Response | None:
        """For what was refused before it came to be decided: the answer, if it repeats what was accepted.

        What was looked up for it may have become another since then. Raises `IdempotencyKeyReused`.
        """
        if self._key is None or self._is_submitted:
            return None
        async with self.runtime.engine.connect() as connection:
            found = await find(connection, [self._key])
        remembered = found.get(self._key.identity)
        return _response(remembered.answer_to(self._key)) if remembered else None

    def _check_is_at(self, places: Places, person_id: UUID) -> None:
        if not self.asking.has_any(places.units, places.projects):
            raise UnknownPerson(f"nobody with the id {person_id} has a role or a project")

    async def _places(self, person_id: UUID) -> Places:
        return await self.runtime.access.places(person_id)

    async def _manager(self, project_id: UUID) -> UUID | None:
        return await self.runtime.access.manager(project_id)

    async def _behalf(self) -> Behalf | None:
        """Who may do it by a role of support alone does it on behalf of the project's manager, if somebody is."""
        if not self._projects or not self.asking.may_as(SUPPORT):
            return None
        manager = await self._manager(self._projects[-1])
        if manager is None or manager == self.principal.actor.id:
            return None
        otherwise = self.asking.as_one_of(ROLES - SUPPORT).scope
        return lambda units: None if otherwise.has_all(units, self._projects) else manager

    def _answer(self, handled: Handled, created: UUID | None, among: str | None) -> Answer:
        self._request.scope[DONE] = "accepted" if handled.events else "unchanged"
        headers = {"ETag": f'"{handled.version}"', CONSISTENCY_TOKEN: handled.token.encode()}
        if created is None:
            return Answer(204, headers, None)
        path = self._request.scope.get("root_path", "") + among if among else self._request.url.path.rstrip("/")
        headers["Location"] = f"{path}/{created}"
        return Answer(201, headers, {"id": str(created)})


async def call_of(request: Request, asking: Asker) -> Call:
    """The dependency of every endpoint that changes something.

    It reads the headers of commands by itself, which `openapi` describes: as parameters they would take longer than
    all that is asked of them.
    """
    token, sent = seen_by(request), request.headers
    await wait_until(runtime_of(request), token, asking.deadline)
    partings = await partings_of(request, asking, token)
    body = await request.body()
    call = Call(request, asking, body, sent.get(IF_MATCH), sent.get(IDEMPOTENCY_KEY), sent.get(REASON), partings)
    request.state.remembered = call.remembered
    return call


def _response(answer: bytes) -> Response:
    given = _ANSWER.decode(answer)
    content = msgspec.json.encode(given.body) if given.body else None
    media_type = "application/json" if given.body else None
    return Response(content, given.status, dict(given.headers), media_type)


type Calling = Annotated[Call, Depends(call_of)]
