"""Where the time of a round goes, or the memory of a process: what a figure that falls short is explained by."""

import cProfile
import pstats
import threading
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.bench.figures import Figure, Round

MOST = 20
SAMPLE_SECONDS = 0.05
HIGHER = 1.1
MEGABYTE = 1024 * 1024


async def explained(figure: Figure, ours: Round) -> Figure:
    """The figure; one that falls short with the profile of one more round of our side, which that makes slower."""
    return figure if figure.is_met else replace(figure, profile=await profile_of(ours))


async def profile_of(ours: Round) -> Sequence[str]:
    """A line for each of the functions in whose own code most time was spent, and its share of the round."""
    profiler = cProfile.Profile()
    with profiler:
        await ours()
    return lines_of(pstats.Stats(profiler))


def lines_of(stats: pstats.Stats) -> Sequence[str]:
    """A line for each of the functions in whose own code most time was spent, and its share of all."""
    total = sum(own for _, _, own, _, _ in stats.stats.values())  # type: ignore[attr-defined]
    most = sorted(stats.stats.items(), key=lambda item: item[1][2], reverse=True)[:MOST]  # type: ignore[attr-defined]
    return [f"{own / total:5.1%} {calls:>9,} calls  {_named(*place)}" for place, (_, calls, own, _, _) in most]


def _named(file: str, line: int, function: str) -> str:
    """`store.py:129 append_all`; what is built in has no file."""
    return function if file == "~" else f"{_placed(file, line)} {function}"


def trace_peak(file: Path) -> None:
    """From now on, keep in the file where the memory of this process was allocated when it was highest.

    Python started with `PYTHONTRACEMALLOC=1` knows of what was allocated before, too. Both slow the process, and take
    memory themselves.
    """
    tracemalloc.start()
    threading.Thread(target=_keep_highest, args=(file,), daemon=True).start()


def _keep_highest(file: Path) -> None:
    highest = 0.0
    while True:
        now, _ = tracemalloc.get_traced_memory()
        if now > highest * HIGHER:
            highest = now
            lines = allocations_of(tracemalloc.take_snapshot())
            written = file.with_suffix(".new")
            written.write_text("\n".join(lines))
            written.replace(file)
        time.sleep(SAMPLE_SECONDS)


def allocations_of(snapshot: tracemalloc.Snapshot) -> Sequence[str]:
    """A line for each of the lines of code that hold most memory, after one for all together."""
    found = snapshot.filter_traces([tracemalloc.Filter(False, tracemalloc.__file__)]).statistics("lineno")
    whole = f"{sum(each.size for each in found) / MEGABYTE:7.1f} MB {sum(each.count for each in found):>9,} blocks  all"
    return [
        whole,
        *(
            f"{each.size / MEGABYTE:7.1f} MB {each.count:>9,} blocks  {_placed(frame.filename, frame.lineno)}"
            for each in found[:MOST]
            for frame in each.traceback
        ),
    ]


def _placed(file: str, line: int) -> str:
    return f"{'/'.join(Path(file).parts[-2:])}:{line}"
