"""Where an edition runs, and speaking to it: addresses, the token, problems as one clear line."""

import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from steerco.login import LoginFailed, kept_login
from steerco.traces.last import new_trace, remember, trace_id_of
from steerco.views import EVERY_SERVICE
from steerco_events.positions import Token
from steerco_service.headers import CONSISTENCY_TOKEN

NOTHING_SEEN = Token()
TIMEOUT_SECONDS = 120.0
PATIENCE_SECONDS = 60.0
WAITED_FOR = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)
LAST_PORT = 65535
_TRACERESPONSE = re.compile("[0-9a-f]{2}-([0-9a-f]{32})-")


class CommandFailed(Exception):
    """A command can't go on; the text says why in one line. `code` is its exit status."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def data_directory(name: str = "steerco") -> Path:
    """Where an edition keeps its data by default: in `$XDG_DATA_HOME`, else in `~/.local/share`."""
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / name


def local_directory() -> Path:
    """Where the local edition keeps its data: `STEERCO_DATA_DIR`, else the default."""
    return Path(os.environ.get("STEERCO_DATA_DIR") or data_directory())


@dataclass(frozen=True, slots=True)
class Address:
    """Where an edition is, and who we are there."""

    url: str
    token: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {"Authorization": f"Bearer {self.token}"}


def address() -> Address:
    """`STEERCO_URL` and `STEERCO_TOKEN`, else where we are logged in, else the running local edition.

    An edition in a `STEERCO_DATA_DIR` goes before a login. Raises `CommandFailed`.
    """
    url = os.environ.get("STEERCO_URL")
    if url:
        token = os.environ.get("STEERCO_TOKEN")
        if not token:
            raise CommandFailed("STEERCO_URL is set but STEERCO_TOKEN is not")
        if fault := _fault_of(url, token):
            raise CommandFailed(fault)
        return Address(url.rstrip("/"), token)
    if (at := _logged_in()) is not None:
        return at
    directory = local_directory()
    try:
        run = json.loads((directory / "run.json").read_text())
        url, token = str(run["url"]), str(run["token"])
    except FileNotFoundError:
        raise CommandFailed(
            f"no edition runs in {directory}; start one with `steerco up`, or set STEERCO_URL and STEERCO_TOKEN"
        ) from None
    except (OSError, ValueError) as error:
        raise CommandFailed(f"{directory / 'run.json'} can't be read: {error}") from error
    except (KeyError, TypeError) as error:
        raise CommandFailed(f"{directory / 'run.json'} does not say where an edition runs") from error
    if fault := _fault_of(url, token):
        raise CommandFailed(f"{directory / 'run.json'}: {fault}")
    return Address(url, token)


def _logged_in() -> Address | None:
    if os.environ.get("STEERCO_DATA_DIR"):
        return None
    try:
        kept = kept_login()
    except LoginFailed as error:
        raise CommandFailed(str(error)) from error
    return Address(kept.url, kept.access_token) if kept else None


def _fault_of(url: str, token: str) -> str | None:
    """Why nothing can be asked there with that token."""
    try:
        parsed = httpx.URL(url)
        if parsed.scheme not in ("http", "https") or not parsed.host or not 0 < (parsed.port or 80) <= LAST_PORT:
            return f"{url!r} is no address of an edition; one is http://127.0.0.1:8080"
    except httpx.InvalidURL as error:
        return f"{url!r} is no address of an edition: {error}"
    if not (token.isascii() and token.isprintable()):
        return "the token holds characters that no token has"
    return None


def segment(name: str) -> str:
    """A name as one part of a path, whatever is in it: `A/../B` as `A%2F%2E%2E%2FB`."""
    return quote(name, safe="", errors="surrogateescape").replace(".", "%2E")


class NotThere(CommandFailed):
    """What was asked for is not there."""


class Client:
    """Requests to one edition; what goes wrong is a `CommandFailed`."""

    def __init__(self, at: Address, http: httpx.Client, trace_id: str = "") -> None:
        """`trace_id` is the trace of all that it sends."""
        self.at = at
        self._http = http
        self._trace_id = trace_id

    def get(self, path: str, params: Mapping[str, str | None] | None = None, after: Token = NOTHING_SEEN) -> Any:
        """The answer to a question, once what `after` covers is in it."""
        given = {name: value for name, value in (params or {}).items() if value is not None}
        answer = self._send("GET", path, params=given, headers=_seen(after))
        try:
            return answer.json()
        except ValueError:
            raise CommandFailed(f"GET {path} was answered with what is no JSON: is a gateway in the way?") from None

    def services(self) -> Sequence[str]:
        """The services that are there, well or not. Raises `CommandFailed` if there is none."""
        asked = {service: self._asked("GET", f"/{service}/livez") for service in EVERY_SERVICE}
        found = [service for service, answer in asked.items() if answer.status_code != httpx.codes.NOT_FOUND]
        if not found:
            raise CommandFailed(f"there is no service at {self.at.url}: is that where the edition is?")
        return found

    def clock(self, service: str) -> datetime | None:
        """What time a service says that it is, to the second, if it does."""
        try:
            said = parsedate_to_datetime(self._asked("GET", f"/{service}/livez").headers.get("Date", ""))
        except ValueError:
            return None
        return said if said.tzinfo else None

    def pages(self, path: str, **params: str | Sequence[str]) -> Iterator[Any]:
        """Every item of a list, page by page; a page that leads to itself is the last."""
        answer = self._send("GET", path, params=params | {"limit": "500"})
        asked = None
        while True:
            yield from answer.json()
            following = answer.links.get("next", {}).get("url")
            if not following or following == asked:
                return
            answer, asked = self._send("GET", following), following

    def command(self, method: str, path: str, body: Mapping[str, Any]) -> httpx.Response:
        """Send a command."""
        return self._send(method, path, json=body)

    def batch(self, service: str, commands: Sequence[Mapping[str, Any]], after: Token) -> Sequence[Any]:
        """The answers to some commands, each with its own status, headers and body."""
        answer = self._send("POST", f"/{service}/batch", json={"commands": commands}, headers=_seen(after))
        answers: Sequence[Any] = answer.json()["answers"]
        return answers

    def lines(self, path: str, params: Mapping[str, Any]) -> Iterator[bytes]:
        """The lines of an answer, as they come. Raises `CommandFailed`, also when it breaks off."""
        try:
            with self._http.stream("GET", path, params=params) as answer:
                if answer.is_error:
                    answer.read()
                    raise CommandFailed(problem_of(answer))
                left = b""
                for piece in answer.iter_bytes():
                    *whole, left = (left + piece).split(b"\n")
                    yield from whole
                if left:
                    yield left
        except httpx.TransportError as error:
            raise CommandFailed(unreachable(self.at, error)) from error

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        if method != "GET" and self._trace_id:
            remember(self._trace_id)
            self._trace_id = ""
        answer = self._asked(method, path, **more)
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotThere(problem_of(answer))
        if answer.is_error:
            raise CommandFailed(problem_of(answer))
        return answer

    def _asked(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **more)
        except httpx.TransportError as error:
            raise CommandFailed(unreachable(self.at, error)) from error
        except (httpx.InvalidURL, UnicodeError) as error:
            raise CommandFailed(f"{method} {path!a} can't be sent: {error}") from error


def seen_by(answer: httpx.Response) -> Token:
    """What the answer to a command covers."""
    return Token.decode(answer.headers[CONSISTENCY_TOKEN])


def _seen(after: Token) -> dict[str, str]:
    return {CONSISTENCY_TOKEN: after.encode()} if after.seen else {}


def unreachable(at: Address, error: httpx.TransportError) -> str:
    """The line for an edition that does not answer, and in which trace it was asked."""
    said = f"the edition at {at.url} does not answer ({type(error).__name__}); does it still run?"
    return in_trace(said, _asked_in(error.request))


def problem_of(answer: httpx.Response) -> str:
    """A problem in one line: what, why, each field that is to blame, and in which trace."""
    return in_trace(_said_of(answer), _trace_of(answer))


def problem_in(body: Any) -> str:
    """What a problem says that is part of an answer, and in which trace."""
    if not isinstance(body, dict):
        return str(body)
    return in_trace(str(body.get("detail", body)), body.get("trace_id"))


def in_trace(said: str, trace: str | None) -> str:
    """What is said, and the trace in which operations find more, if there is one."""
    return f"{said} (trace {trace})" if trace else said


def _trace_of(answer: httpx.Response) -> str | None:
    """The trace that an answer tells; what a gateway answers by itself tells none, and then it is the question's."""
    told = _TRACERESPONSE.match(answer.headers.get("traceresponse", ""))
    return told[1] if told else _asked_in(answer.request)


