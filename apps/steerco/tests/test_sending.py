"""What becomes of steps whose services answer, or do not."""

import json

import httpx
import pytest

from steerco.client import NOTHING_SEEN, Address, Client
from steerco.register_import.sending import Sent, send
from steerco.testkit.registers import found, loaded, planned


def sent(*changed: dict[str, str], silent: str, before: int = 0) -> Sent:
    """Rows that are sent to services one of which does not answer; some rows are there, but for their titles."""

    def answer(request: httpx.Request) -> httpx.Response:
        if silent and request.url.path.startswith(f"/{silent}/"):
            raise httpx.ReadError("cut off")
        taken = {"status": 204, "headers": {"consistency-token": NOTHING_SEEN.encode()}, "body": None}
        return httpx.Response(200, json={"answers": [taken] * len(json.loads(request.content)["commands"])})

    there = loaded(found(*[{"name": "Before"}] * before))
    steps = planned(found(*changed), there).steps
    with httpx.Client(base_url="http://edition", transport=httpx.MockTransport(answer)) as http:
        return send(Client(Address("http://edition", ""), http), steps, lambda _: None)


def test_every_command_that_was_taken_is_counted() -> None:
    whole = sent({}, {}, silent="")
    assert (len(whole.done), whole.taken, whole.lost) == (2, 8, None)
    assert not whole.cut_off


def test_rows_that_only_portfolio_took_are_remembered_and_those_without_figures_are_done() -> None:
    plain = {"budget": "", "benefit": ""}
    half = sent({}, plain, silent="finance")
    assert half.lost
    assert [step.entry.row for step in half.cut_off] == [1]
    assert [step.entry.row for step in half.done] == [2]
    assert half.taken == 4


def test_a_row_of_which_portfolio_has_nothing_to_take_is_not_between_the_services() -> None:
    half = sent({"name": "Before", "budget": "13"}, {}, silent="finance", before=1)
    assert [step.entry.row for step in half.cut_off] == [2]


@pytest.mark.parametrize("rows", [1, 250])
def test_nothing_is_begun_when_portfolio_does_not_answer(rows: int) -> None:
    none = sent(*[{}] * rows, silent="portfolio")
    assert none.lost
    assert (none.done, none.cut_off, none.taken) == ([], [], 0)
