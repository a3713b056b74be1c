"""The logs that every answer stands on."""

from steerco_reporting.http.answers import CutAnswer, cut_fields
from steerco_reporting.http.cut import AsOf
from steerco_reporting.projections.sources import sources
from steerco_service.reading import Read
from steerco_service.routing import router

routes = router("sources")


@routes.get("/sources", summary="How far each log is known")
async def known_sources(reading: Read, cut: AsOf) -> CutAnswer:
    """The last event of each log, and up to when the log is whole."""
    return CutAnswer(**cut_fields(cut, await sources(reading, cut.at)))
