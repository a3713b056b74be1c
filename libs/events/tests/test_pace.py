"""How fast a build is made."""

from steerco_events.projections.pace import Pace


def test_a_rate_needs_two_looks() -> None:
    pace = Pace()
    assert pace.rate(0) is None
    rate = pace.rate(1000)
    assert rate
    assert rate > 0
