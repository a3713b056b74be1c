"""`GET /events`: the service's log for other systems, as pages and as a stream."""

from dataclasses import replace
from typing import Annotated

from fastapi import Header, Request, Response
from fastapi.responses import StreamingResponse

from steerco_events.postgres.event_pages import EventPage, Filter
from steerco_service.asking import Asker, asking_of
from steerco_service.consistency import deadline_from_now, token_of_header
from steerco_service.edge.visits import visit_of
from steerco_service.events.asked import BATCH, STREAM, Question
from steerco_service.events.described import ANSWERS, DESCRIPTION
from steerco_service.events.feed import Feed
from steerco_service.events.streaming import EventStream
from steerco_service.events.withholding import Reach
from steerco_service.http_server import stopping_of
from steerco_service.routing import router

_HEADERS = {"Cache-Control": "no-store", "Vary": "Accept"}

routes = router("events")


@routes.get(
    "/events",
    summary="The events of this log, from any position",
    description=DESCRIPTION,
    response_class=Response,
    responses=ANSWERS,
)
@routes.head("/events", include_in_schema=False)
async def read_events(
    request: Request,
    asking: Asker,
    asked: Question,
    authorization: Annotated[str, Header(include_in_schema=False)],
    consistency_token: Annotated[
        str | None, Header(description="Answer only after the log has what this token covers.")
    ] = None,
) -> Response:
    """A page, or the stream. A page that waited is empty when what the caller may read became another meanwhile."""
    feed: Feed = request.app.state.feed
    whole, reach = asked, Reach.of(asking)
    asked = asked.within(asking.scope, asking.known_at)
    stopping = stopping_of(request.scope)

    async def sought_now() -> Filter | None:
        principal = await feed.runtime.authenticator.principal(authorization)
        now = await asking_of(feed.runtime, asking.permission, principal)
        return whole.within(now.scope, now.known_at).sought if Reach.of(now) == reach else None

    deadline = asking.deadline or deadline_from_now()
    sought = await feed.has(token_of_header(consistency_token), asked.sought, sought_now, deadline)
    asked = replace(asked, sought=sought)
    place = await feed.place(asked)
    if asked.form == STREAM and request.method == "HEAD":
        return Response(media_type=STREAM, headers=_HEADERS)
    if asked.form == STREAM:
        if visit := visit_of(request.scope):
            visit.begin_stream()
        stream = EventStream(feed, reach, sought_now, stopping)
        return StreamingResponse(stream.chunks(place), media_type=STREAM, headers=_HEADERS)
    page = await feed.page(asked, place, sought_now, stopping)
    if asked.wait and await sought_now() is None:
        page = EventPage((), place, is_last=False)
    url = request.url.include_query_params(after=str(page.end))
    link = {"Link": f'<{url.path}?{url.query}>; rel="next"'}
    return Response(reach.batch(page.events), media_type=BATCH, headers=_HEADERS | link)
