"""The JSON schemas of the events: what is written is valid, and what is out of contract is not."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, ValidationError

from steerco_events.cloudevents import attributes_of
from steerco_events.contracts.catalog import CATALOG
from steerco_events.contracts.finance import ActualCostPosted, BudgetBaselined
from steerco_events.contracts.portfolio import DeliveryConfidenceAssessed
from steerco_events.contracts.values import Figure, Money
from steerco_events.ids import derived_id
from steerco_events.kafka.headers import headers_of
from steerco_events.positions import START, Head
from steerco_events.reference.field_docs import field_docs
from steerco_events.reference.golden import example, least
from steerco_events.reference.schemas import SUFFIX, parts_of, published, schema_of
from steerco_events.registry import EventType, Registry, data_of, event
from steerco_events.testkit.recorded import BEGIN, log_of
from steerco_events.testkit.two_releases import READING, ArrivedV1

EVERY = pytest.mark.parametrize("event_type", list(CATALOG), ids=lambda each: f"{each.name}.v{each.version}")


SHELF = Registry("shelf")


@event(SHELF, "counted")
class Counted:
    """Prices were counted."""

    prices: tuple[Money, ...]
    by_name: dict[str, list[Figure]]


def validator(event_type: EventType) -> Draft202012Validator:
    return Draft202012Validator(schema_of(event_type), format_checker=Draft202012Validator.FORMAT_CHECKER)


POSTED = example(next(each for each in CATALOG if each.payload is ActualCostPosted))


def posted(**others: Any) -> Mapping[str, Any]:
    """The data of a posting, with something else in it."""
    told: dict[str, Any] = msgspec.json.decode(data_of(example(CATALOG.type_of(POSTED))))
    return told | others


@EVERY
def test_a_schema_is_one_of_draft_2020_12_and_bears_the_name_that_events_give(event_type: EventType) -> None:
    schema = schema_of(event_type)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == event_type.schema
    assert schema["title"] == event_type.name
    assert schema["description"].endswith(".")


@EVERY
def test_what_is_told_wholly_or_as_little_as_may_be_is_valid(event_type: EventType) -> None:
    validator(event_type).validate(msgspec.json.decode(data_of(example(event_type))))
    validator(event_type).validate(least(event_type))


@EVERY
def test_without_what_must_be_told_it_is_not_valid(event_type: EventType) -> None:
    told = least(event_type)
    for name in told:
        assert not validator(event_type).is_valid({each: value for each, value in told.items() if each != name})


@EVERY
def test_a_later_field_is_valid(event_type: EventType) -> None:
    validator(event_type).validate(least(event_type) | {"a_later_field": ["of", "any", "shape"]})


@pytest.mark.parametrize("amount", ["0.00", "-1250.50", "999999999999999.99", "7"])
def test_an_amount_is_decimal_text(amount: str) -> None:
    validator(CATALOG.type_of(POSTED)).validate(posted(cost={"amount": amount, "currency": "EUR"}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"cost": {"amount": 1250.5, "currency": "EUR"}},
        {"cost": {"amount": "1E+3", "currency": "EUR"}},
        {"cost": {"amount": "NaN", "currency": "EUR"}},
        {"cost": {"amount": "1,250.50", "currency": "EUR"}},
        {"cost": {"amount": "1000000000000000", "currency": "EUR"}},
        {"cost": {"amount": "1.00", "currency": "Euro"}},
        {"posting_id": "0815"},
        {"incurred_on": "2026-02-30"},
        {"incurred_on": "2026-02-03T00:00:00Z"},
        {"period": "fiscal_year 26"},
        {"project_version": "3"},
        {"source": None},
    ],
    ids=str,
)
def test_a_value_out_of_its_form_is_not_valid(wrong: Mapping[str, Any]) -> None:
    with pytest.raises(ValidationError):
        validator(CATALOG.type_of(POSTED)).validate(posted(**wrong))


def test_a_figure_is_of_one_of_its_kinds() -> None:
    baselined = next(each for each in CATALOG if each.payload is BudgetBaselined)
    told = least(baselined)
    for figure in (Figure.disclosed(Money.parse("1", "EUR")), Figure.undisclosed("Exempt"), Figure.not_stated()):
        validator(baselined).validate(told | {"figure": msgspec.to_builtins(figure)})
    assert not validator(baselined).is_valid(told | {"figure": {"kind": "withheld"}})
    assert not validator(baselined).is_valid(told | {"measure": "revenue"})


def test_fields_are_described_by_the_string_below_them_or_below_the_alias_of_their_type() -> None:
    assert field_docs(BudgetBaselined) == {
        "measure": "What a figure measures. A budget and a forecast of cost are compared; of cost and benefit never.",
        "baseline": "Counts the baselines of the measure in the period, from 1.",
    }
    assert field_docs(DeliveryConfidenceAssessed)["said"] == "The words in a rating's place."
    properties = schema_of(CATALOG.type_of(POSTED))["properties"]
    assert properties["source"]["description"] == "The system or ledger that the document is in."
    assert properties["period"]["description"].startswith("`whole_life`")
    assert schema_of(CATALOG.type_of(POSTED))["$defs"]["Money"]["properties"]["currency"]["description"]


def test_each_version_has_a_schema_of_its_own() -> None:
    first, second = (schema_of(each) for each in READING)
    assert (first["$id"], second["$id"]) == ("urn:steerco:dock:arrived:1", "urn:steerco:dock:arrived:2")
    assert first["title"] == second["title"] == "steerco.dock.arrived"
    assert second["properties"]["berth"]["default"] is None
    assert second["required"] == ["ship", "kilograms"]


def test_instants_have_their_format_and_paragraphs_their_lines() -> None:
    whole, parts = parts_of(Head, "{name}")
    assert whole["properties"]["watermark"]["format"] == "date-time"
    assert "\n    " not in whole["description"]
    assert set(parts) == {"SignedHead"}


def test_values_in_lists_and_maps_are_described_too() -> None:
    (counted,) = SHELF
    schema = schema_of(counted)
    assert set(schema["$defs"]) == {"Money", "Figure"}
    assert schema["$defs"]["Figure"]["properties"]["money"]["description"] == "The amount, if it is disclosed."


def test_the_envelopes_schemas_are_of_what_is_sent() -> None:
    (bare,) = log_of([[("ship-a", ArrivedV1(ship="Anna", tonnes=7))]], "dock", READING)
    full = replace(
        bare,
        traceparent=f"00-{1:032x}-{2:016x}-01",
        reason="Why",
        org_units=(derived_id("unit", 1),),
        valid_at=BEGIN,
        on_behalf_of=derived_id("person", 1),
    )
    head = msgspec.json.decode(msgspec.json.encode(Head(began=(0,), positions=START, watermark=BEGIN)))
    sent = {
        "attributes": (attributes_of(bare), attributes_of(full)),
        "kafka-headers": tuple({name: value.decode() for name, value in headers_of(each)} for each in (bare, full)),
        "head": ({name: head[name] for name in ("began", "positions", "watermark")}, head),
    }
    for name, (least_told, most_told) in sent.items():
        schema = published(READING)[f"{name}{SUFFIX}"]
        Draft202012Validator.check_schema(schema)
        for told in (least_told, most_told):
            Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(told)
        assert set(schema["properties"]) == set(most_told)
        assert set(schema["required"]) == set(least_told)
