"""A bucket has so many at once, is filled again in time, and costs no memory once it is full."""

import pytest

from steerco_service.edge import buckets
from steerco_service.edge.buckets import Buckets, Rate


class Time:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def ten(time: Time) -> Buckets[str]:
    return Buckets(Rate(per_second=2, at_once=10), time)


def test_it_gives_so_many_at_once_and_then_says_how_long_to_wait(ten: Buckets[str]) -> None:
    assert [ten.take("a") for _ in range(10)] == [0.0] * 10
    assert [ten.take("a") for _ in range(3)] == [0.5] * 3


def test_in_time_it_gives_as_many_as_came(ten: Buckets[str], time: Time) -> None:
    for _ in range(12):
        ten.take("a")
    time.seconds += 1.25
    assert [ten.take("a") for _ in range(3)] == [0.0, 0.0, 0.25]


def test_it_is_never_more_than_full(ten: Buckets[str], time: Time) -> None:
    ten.take("a")
    ten.give_back("a")
    ten.give_back("a")
    time.seconds += 3600
    assert [ten.take("a") for _ in range(11)] == [0.0] * 10 + [0.5]


def test_one_does_not_take_from_another(ten: Buckets[str]) -> None:
    for _ in range(11):
        ten.take("a")
    assert ten.take("b") == 0.0


def test_what_is_given_back_can_be_taken_again(ten: Buckets[str]) -> None:
    for _ in range(100):
        assert ten.take("a") == 0.0
        ten.give_back("a")
    ten.give_back("nobody")
    assert len(ten) == 1


def test_one_that_is_full_again_is_forgotten(ten: Buckets[str], time: Time) -> None:
    for client in range(1000):
        time.seconds += 1
        ten.take(str(client))
    assert len(ten) <= 2


def test_of_very_many_the_one_that_was_used_longest_ago_is_forgotten(
    ten: Buckets[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "MOST_KEPT", 100)
    for client in range(1000):
        ten.take(str(client))
        assert len(ten) <= 100
    for _ in range(9):
        ten.take("999")
    assert (ten.take("999"), ten.take("0")) == (0.5, 0.0)
