"""`python -m tests.faults`: many rounds, each fault in turn; a line per round, a table at the end, `build/faults.json`.

Leaves with 1 if an invariant was broken in any round, or if the time was over before all rounds were done. After 25
rounds, or a broken one, the next begins with a new cluster; what the old one has said is in `build/faults`, if broken.
"""

import argparse
import asyncio
import json
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path

from tests.faults.every import possible
from tests.faults.faults import Fault
from tests.faults.rounds import Round, run_round, scene_of
from tests.faults.scene import Scene

BUILD = Path("build")
ROUNDS_OF_A_CLUSTER = 25
"""All of the logs is compared after each round, so each takes longer than the one before."""


async def _run(faults: Sequence[type[Fault]], rounds: int, seed: int, deadline: float) -> list[Round]:
    done: list[Round] = []
    while len(done) < rounds and time.monotonic() < deadline:
        async with AsyncExitStack() as stack:
            scene = await stack.enter_async_context(scene_of(seed, BUILD / "faults", first=len(done)))
            last = min(rounds, len(done) + ROUNDS_OF_A_CLUSTER)
            done += await _until_broken(scene, faults, last, deadline)
    return done


async def _until_broken(scene: Scene, faults: Sequence[type[Fault]], last: int, deadline: float) -> list[Round]:
    done: list[Round] = []
    while scene.number < last and time.monotonic() < deadline:
        times, which = divmod(scene.number, len(faults))
        one = await run_round(scene, faults[which](times))
        print(one.line, flush=True)
        done.append(one)
        if one.findings:
            scene.cluster.keep_logs(BUILD / "faults" / f"round-{one.number}")
            break
    return done


def _summary(done: Sequence[Round], faults: Sequence[type[Fault]]) -> str:
    lines = [f"\n{'fault':<48} rounds  acknowledged  unclear  sent again  whole after (worst)  broken"]
    for name in [fault.name for fault in faults]:
        if own := [each for each in done if each.fault == name]:
            sums = [sum(getattr(each, field) for each in own) for field in ("acknowledged", "unclear", "sent_again")]
            worst, broken = max(each.whole_after for each in own), sum(bool(each.findings) for each in own)
            lines.append(
                f"{name:<48} {len(own):>6} {sums[0]:>13} {sums[1]:>8} {sums[2]:>11} {worst:>18.1f} s {broken:>7}"
            )
    return "\n".join(lines)


def main() -> int:
    """Run; the exit code."""
    parser = argparse.ArgumentParser(prog="tests.faults", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=45.0, help="the time within which all rounds must be done")
    parser.add_argument("--only", action="append", help="a part of a fault's name; again for more")
    wanted = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    faults, skipped = possible()
    if wanted.only:
        faults = [each for each in faults if any(part in each.name for part in wanted.only)]
    for name in skipped:
        print(f"skipped, this system does not allow it: {name}")
    began = time.monotonic()
    done = asyncio.run(_run(faults, wanted.rounds, wanted.seed, began + 60 * wanted.minutes))
    minutes = (time.monotonic() - began) / 60
    broken = [each for each in done if each.findings]
    print(_summary(done, faults))
    print(f"\n{len(done)} rounds of {wanted.rounds} in {minutes:.1f} minutes, seed {wanted.seed}: {len(broken)} broken")
    BUILD.mkdir(exist_ok=True)
    report = {"seed": wanted.seed, "minutes": minutes, "skipped": skipped, "rounds": [asdict(each) for each in done]}
    (BUILD / "faults.json").write_text(json.dumps(report, indent=1))
    return 1 if broken or len(done) < wanted.rounds else 0


if __name__ == "__main__":
    sys.exit(main())
