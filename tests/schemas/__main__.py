"""`python -m tests.schemas`: is every answer a documented one? All that OpenAPI allows is asked, and what it does not.

Takes `--minutes` in all, as much of it for each service. Prints a line per operation, then what failed, each with the
request that shows it. Leaves with 1 if a check failed, or a service could not be asked. What was asked and
answered is in `build/schemas`.
"""

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from steerco.edition.services import SERVICES
from steerco_servers.testing import temporary_postgres
from tests.schemas.asking import Answers, Measure, Tally, ask
from tests.schemas.exposing import exposed

BUILD = Path("build") / "schemas"
EXAMPLES = 200


async def _ask_all(services: Sequence[str], seed: int, minutes: float) -> list[Answers]:
    BUILD.mkdir(parents=True, exist_ok=True)
    measure = Measure(seed, EXAMPLES, seconds=max(1, int(60 * minutes / len(services))))
    async with temporary_postgres({"fsync": "off"}) as postgres, exposed(postgres) as there:
        found = []
        for service in services:
            print(f"· {service} …", flush=True)
            found.append(await ask(there[service], measure, BUILD.absolute()))
        return found


def table(tallies: Iterable[Tally]) -> str:
    """A line per operation."""
    lines = [f"{'service':<10} {'operation':<66} {'calls':>7} {'accepted':>9}  failures"]
    for each in tallies:
        failures = ", ".join(f"{name} {times}" for name, times in sorted(Counter(each.failures).items()))
        lines.append(f"{each.service:<10} {each.operation:<66} {each.calls:>7} {each.accepted:>9}  {failures}".rstrip())
    return "\n".join(lines)


def main() -> int:
    """Ask; the exit code."""
    names = [service.name for service in SERVICES]
    parser = argparse.ArgumentParser(prog="tests.schemas", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", choices=names, help="a service; again for more")
    wanted = parser.parse_args()
    began = time.monotonic()
    found = asyncio.run(_ask_all(wanted.only or names, wanted.seed, wanted.minutes))
    tallies = [each for answers in found for each in answers.tallies]
    print(table(tallies))
    for each in found:
        if not each.are_documented:
            print(f"\n{each.service}:\n{each.told}")
    never = [f"{each.service} {each.operation}" for each in tallies if not each.accepted]
    print(f"\nnever accepted: {', '.join(never) or 'none'}")
    failures = sum(len(each.failures) for each in tallies)
    calls, minutes = sum(each.calls for each in tallies), (time.monotonic() - began) / 60
    print(
        f"{calls} calls of {len(tallies)} operations in {minutes:.1f} minutes, seed {wanted.seed}: {failures} failures"
    )
    return 0 if all(each.are_documented for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
