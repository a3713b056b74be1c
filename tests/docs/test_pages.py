"""The pages of the documentation hang together: every link leads somewhere, and what is generated is up to date."""

import re
from pathlib import Path

import pytest

from steerco.reference.kafka_table import kafka_table
from steerco.reference.metrics_page import metrics_page
from steerco.reference.permission_page import permission_page
from steerco.reference.settings_page import settings_page
from steerco_events.reference.asyncapi import document
from steerco_events.reference.event_page import event_page
from steerco_events.reference.samples import read
from steerco_events.reference.schemas import published, text_of
from steerco_events.reference.yaml_text import yaml_text

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as links have them."""
    words = (re.sub(r"[^\w\s-]", "", heading.lower()) for heading in _HEADING.findall(page.read_text()))
    return {re.sub(r"\s", "-", each.strip()) for each in words}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_page_of_ours_leads_there(page: Path) -> None:
    for link in _LINK.findall(page.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}"


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.name)
def test_every_page_is_reached_from_the_index(page: Path) -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in _LINK.findall(index.read_text())}
    adr = ROOT / "docs" / "adr" / "README.md"
    linked |= {(adr.parent / link.partition("#")[0]).resolve() for link in _LINK.findall(adr.read_text())}
    assert page in linked | {index}


def test_the_page_of_events_is_what_the_contracts_say() -> None:
    """After an intended change: `make docs`."""
    assert (REFERENCE / "events.md").read_text() == event_page(read(REFERENCE / "samples.json"))


def test_the_page_of_permissions_is_what_the_table_and_the_routes_say() -> None:
    """After an intended change: `make docs`."""
    assert (REFERENCE / "permissions.md").read_text() == permission_page()


def test_the_page_of_settings_is_what_the_code_has() -> None:
    """After an intended change: `make docs`."""
    assert (REFERENCE / "settings.md").read_text() == settings_page()


def test_the_table_of_kafka_s_users_is_what_the_services_need() -> None:
    """After an intended change: `make docs`."""
    assert kafka_table() in (ROOT / "docs" / "how-to" / "secure-kafka.md").read_text()


def test_the_page_of_metrics_is_what_the_code_has() -> None:
    """After an intended change: `make docs`."""
    assert (REFERENCE / "metrics.md").read_text() == metrics_page()


def test_the_asyncapi_document_is_what_the_contracts_say() -> None:
    """After an intended change: `make docs`."""
    told = document(samples=read(REFERENCE / "samples.json"))
    assert (REFERENCE / "asyncapi.yaml").read_text() == yaml_text(told)


def test_the_schemas_are_what_the_contracts_say() -> None:
    """After an intended change: `make docs`."""
    files = {path.name: path.read_text() for path in (REFERENCE / "schemas").iterdir()}
    assert files == {name: text_of(schema) for name, schema in published().items()}
