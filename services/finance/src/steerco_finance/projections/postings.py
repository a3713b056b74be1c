"""The postings, newest state of each: row, fold and query."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from sqlalchemy import select

from steerco_events.contracts.finance import ActualCostPosted, ActualCostReversed
from steerco_events.contracts.values import Money
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection
from steerco_service.reading import Page, Reading


@dataclass(frozen=True, slots=True)
class PostingRow:
    """One actual cost."""

    posting_id: UUID
    project_id: UUID
    source: str
    reference: str
    cost: Money
    incurred_on: date
    period: str
    reversed: bool = False
    reason: str | None = None


def posting_key(event: Recorded) -> str | None:
    """The posting that an event is about."""
    return event.stream.removeprefix("posting-") if event.stream.startswith("posting-") else None


def evolve_posting(row: PostingRow | None, event: Recorded) -> PostingRow | None:
    """The row after an event."""
    match event.payload, row:
        case ActualCostPosted() as p, _:
            return PostingRow(p.posting_id, p.project_id, p.source, p.reference, p.cost, p.incurred_on, p.period)
        case ActualCostReversed(), PostingRow():
            return replace(row, reversed=True, reason=event.reason)
        case _:
            return row


postings = Projection(
    "postings", PostingRow, posting_key, evolve_posting, indexes=(("project_id", "period"), ("source", "reference"))
)


async def postings_listed(
    reading: Reading,
    page: Page,
    project_id: UUID | None,
    period: str | None,
    source: str | None,
    reference: str | None,
) -> Sequence[PostingRow]:
    """The postings in the order of their ids, filtered; by their document only where who asks may see it."""
    table = reading.table("postings")
    query = select(table).where(reading.known_at(table), reading.in_projects(table.c.project_id))
    wanted = {"project_id": project_id, "period": period, "source": source, "reference": reference}
    for column, value in wanted.items():
        if value is not None:
            query = query.where(table.c[column] == value)
    if source is not None or reference is not None:
        query = query.where(reading.seeing("commercial").in_projects(table.c.project_id))
    return page.cut(await reading.rows(postings, page.select(query, table.c.key)), "posting_id")
