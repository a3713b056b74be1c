"""Where a seal ends: never in the midst of an append, and never beyond what is settled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steerco_events.postgres import whole_appends as ends
from steerco_events.postgres.whole_appends import whole_appends


def spans(appends: dict[int, int]) -> list[tuple[int, int, int, int]]:
    """(append, first, last, events) of positions that are said to belong to appends."""
    return [
        (append, min(own), max(own), len(own))
        for append in set(appends.values())
        if (own := [position for position, each in appends.items() if each == append])
    ]


def is_whole(appends: dict[int, int], end: int) -> bool:
    before = {append for position, append in appends.items() if position <= end}
    after = {append for position, append in appends.items() if position > end}
    return not before & after


@given(
    drawn=st.lists(st.integers(0, 5) | st.none(), max_size=12),
    safe=st.integers(0, 14),
)
def test_the_seal_is_the_longest_that_is_settled_and_cuts_no_append(drawn: list[int | None], safe: int) -> None:
    appends = {position: append for position, append in enumerate(drawn, 1) if append is not None}
    end = whole_appends(spans(appends), 0, safe)
    assert end <= safe
    assert is_whole(appends, end)
    for longer in range(end + 1, safe + 1):
        seals_more = any(end < position <= longer for position in appends)
        assert not (seals_more and is_whole(appends, longer))


def test_a_seal_goes_on_to_what_is_settled_over_positions_that_were_drawn_in_vain() -> None:
    assert whole_appends([(1, 1, 2, 2)], 0, 9) == 9


def test_an_append_that_reaches_beyond_what_is_settled_waits_as_a_whole() -> None:
    assert whole_appends([(1, 1, 2, 2), (2, 3, 6, 2), (3, 4, 4, 1)], 0, 5) == 2


def test_one_append_counts_once_over_its_partitions() -> None:
    assert whole_appends([(1, 1, 1, 1), (1, 2, 2, 1), (2, 3, 3, 1)], 0, 1) == 0


def test_a_long_backlog_is_sealed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "MOST_AT_ONCE", 3)
    assert whole_appends([(n, n, n, 1) for n in range(1, 10)], 0, 9) == 3
