"""Actual costs, posting by posting: row, fold, sums."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Subquery, func, select, true

from steerco_events.contracts.finance import FINANCE, ActualCostPosted, ActualCostReversed
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection
from steerco_service.reading import Reading


@dataclass(frozen=True, slots=True)
class ActualCostRow:
    """One posting; a reversed one counts no more."""

    posting_id: UUID
    project_id: UUID
    period: str
    amount: Decimal
    currency: str
    source: str
    reference: str
    is_reversed: bool = False


def posting_key(event: Recorded) -> str | None:
    """The posting that an event is about."""
    match event.payload:
        case ActualCostPosted(posting_id=posting_id) | ActualCostReversed(posting_id=posting_id):
            return str(posting_id)
        case _:
            return None


def evolve_posting(row: ActualCostRow | None, event: Recorded) -> ActualCostRow | None:
    """The row after an event."""
    match event.payload, row:
        case ActualCostPosted() as posted, _:
            return ActualCostRow(
                posting_id=posted.posting_id,
                project_id=posted.project_id,
                period=posted.period,
                amount=posted.cost.amount,
                currency=posted.cost.currency,
                source=posted.source,
                reference=posted.reference,
            )
        case ActualCostReversed(), ActualCostRow():
            return replace(row, is_reversed=True)
        case _:
            return row


actual_costs = Projection(
    "actual_costs", ActualCostRow, posting_key, evolve_posting, indexes=(("project_id",),), of=FINANCE
)


@dataclass(frozen=True, slots=True)
class ActualCostSum:
    """What was spent in a period, in a currency."""

    period: str
    currency: str
    amount: Decimal


async def actual_cost_sums(reading: Reading, scoped: Subquery) -> Sequence[ActualCostSum] | None:
    """What the projects of a scope at an instant have cost, by period and currency.

    `None` for who may not see commercial fields of all of them: the sum of one cost, or two sums with one cost between
    them, tell that cost.
    """
    if not await _are_all_shown(reading, scoped):
        return None
    table = reading.table("actual_costs")
    by = (table.c.period, table.c.currency)
    query = (
        select(*by, func.sum(table.c.amount).label("amount"))
        .select_from(scoped.join(table, table.c.project_id == scoped.c.project_id))
        .where(reading.known_at(table, scoped.c.at), table.c.is_reversed.is_(False))
        .group_by(*by)
        .order_by(*by)
    )
    return [ActualCostSum(**row) for row in (await reading.connection.execute(query)).mappings()]


async def _are_all_shown(reading: Reading, scoped: Subquery) -> bool:
    is_shown = reading.seeing("commercial").in_projects(scoped.c.project_id)
    hidden = select(scoped.c.project_id).where(is_shown.is_not(true())).limit(1)
    return (await reading.connection.execute(hidden)).first() is None
