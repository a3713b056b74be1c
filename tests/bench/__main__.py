"""Takes all the figures, or those of the modules that are named, prints them and writes `build/bench.json`."""

import asyncio
import json
import os
import platform
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from steerco_servers.testing import temporary_kafka, temporary_postgres
from tests.bench import appending, commanding, rebuilding, relaying, replay, seeing
from tests.bench.figures import Figure, Measure, Servers

MEASURES: Mapping[str, Measure] = {
    "appending": appending.measure,
    "commanding": commanding.measure,
    "relaying": relaying.measure,
    "seeing": seeing.measure,
    "rebuilding": rebuilding.measure,
    "replay": replay.measure,
}
PROFILE_LINES = 10
RESULT = Path(__file__).parents[2] / "build" / "bench.json"


async def take(names: Iterable[str]) -> Sequence[Figure]:
    """The figures of these modules, on servers of their own."""
    figures: list[Figure] = []
    async with temporary_postgres() as postgres, temporary_kafka() as kafka:
        for name in names:
            began = time.monotonic()
            print(f"· {name} …", end=" ", flush=True)
            found = await MEASURES[name](Servers(postgres, kafka))
            print(f"{time.monotonic() - began:.0f} s;", ", ".join(f"{each.key} {each.value:.3g}" for each in found))
            figures += found
    return figures


def table_of(figures: Iterable[Figure]) -> Table:
    """Every figure, how far it should reach, and what it was made of."""
    table = Table("figure", "value", "reach", "", "made of")
    for each in figures:
        made_of = ", ".join(f"{name} {part:,.4g}" for name, part in each.parts.items())
        reach = f"{'≥' if each.better == 'higher' else '≤'} {each.reach:g}"
        met = "met" if each.is_met else f"falls short {each.flaw}".rstrip()
        table.add_row(each.key, f"{each.value:.3g}", reach, met, f"{made_of} ({each.note})")
    return table


def result_of(figures: Iterable[Figure]) -> dict[str, Any]:
    """What is written: the figures, and on what they were taken."""
    return {
        "machine": {"cores": os.cpu_count(), "platform": platform.platform(), "python": platform.python_version()},
        "figures": [
            {
                "key": each.key,
                "value": each.value,
                "reach": each.reach,
                "better": each.better,
                "met": each.is_met,
                "flaw": each.flaw,
                "parts": dict(each.parts),
                "note": each.note,
                "profile": list(each.profile),
            }
            for each in figures
        ],
    }


def main() -> None:
    """Take the figures that the arguments name, or all."""
    names = sys.argv[1:] or list(MEASURES)
    if unknown := [name for name in names if name not in MEASURES]:
        sys.exit(f"there is no {', '.join(unknown)}; there are {', '.join(MEASURES)}")
    figures = asyncio.run(take(names))
    Console(width=150 if not sys.stdout.isatty() else None).print(table_of(figures))
    for each in figures:
        if each.profile:
            print(f"\n{each.key} falls short; one more round of our side:")
            print(*each.profile[:PROFILE_LINES], sep="\n")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result_of(figures), indent=2) + "\n")


if __name__ == "__main__":
    main()
