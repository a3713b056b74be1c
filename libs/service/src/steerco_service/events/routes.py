"""`GET /events`: the service's log for other systems, as pages and as a stream."""

from typing import Annotated

from fastapi import Header, Request, Response
from fastapi.responses import StreamingResponse

from steerco_events.cloudevents import batch_of
from steerco_events.postgres.event_pages import EventPage
from steerco_service.asking import Asker, asking_of
from steerco_service.consistency import token_of_header
from steerco_service.edge.visits import visit_of
from steerco_service.events.asked import BATCH, STREAM, Question
from steerco_service.events.described import ANSWERS, DESCRIPTION
from steerco_service.events.feed import Feed
from steerco_service.events.streaming import EventStream
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
    asked = asked.within(asking.scope)
    stopping = stopping_of(request.scope)

    async def may_go_on() -> bool:
        principal = await feed.runtime.authenticator.principal(authorization)
        return (await asking_of(feed.runtime, asking.permission, principal)).scope == asking.scope

    await feed.has(token_of_header(consistency_token))
    place = await feed.place(asked)
    if asked.form == STREAM and request.method == "HEAD":
        return Response(media_type=STREAM, headers=_HEADERS)
    if asked.form == STREAM:
        if visit := visit_of(request.scope):
            visit.begin_stream()
        stream = EventStream(feed, asked, may_go_on, stopping)
        return StreamingResponse(stream.chunks(place), media_type=STREAM, headers=_HEADERS)
    page = await feed.page(asked, place, stopping)
    if asked.wait and not await may_go_on():
        page = EventPage((), place, is_last=False)
    url = request.url.include_query_params(after=str(page.end))
    link = {"Link": f'<{url.path}?{url.query}>; rel="next"'}
    return Response(batch_of(page.events), media_type=BATCH, headers=_HEADERS | link)