def _asked_in(request: httpx.Request) -> str | None:
    asked = request.headers.get("traceparent")
    return trace_id_of(asked) if asked else None


def _said_of(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        said = problem["detail"]
        blamed = [each for each in problem.get("errors", []) if each.get("pointer") and each["detail"] != said]
        fields = [f"{each['pointer']}: {each['detail']}" for each in blamed]
        return "; ".join([said, *(field for field in fields if field not in said)])
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{answer.request.method} {answer.request.url.path} was answered with {answer.status_code}"


@contextmanager
def connected() -> Iterator[Client]:
    """A client of the edition that there is."""
    at, trace = address(), new_trace()
    headers = {**at.headers, "traceparent": trace}
    with httpx.Client(base_url=at.url, headers=headers, timeout=TIMEOUT_SECONDS, transport=Patient()) as http:
        yield Client(at, http, trace_id_of(trace))


class Patient(httpx.HTTPTransport):
    """Tries again while a service says when it will be ready (503 or 429 with Retry-After), for a minute at most."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, after the waiting that the service asked for."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = super().handle_request(request)
            pause = answer.headers.get("Retry-After", "")
            if answer.status_code not in WAITED_FOR or not pause.isdigit() or time.monotonic() + int(pause) > deadline:
                return answer
            answer.close()
            time.sleep(int(pause))
