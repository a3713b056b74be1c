"""While a build is made in bulk, garbage is collected rarely."""

import gc

from steerco_events.projections.garbage import RARELY, rarely_collected


def test_garbage_is_collected_as_usual_when_the_last_has_left() -> None:
    usual = gc.get_threshold()
    with rarely_collected():
        with rarely_collected():
            assert gc.get_threshold()[0] == RARELY
        assert gc.get_threshold()[0] == RARELY
    assert gc.get_threshold() == usual
