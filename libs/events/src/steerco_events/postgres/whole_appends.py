"""Where a seal may end: what one append wrote is sealed together."""

from collections.abc import Sequence

MOST_AT_ONCE = 20_000
"""Events of one seal, unless one append has more."""


def whole_appends(appends: Sequence[tuple[int, int, int, int]], sealed: int, safe: int) -> int:
    """The position up to which to seal: at most `safe`, and in the midst of no append.

    `appends`: what is not sealed, as (append, first position, last position, number of events), an append once per
    partition. The result is `sealed` when nothing whole lies below `safe`; it is cut short after `MOST_AT_ONCE`.
    """
    spans: dict[int, tuple[int, int, int]] = {}
    for append, first, last, events in appends:
        before = spans.get(append, (first, last, 0))
        spans[append] = min(first, before[0]), max(last, before[1]), before[2] + events
    end, reach, count = sealed, sealed, 0
    for first, last, events in sorted(spans.values()):
        if first > reach and reach <= safe:
            end = reach
            if count >= MOST_AT_ONCE:
                return end
        if first > safe:
            break
        reach, count = max(reach, last), count + events
    return safe if reach <= safe else end
