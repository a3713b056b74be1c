"""Where readers stand, and tokens that come back as they were given."""

import base64
from itertools import count
from uuid import UUID

import msgspec
import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from steerco_events.positions import (
    MOST_STREAMS,
    PARTITIONS,
    START,
    Token,
    TokenMalformed,
    advanced,
    partition_of,
    reached,
)

partitions = st.integers(0, PARTITIONS - 1)
places = st.integers(1, 2**53)
positions = st.tuples(*[st.integers(0, 50)] * PARTITIONS)
streams = st.integers(0, 200).map(lambda n: f"project-{n}")
SERVICES = ("intake", "portfolio", "finance", "risk", "training", "reporting", "automation")


@st.composite
def tokens(draw: st.DrawFn) -> Token:
    """What commands answer with, merged."""
    seen = st.tuples(st.sampled_from(SERVICES[:3]), st.integers(1, 3), st.dictionaries(streams, places, max_size=40))
    token = Token()
    for service, generation, positions in draw(st.lists(seen, max_size=4)):
        token = token.merged(Token.of(service, generation, positions))
    return token


@pytest.mark.parametrize(
    ("stream", "partition"), [("organization", 5), ("project-code-GMPP", 6), (f"budget-{UUID(int=0)}", 10)]
)
def test_the_partition_of_a_stream_never_changes(stream: str, partition: int) -> None:
    assert partition_of(stream) == partition


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_stream_is_in_the_partition_that_kafka_would_choose(stream: str) -> None:
    every = list(range(PARTITIONS))
    assert partition_of(stream) == DefaultPartitioner()(stream.encode(), every, every)


@given(positions, st.lists(st.tuples(partitions, places)))
def test_a_reader_that_advanced_has_reached_what_it_saw_and_goes_back_nowhere(
    before: tuple[int, ...], seen: list[tuple[int, int]]
) -> None:
    after = advanced(before, seen)
    assert reached(after, before)
    assert all(after[partition] >= position for partition, position in seen)
    assert set(after) <= {*before, *(position for _, position in seen)}


@given(positions, positions)
def test_a_reader_has_reached_a_target_when_no_partition_is_behind(
    have: tuple[int, ...], want: tuple[int, ...]
) -> None:
    behind = [partition for partition in range(PARTITIONS) if have[partition] < want[partition]]
    assert reached(have, want) == (behind == [])


@given(tokens())
def test_a_token_comes_back_from_its_text(token: Token) -> None:
    text = token.encode()
    assert Token.decode(text) == token
    assert text.isascii()
    assert not set(text) & set("=+/ \r\n")


@given(tokens(), tokens())
def test_a_merged_token_covers_both_of_a_generation_and_the_newer_of_two(one: Token, other: Token) -> None:
    merged = one.merged(other)
    assert merged == other.merged(one)
    for service in one.seen.keys() | other.seen.keys():
        targets = [one.target(service), other.target(service)]
        generation, target = merged.target(service)
        assert generation == max(each for each, _ in targets)
        assert all(reached(target, want) for each, want in targets if each == generation)


def test_a_token_asks_nothing_of_a_service_that_it_does_not_name() -> None:
    assert Token({"intake": (1, {3: 8})}).target("finance") == (0, START)


@given(st.lists(st.tuples(st.dictionaries(streams, places), st.dictionaries(streams, places)), max_size=3))
def test_a_merged_token_covers_every_event_that_one_of_them_was_given_for(
    parts: list[tuple[dict[str, int], dict[str, int]]],
) -> None:
    token = Token()
    for mine, theirs in parts:
        token = token.merged(Token.of("intake", 1, mine)).merged(Token.of("intake", 1, theirs))
    given_for = [(stream, at) for part in parts for positions in part for stream, at in positions.items()]
    assert all(token.covers("intake", stream, at) for stream, at in given_for)


def test_a_token_tells_the_streams_of_one_partition_apart() -> None:
    mine = "project-1"
    other = next(name for n in count(2) if partition_of(name := f"project-{n}") == partition_of(mine))
    token = Token.of("intake", 1, {mine: 50})
    assert token.covers("intake", mine, 50)
    assert not token.covers("intake", mine, 51)
    assert not token.covers("intake", other, 1)
    assert not token.covers("finance", mine, 1)


def test_of_too_many_streams_the_oldest_are_covered_by_their_partitions() -> None:
    names = [f"project-{n}" for n in range(1000)]
    token = Token.of("intake", 1, {name: n + 1 for n, name in enumerate(names)})
    assert len(token.seen["intake"][1]) == MOST_STREAMS + PARTITIONS
    assert all(token.covers("intake", name, n + 1) for n, name in enumerate(names))
    assert not any(token.covers("intake", name, n + 2) for n, name in enumerate(names[-MOST_STREAMS:], 1000))
    assert token.target("intake")[1] == advanced(START, ((partition_of(name), n + 1) for n, name in enumerate(names)))


def test_a_token_that_covers_as_much_as_can_be_fits_into_a_header() -> None:
    token = Token()
    for service in SERVICES:
        for base in range(3):
            positions = {f"project-{base}-{n}": 2**40 + n for n in range(1000)}
            token = token.merged(Token.of(service, 2**31 - 1, positions))
    assert len(token.encode()) < 4096


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(value)).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "bm90aGluZw",
        packed({"intake": [0, {}]}),
        packed({"intake": [1, {-1: 1}]}),
        packed({"intake": [1, {2**31: 1}]}),
        packed({"intake": [1, {7: -1}]}),
        packed({"intake": [1, {7: 2**63}]}),
        packed({"intake": [1, {"7": 1}]}),
        packed({"intake": 7}),
        packed({"x" * 101: [1, {}]}),
        packed({"intake": [1, {7: 1}]}) + "!",
        base64.urlsafe_b64encode(msgspec.json.encode({"intake": [1, {"3": 1}]})).decode(),
        "ÿ",
    ],
)
def test_a_text_that_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(TokenMalformed):
        Token.decode(text)
