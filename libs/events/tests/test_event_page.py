"""The page of events tells each version: how it is used, its fields, and one of it."""

from steerco_events.reference.event_page import event_page
from steerco_events.reference.samples import samples
from steerco_events.testkit.recorded import log_of
from steerco_events.testkit.two_releases import READING, WRITING, Arrived


def test_each_version_has_its_section_with_how_it_is_used() -> None:
    reading, writing = (event_page({}, [registry]) for registry in (READING, WRITING))
    assert "### arrived, version 1\n" in reading
    assert "### arrived\n" in reading
    assert "`steerco.dock.arrived`, version 1. Published by dock." in reading
    assert "`steerco.dock.arrived`, version 2: read by this release, written by the next." in reading
    assert "`steerco.dock.arrived`, version 1: written by earlier releases." in writing
    assert "`steerco.dock.arrived`, version 2. Published by dock." in writing
    assert "(schemas/steerco.dock.arrived.v2.schema.json)" in reading


def test_fields_are_told_with_their_type_and_meaning() -> None:
    page = event_page({}, [READING])
    assert "| `kilograms` | integer | yes | What it carries. |" in page
    assert "| `berth` | text or null |  |  |" in page


def test_a_sample_is_shown_as_the_feed_gives_it_and_names_its_stream() -> None:
    (chosen,) = samples({"dock": log_of([[("ship-a", Arrived(ship="Anna", kilograms=7))]], "dock", READING)})
    page = event_page({chosen["dataschema"]: chosen}, [READING])
    assert "Published by dock on the stream `ship-<name>`." in page
    assert '"specversion": "1.0"' in page
    assert '"ship": "Anna"' in page
    assert "Its data, with every field told" in page


def test_the_sample_of_an_event_is_the_one_that_tells_most() -> None:
    seals = [
        [("ship-a", Arrived(ship="Anna", kilograms=7))],
        [("ship-b", Arrived(ship="Bert", kilograms=8, berth="3"))],
    ]
    (chosen,) = samples({"dock": log_of(seals, "dock", READING)})
    assert chosen["data"]["ship"] == "Bert"
