"""Where the time of a round goes: what a figure that falls short is explained by."""

import cProfile
import pstats
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.bench.figures import Figure, Round

MOST = 20


async def explained(figure: Figure, ours: Round) -> Figure:
    """The figure; one that falls short with the profile of one more round of our side, which that makes slower."""
    return figure if figure.is_met else replace(figure, profile=await profile_of(ours))


async def profile_of(ours: Round) -> Sequence[str]:
    """A line for each of the functions in whose own code most time was spent, and its share of the round."""
    profiler = cProfile.Profile()
    with profiler:
        await ours()
    stats = pstats.Stats(profiler)
    total = sum(own for _, _, own, _, _ in stats.stats.values())  # type: ignore[attr-defined]
    most = sorted(stats.stats.items(), key=lambda item: item[1][2], reverse=True)[:MOST]  # type: ignore[attr-defined]
    return [f"{own / total:5.1%} {calls:>9,} calls  {_named(*place)}" for place, (_, calls, own, _, _) in most]


def _named(file: str, line: int, function: str) -> str:
    """`store.py:129 append_all`; what is built in has no file."""
    return function if file == "~" else f"{'/'.join(Path(file).parts[-2:])}:{line} {function}"
