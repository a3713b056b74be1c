"""What `steerco rebuild` says while a build is made, and when it will not go live by itself."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import httpx
import pytest
import typer

from steerco.client import Address, Client, CommandFailed
from steerco.commands.rebuild import rebuild, until_live, way_left
from steerco_service.views import BuildState, Progress, ViewState, Way

HERE = Address("http://127.0.0.1:1", "token")
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
ASKED = {"portfolio_register": "/reporting/views/portfolio_register"}


def way(applied: int, *, rate: float | None = 500.0, doing: str | None = None, waits_for: str | None = None) -> Way:
    return Way(
        applied=applied,
        goal=1000,
        percentage=applied / 10,
        rate=rate,
        seconds_left=(1000 - applied) / rate if rate else None,
        began_at=AT,
        doing=doing,
        waits_for=waits_for,
    )


def build(number: int, state: str, how_far: Way | None = None) -> BuildState:
    progress = [Progress(service=service, generation=1, position=500, watermark=AT) for service in ("finance", "risk")]
    return BuildState(build=number, state=state, live_at=AT, progress=progress, way=how_far)


class Answers:
    """An edition that answers with these states, one after the other, and then is interrupted."""

    def __init__(self, *states: Sequence[BuildState]) -> None:
        self._states = iter(states)

    def __call__(self, _: httpx.Request) -> httpx.Response:
        builds = next(self._states, None)
        if builds is None:
            raise KeyboardInterrupt
        state = ViewState(view="portfolio_register", version=1, builds=list(builds))
        return httpx.Response(200, json=state.model_dump(mode="json"))


def waited(*states: Sequence[BuildState]) -> None:
    with httpx.Client(base_url=HERE.url, transport=httpx.MockTransport(Answers(*states))) as http:
        until_live(Client(HERE, http), ASKED, {"portfolio_register": 2})


def printed(capsys: pytest.CaptureFixture[str]) -> Iterator[str]:
    return iter(capsys.readouterr().out.splitlines())


def test_a_build_that_goes_live_is_told_with_what_it_is_made_of(capsys: pytest.CaptureFixture[str]) -> None:
    waited([build(1, "live"), build(2, "building", way(10))], [build(2, "live")])
    (line,) = printed(capsys)
    assert line.startswith("portfolio_register: build 2 is live, made of 1,000 positions, after ")


def test_who_interrupts_is_told_that_the_rebuild_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as exit_:
        waited([build(1, "live"), build(2, "building", way(10))])
    assert exit_.value.exit_code == 130
    (line,) = printed(capsys)
    assert line == (
        "portfolio_register: the rebuild goes on; `steerco rebuild portfolio_register` joins it, --cancel gives it up"
    )


def test_a_build_that_waits_for_a_decision_is_not_waited_for() -> None:
    waits = way(1000, waits_for="2 streams are parked that the live build has, such as budget-1 of finance")
    with pytest.raises(CommandFailed, match=r"2 streams are parked that .* --accept-parked"):
        waited([build(1, "live"), build(2, "building", waits)])


def test_a_build_that_somebody_gave_up_is_not_waited_for() -> None:
    with pytest.raises(CommandFailed, match="build 2 was given up"):
        waited([build(1, "live"), build(2, "building", way(10))], [build(1, "live")])


@pytest.mark.parametrize(
    ("how_far", "expected"),
    [
        (way(400), "500 events/s, 0:00:01 left"),
        (way(400, rate=None), ""),
        (way(1000, doing="makes the indexes"), "makes the indexes"),
        (way(0, rate=None).model_copy(update={"began_at": None}), "waits for a worker"),
        (way(0, rate=0.0), "0 events/s"),
    ],
)
def test_what_is_left_is_said_in_a_few_words(how_far: Way, expected: str) -> None:
    assert way_left(how_far.model_dump(mode="json")) == expected


def test_two_things_at_once_are_not_asked(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        rebuild(["portfolio_register"], rollback=True, cancel=True)
    assert "one at a time" in capsys.readouterr().err
