"""Where a client finds an edition, and how it says what went wrong."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from steerco.client import Address, Client, CommandFailed, Patient, address, problem_in, problem_of, segment
from steerco.commands.move import project_named

HERE = Address("http://127.0.0.1:1", "token")


@pytest.mark.parametrize(
    ("url", "token", "expected"),
    [
        ("http://127.0.0.1:8080", "schlüssel", "the token"),
        ("http://127.0.0.1:8080", "two\nlines", "the token"),
        ("127.0.0.1:8080", "token", "no address"),
        ("http://", "token", "no address"),
        ("http://[::1", "token", "no address"),
        ("http://127.0.0.1:99999", "token", "no address"),
        ("ftp://127.0.0.1", "token", "no address"),
    ],
)
def test_an_address_or_a_token_that_is_none_is_one_line(
    url: str, token: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEERCO_URL", url)
    monkeypatch.setenv("STEERCO_TOKEN", token)
    with pytest.raises(CommandFailed, match=expected):
        address()


@pytest.mark.parametrize("content", ["[]", "5", "null", "{", '{"url": "http://x"}', '{"url": 5, "token": "t"}'])
def test_a_run_file_that_says_nothing_is_one_line(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run.json").write_text(content)
    monkeypatch.delenv("STEERCO_URL", raising=False)
    monkeypatch.setenv("STEERCO_DATA_DIR", str(tmp_path))
    with pytest.raises(CommandFailed, match=r"run\.json"):
        address()


@pytest.mark.parametrize("name", ["../portfolio", "INV-27?x=1", "A/../B", "..", "a#b", "50%", "\udcff"])
def test_a_name_stays_one_part_of_the_path(name: str) -> None:
    url = httpx.Client(base_url="http://edition/base")._merge_url(f"/stories/{segment(name)}")
    assert url.raw_path.startswith(b"/base/stories/")
    assert (url.raw_path.count(b"/"), url.query, url.fragment) == (3, b"", "")


def said(problem: Mapping[str, Any]) -> str:
    return problem_of(httpx.Response(409, json=problem, request=httpx.Request("POST", "http://edition/x")))


def test_a_problem_says_each_thing_once() -> None:
    closed = "the unit ZZZ was closed"
    assert said({"detail": closed, "errors": [{"pointer": "/unit_id", "detail": closed}]}) == closed
    both = [{"pointer": "/a", "detail": "is needed"}, {"pointer": "/b", "detail": "is needed"}]
    assert said({"detail": "/a: is needed", "errors": both}) == "/a: is needed; /b: is needed"


ASKED = f"00-{'a' * 32}-{'b' * 16}-01"
TOLD = {"traceresponse": f"00-{'c' * 32}-{'d' * 16}-01"}


@pytest.mark.parametrize(("headers", "trace"), [(TOLD, "c" * 32), ({}, "a" * 32)], ids=["service", "gateway"])
def test_a_problem_names_its_trace_whoever_answers(headers: Mapping[str, str], trace: str) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(502, text="bad gateway", headers=headers)

    with pytest.raises(CommandFailed, match=rf" 502 \(trace {trace}\)$"):
        asked_by(httpx.MockTransport(answer))


@pytest.mark.parametrize("error", [httpx.ReadTimeout, httpx.ConnectError])
def test_an_edition_that_does_not_answer_is_named_with_the_trace_it_was_asked_in(
    error: type[httpx.TransportError],
) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error("")

    with pytest.raises(CommandFailed, match=rf"\({error.__name__}\); does it still run\? \(trace {'a' * 32}\)$"):
        asked_by(httpx.MockTransport(fail))


def asked_by(transport: httpx.MockTransport) -> None:
    with httpx.Client(base_url=HERE.url, headers={"traceparent": ASKED}, transport=transport) as http:
        Client(HERE, http).command("POST", "/intake/pitches", {})


def test_a_problem_inside_an_answer_names_its_trace() -> None:
    assert problem_in({"detail": "there is none", "trace_id": "a" * 32}) == f"there is none (trace {'a' * 32})"
    assert problem_in("not even a problem") == "not even a problem"


def test_a_code_that_looks_like_an_id_is_found() -> None:
    code = str(UUID(int=7))

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.params.get("code") == code:
            return httpx.Response(200, json=[{"code": code}])
        return httpx.Response(404, json={"detail": "there is no such project"})

    with httpx.Client(base_url=HERE.url, transport=httpx.MockTransport(answer)) as http:
        assert project_named(Client(HERE, http), code) == {"code": code}


@pytest.mark.parametrize("status", [429, 503])
def test_a_client_asks_again_when_a_service_says_there_is_room(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [httpx.Response(status, headers={"Retry-After": "7"}), httpx.Response(200)]
    waited: list[int] = []
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda *_: answers.pop(0))
    monkeypatch.setattr("steerco.client.time.sleep", waited.append)
    assert Patient().handle_request(httpx.Request("POST", HERE.url)).status_code == 200
    assert waited == [7]


@pytest.mark.parametrize(
    ("date", "at"),
    [
        ({"Date": "Tue, 24 Nov 2026 10:00:00 GMT"}, datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ({"Date": "Tue, 24 Nov 2026 10:00:00 -0000"}, None),
        ({"Date": "this morning"}, None),
        ({}, None),
    ],
)
def test_the_clock_of_a_service_is_what_its_answer_says_if_it_can_be_read(
    date: Mapping[str, str], at: datetime | None
) -> None:
    with httpx.Client(
        base_url=HERE.url, transport=httpx.MockTransport(lambda _: httpx.Response(204, headers=date))
    ) as http:
        assert Client(HERE, http).clock("risk") == at
