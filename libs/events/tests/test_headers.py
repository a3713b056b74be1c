"""An event survives its way through Kafka's headers, and these and its JSON form are those of CloudEvents."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steerco_events.cloudevents import instant, json_of
from steerco_events.envelope import Actor, Recorded
from steerco_events.ids import derived_id
from steerco_events.kafka.headers import event_of, headers_of, position_of
from steerco_events.positions import partition_of
from steerco_events.testkit.recorded import BEGIN, log_of
from steerco_events.testkit.tally import TALLY, Counted, Labeled

(PLAIN,) = log_of([[("tally-1", Counted(by=7))]])
CENTURY = timedelta(days=36525)
UNITS = (derived_id("unit", 1), derived_id("unit", 2))

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]))
said = words.filter(bool)
instants = st.timedeltas(-CENTURY, CENTURY).map(lambda since: BEGIN + since)
payloads = st.one_of(st.builds(Counted, by=st.integers(-(2**60), 2**60)), st.builds(Labeled, label=words))


@st.composite
def events(draw: st.DrawFn) -> Recorded:
    """Any event that a log could hold."""
    payload, stream = draw(payloads), draw(said)
    event_type = TALLY.type_of(payload)
    return Recorded(
        id=draw(st.uuids()),
        service=draw(st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)),
        type=event_type.name,
        schema_version=event_type.version,
        stream=stream,
        stream_version=draw(st.integers(1, 2**31 - 1)),
        partition=partition_of(stream),
        position=draw(st.integers(1, 2**63 - 1)),
        generation=draw(st.integers(1, 2**31 - 1)),
        recorded_at=draw(instants),
        sealed_at=draw(instants),
        valid_at=draw(st.none() | instants),
        actor=Actor(draw(st.uuids()), draw(words)),
        client=draw(words),
        reason=draw(st.none() | words),
        correlation_id=draw(st.uuids()),
        causation_id=draw(st.uuids()),
        traceparent=draw(st.none() | said),
        org_units=tuple(draw(st.lists(st.uuids(), max_size=3))),
        data=TALLY.encode(payload),
        registry=TALLY,
        on_behalf_of=draw(st.none() | st.uuids()),
    )


def back(event: Recorded) -> Recorded:
    return event_of(headers_of(event), event.data, event.partition, event.service, event.registry)


@given(events())
def test_an_event_comes_back_as_it_was(event: Recorded) -> None:
    assert back(event) == event
    assert back(event).payload == event.payload


@given(events())
def test_the_position_is_read_without_the_rest(event: Recorded) -> None:
    assert position_of(headers_of(event)) == (event.generation, event.position)


def test_the_headers_are_those_of_cloudevents_in_binary_mode() -> None:
    event = replace(
        PLAIN,
        reason="Überprüft",
        valid_at=datetime(2026, 1, 31, 23, 30, tzinfo=UTC),
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        org_units=UNITS,
        on_behalf_of=UNITS[0],
    )
    assert dict(headers_of(event)) == {
        "ce_specversion": b"1.0",
        "ce_id": str(event.id).encode(),
        "ce_source": b"urn:steerco:tally",
        "ce_type": b"steerco.tally.counted",
        "ce_subject": b"tally-1",
        "ce_time": b"2026-03-02T12:00:00.000000Z",
        "ce_dataschema": b"urn:steerco:tally:counted:1",
        "content-type": b"application/json",
        "ce_partitionkey": b"tally-1",
        "ce_sequence": b"00000000000000000001",
        "ce_correlationid": str(event.correlation_id).encode(),
        "ce_causationid": str(event.causation_id).encode(),
        "ce_traceparent": b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "ce_streamversion": b"1",
        "ce_loggeneration": b"1",
        "ce_orgunits": ",".join(map(str, UNITS)).encode(),
        "ce_sealedat": b"2026-03-02T12:00:00.000000Z",
        "ce_actor": f"{event.actor.id} PMO officer".encode(),
        "ce_client": b"tests",
        "ce_reason": "Überprüft".encode(),
        "ce_validat": b"2026-01-31T23:30:00.000000Z",
        "ce_onbehalfof": str(UNITS[0]).encode(),
    }


@given(events())
def test_the_json_form_has_the_headers_as_attributes_and_the_data_byte_for_byte(event: Recorded) -> None:
    attributes = {
        name.removeprefix("ce_").replace("content-type", "datacontenttype"): value.decode()
        for name, value in headers_of(event)
    }
    assert msgspec.json.decode(json_of(event)) == attributes | {"data": msgspec.json.decode(event.data)}
    assert json_of(event).endswith(b',"data":' + event.data + b"}")


@given(events())
def test_an_event_in_json_is_one_line_and_may_say_more(event: Recorded) -> None:
    assert not set(b"\r\n") & set(json_of(event))
    said = msgspec.json.decode(json_of(event, {"withheld": "name"}))
    assert said == msgspec.json.decode(json_of(event)) | {"withheld": "name"}


def test_what_an_event_does_not_have_is_no_header() -> None:
    absent = {"ce_reason", "ce_validat", "ce_traceparent", "ce_orgunits", "ce_onbehalfof"}
    assert absent.isdisjoint(name for name, _ in headers_of(PLAIN))


@given(st.integers(1, 2**63 - 1), st.integers(1, 2**63 - 1))
def test_sequences_sort_as_text_like_the_positions(one: int, other: int) -> None:
    def sequence(position: int) -> bytes:
        return dict(headers_of(replace(PLAIN, position=position)))["ce_sequence"]

    assert (sequence(one) < sequence(other)) == (one < other)


def test_an_instant_is_written_in_utc() -> None:
    summer = timezone(timedelta(hours=2))
    assert instant(datetime(2026, 7, 1, 1, 30, tzinfo=summer)) == "2026-06-30T23:30:00.000000Z"


@pytest.mark.parametrize("lost", ["ce_id", "ce_type", "ce_subject", "ce_sequence", "ce_dataschema", "ce_actor"])
def test_a_record_without_what_every_event_has_is_none(lost: str) -> None:
    headers = [(name, value) for name, value in headers_of(PLAIN) if name != lost]
    with pytest.raises(KeyError):
        event_of(headers, PLAIN.data, PLAIN.partition, PLAIN.service, TALLY)


@pytest.mark.parametrize(
    ("name", "value"), [("ce_id", b"1"), ("ce_sequence", b"first"), ("ce_time", b"noon"), ("ce_actor", b"Ada")]
)
def test_a_record_with_a_malformed_attribute_is_none(name: str, value: bytes) -> None:
    headers = [*((each, found) for each, found in headers_of(PLAIN) if each != name), (name, value)]
    with pytest.raises(ValueError, match=r".+"):
        event_of(headers, PLAIN.data, PLAIN.partition, PLAIN.service, TALLY)
