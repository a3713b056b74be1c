"""What is shown at the start: three scopes side by side, and the proof that they are one portfolio."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """Whether, at every month end, the units below each unit and its own projects add up to it."""

    months: int
    departments: int
    units: int
    direct: int
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


def added(parts: Iterable[Sums]) -> Sums:
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
    response = await client.get("/portfolio/units")
    response.raise_for_status()
    found: list[Json] = response.json()
    return found


async def prove(client: httpx.AsyncClient, host: Host) -> Proof:
    """Ask for every scope by itself, and compare each with those below it at every month end of the log's life."""
    units = await units_of(client)
    asked = {"by": "month", "as_of": SystemClock().now().isoformat()}
    answers = {unit["code"]: await portfolio(client, unit["code"], **asked) for unit in units}
    by_end = {code: {month["end"]: month for month in answer["months"]} for code, answer in answers.items()}
    (root,) = (unit["code"] for unit in units if unit["parent_id"] is None)
    kinds = Counter(unit["kind"] for unit in units)
    return Proof(
        months=len(by_end[root]),
        departments=kinds["department"],
        units=kinds["business_unit"],
        direct=sum(
            line["projects"]
            for answer in answers.values()
            if answer["scope"]["kind"] != "department"
            for line in answer["units"]
            if line.get("direct")
        ),
        differences=list(differences(by_end)),
        events=await _events(host),
    )


def differences(by_end: Mapping[str, Mapping[str, Json]]) -> Iterator[str]:
    """Where a scope's month end is not what the scopes below it, each asked by itself, and its own projects make."""
    for code, months in by_end.items():
        for end, month in months.items():
            if month["units"]:
                parts = [line if line.get("direct") else by_end[line["code"]][end] for line in month["units"]]
                if without_zeros(added(map(sums, parts))) != without_zeros(sums(month)):
                    yield f"{code} differs from what is below it at {end}"


async def _events(host: Host) -> int:
    count = 0
    for runtime in host.runtimes.values():
        async with runtime.engine.connect() as connection:
            found = await connection.execute(text("SELECT count(*) FROM log.events"))
            count += int(found.scalar_one())
    return count
