"""Where readers stand, and tokens that come back as they were given."""

import base64
from uuid import UUID

import msgspec
import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from steerco_events.positions import PARTITIONS, START, Token, TokenMalformed, advanced, partition_of, reached

partitions = st.integers(0, PARTITIONS - 1)
places = st.integers(1, 2**53)
positions = st.tuples(*[st.integers(0, 50)] * PARTITIONS)
tokens = st.dictionaries(
    st.sampled_from(["intake", "portfolio", "finance"]),
    st.tuples(st.integers(1, 3), st.dictionaries(partitions, places, max_size=4)),
).map(Token)


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


@given(tokens)
def test_a_token_comes_back_from_its_text(token: Token) -> None:
    text = token.encode()
    assert Token.decode(text) == token
    assert text.isascii()
    assert not set(text) & set("=+/ \r\n")


@given(tokens, tokens)
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


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "bm90aGluZw",
        base64.urlsafe_b64encode(msgspec.json.encode({"intake": [1, {"12": 1}]})).decode(),
        base64.urlsafe_b64encode(msgspec.json.encode({"intake": [1, {"-1": 1}]})).decode(),
        base64.urlsafe_b64encode(msgspec.json.encode({"intake": 7})).decode(),
        "ÿ",
    ],
)
def test_a_text_that_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(TokenMalformed):
        Token.decode(text)
