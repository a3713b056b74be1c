"""`GET /scopes/{unit}/events`: what a deployment for a unit, with all below it, may hold of the service's log."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import Path, Query, Request, Response
from pydantic import AfterValidator, StringConstraints, WithJsonSchema

from steerco_events.cloudevents import instant
from steerco_service.asking import Asker, Asking
from steerco_service.bodies import Code
from steerco_service.events.asked import BATCH, MOST_VALUES
from steerco_service.headers import COMPLETE_TO
from steerco_service.printing import printable
from steerco_service.problems import Problem
from steerco_service.routing import router
from steerco_service.scoped.described import ANSWERS, DESCRIPTION
from steerco_service.scoped.share import SharedLog
from steerco_service.scoped.sharing import told, told_crossing
from steerco_service.scoped.stays import SUBJECT, project_subject

routes = router("events")


def _subject(text: str) -> str:
    if not SUBJECT.fullmatch(text):
        example = project_subject(UUID("0198c1de-6000-7000-8000-000000000005"))
        raise ValueError(f"a subject is unit-, project- or person- with an id in lower case, such as {example!r}")
    return text


type Subject = Annotated[
    str,
    StringConstraints(strict=True),
    AfterValidator(_subject),
    WithJsonSchema({"type": "string", "pattern": f"^{SUBJECT.pattern}$"}),
]
"""What enters and leaves a scope as one, as the feed names it."""


@routes.get(
    "/scopes/{unit}/events",
    summary="What a deployment for a unit may hold",
    description=DESCRIPTION,
    response_class=Response,
    responses=ANSWERS,
)
async def read_scope(
    request: Request,
    asking: Asker,
    unit: Annotated[Code, Path(description="The unit's id or code.", examples=["LIC"])],
    after: Annotated[str | None, Query(max_length=500, description="Where the last page ended.")] = None,
    subjects: Annotated[
        Sequence[Subject],
        Query(alias="subject", max_length=MOST_VALUES, description="The history of what entered only; repeatable."),
    ] = (),
) -> Response:
    """A page."""
    shared: SharedLog = request.app.state.shared
    unit_id = await _unit(shared, asking, unit)
    page = await shared.page(unit_id, after, frozenset(subjects))
    shows_people = asking.seeing("personal").scope.has_unit(unit_id)
    service = shared.service
    found: list[Any] = [told_crossing(service, each) for each in page.crossings]
    found += (told(event, share, shows_people=shows_people) for event, share in page.events)
    url = request.url.include_query_params(after=page.end)
    headers = {"Cache-Control": "no-store", "Link": f'<{url.path}?{url.query}>; rel="next"'}
    if page.complete_to:
        headers[COMPLETE_TO] = instant(page.complete_to)
    return Response(msgspec.json.encode(found), media_type=BATCH, headers=headers)


async def _unit(shared: SharedLog, asking: Asking, named: str) -> UUID:
    """The unit of an id or a code, for who asks. Raises `Forbidden`, and a 404 `Problem`."""
    unit_id = await shared.unit_named(named)
    if unit_id is None or not asking.has_unit(unit_id):
        raise Problem(404, "unknown-scope", f"no unit has the id or the code {printable(named)}")
    return unit_id
