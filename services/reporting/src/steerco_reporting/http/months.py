"""Month ends, in UTC."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

_TICK = timedelta(microseconds=1)


def month_ends(first: datetime, last: datetime) -> Sequence[datetime]:
    """The last instant of each month from that of `first` to that of `last`; of the last month it is `last`."""
    ends: list[datetime] = []
    year, month = first.astimezone(UTC).year, first.astimezone(UTC).month
    while True:
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        end = datetime(year, month, 1, tzinfo=UTC) - _TICK
        if end >= last:
            return [*ends, last]
        ends.append(end)
