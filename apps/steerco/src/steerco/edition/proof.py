"""What is shown at the start: three scopes side by side, and the proof that they are one portfolio."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
from sqlalchemy import text

from steerco_events.clock import SystemClock
from steerco_service.hosting import Host

type Json = Mapping[str, Any]
type Sums = Mapping[tuple[str, ...], Decimal]
"""A scope's figures and project count, by measure, kind, period and currency."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether, at every month end, the departments and the units add up to the enterprise."""

    months: int
    departments: int
    units: int
    differences: Sequence[str]
    events: int


def sums(answer: Json) -> Sums:
    """The addable part of a scope's totals."""
    found: dict[tuple[str, ...], Decimal] = {("projects",): Decimal(answer["projects"])}
    for figure in answer["figures"]:
        name = (figure["measure"], figure["kind"], figure["period"])
        for amount in figure["amounts"]:
            found[*name, amount["currency"]] = Decimal(amount["amount"])
    return found


def added(parts: Sequence[Sums]) -> Sums:
    """The sum of several scopes."""
    total: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for part in parts:
        for key, value in part.items():
            total[key] += value
    return total


def without_zeros(found: Sums) -> Sums:
    """Sums that are 0 say nothing: a scope without a figure does not list it."""
    return {key: value for key, value in found.items() if value}


async def portfolio(client: httpx.AsyncClient, scope: str, **more: str) -> Json:
    """What reporting answers for a scope."""
    response = await client.get("/reporting/portfolio", params={"scope": scope, **more})
    response.raise_for_status()
    answer: Json = response.json()
    return answer


async def units_of(client: httpx.AsyncClient) -> list[Json]:
    """Every unit of the organization."""
    found: list[Json] = []
    url = "/portfolio/units?limit=500"
    while url:
        response = await client.get(url)
        response.raise_for_status()
        found += response.json()
        url = response.links.get("next", {}).get("url", "")
    return found


async def prove(client: httpx.AsyncClient, host: Host) -> Proof:
    """Compare the scopes at every month end of the log's life."""
    units = await units_of(client)
    asked = {"by": "month", "as_of": SystemClock().now().isoformat()}
    by_kind = {
        kind: [await portfolio(client, unit["code"], **asked) for unit in units if unit["kind"] == kind]
        for kind in ("business_unit", "department")
    }
    enterprise = await portfolio(client, "enterprise", **asked)
    differences = []
    for month in enterprise["months"]:
        whole = without_zeros(sums(month))
        for kind, answers in by_kind.items():
            parts = [sums(each) for answer in answers for each in answer["months"] if each["end"] == month["end"]]
            if without_zeros(added(parts)) != whole:
                differences.append(f"{kind.replace('_', ' ')}s differ from the enterprise at {month['end']}")
    return Proof(
        months=len(enterprise["months"]),
        departments=len(by_kind["department"]),
        units=len(by_kind["business_unit"]),
        differences=differences,
        events=await _events(host),
    )


async def _events(host: Host) -> int:
    count = 0
    for runtime in host.runtimes.values():
        async with runtime.engine.connect() as connection:
            found = await connection.execute(text("SELECT count(*) FROM log.events"))
            count += int(found.scalar_one())
    return count
