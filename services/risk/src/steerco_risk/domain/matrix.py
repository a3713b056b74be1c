"""The 5×5 risk matrix: which band a probability and an impact make. A look-up, not a product. Pure.

Probability and impact are ranks, and ranks don't multiply: an unlikely catastrophe (1, 5) is not a likely
nuisance (5, 1). So each cell says its band, and a changed matrix is a new version.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from steerco_events.contracts.risk import Band
from steerco_events.decider import Refusal

LEVELS = range(1, 6)


class RatingOffTheScale(Refusal):
    """Probability and impact are rated from 1 to 5."""

    kind = "invalid"


@dataclass(frozen=True, slots=True)
class Matrix:
    """One version: a row per probability from 1 (rare) to 5 (almost certain), a column per impact."""

    version: int
    rows: tuple[str, ...]

    def band(self, probability: int, impact: int) -> Band:
        """The band of a cell."""
        for name, level in (("probability", probability), ("impact", impact)):
            if level not in LEVELS:
                raise RatingOffTheScale(f"{name} is 1 to 5, not {level}", pointer=f"/{name}")
        return _BANDS[self.rows[probability - 1][impact - 1]]


_BANDS: Mapping[str, Band] = {"l": "low", "m": "medium", "h": "high", "x": "extreme"}

MATRIX = Matrix(
    version=1,
    rows=(
        "llmmh",  # rare
        "llmhh",  # unlikely
        "lmmhx",  # possible
        "lmhxx",  # likely
        "mmhxx",  # almost certain
    ),
)
"""The matrix in force. Impact weighs more than probability: (1, 5) is high, (5, 1) medium."""
