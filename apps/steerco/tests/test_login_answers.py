"""What `steerco login` makes of a provider that answers in another way than it should, and of two commands at once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from fastapi import FastAPI, Request, Response
from typer.testing import CliRunner

from steerco import login as logins
from steerco.cli import app
from steerco_service.testkit.listening import listening

EDITION = "http://127.0.0.1:9"
CODE = {"device_code": "d", "user_code": "u", "verification_uri": "https://id.example/device", "interval": 0}
TOKEN = {"access_token": "a", "refresh_token": "r", "expires_in": 300}


async def form(request: Request) -> dict[str, str]:
    """The fields of a form."""
    return dict(parse_qsl((await request.body()).decode()))


@dataclass
class Provider:
    """A provider of one's own: what it says of itself, and what it answers. A refresh token is good for once."""

    url: str = ""
    about: dict[str, Any] = field(default_factory=dict)
    code: Any = field(default_factory=lambda: dict(CODE))
    token: Any = field(default_factory=lambda: dict(TOKEN))
    refresh_token: str = "r"
    revoked: list[str] = field(default_factory=list)
    revocation_status: int = 200

    def document(self) -> dict[str, Any]:
        """What it says of itself."""
        names = {"device_authorization_endpoint": "device", "token_endpoint": "token", "revocation_endpoint": "revoke"}
        said: dict[str, Any] = {name: f"{self.url}/{path}" for name, path in names.items()}
        found = said | {"issuer": self.url} | self.about
        return {name: value for name, value in found.items() if value is not None}

    def given(self, refresh_token: str) -> dict[str, Any]:
        """Another token for a refresh token that is good."""
        if refresh_token != self.refresh_token:
            return {"error": "invalid_grant", "error_description": "it was used before"}
        self.refresh_token += "r"
        return TOKEN | {"access_token": f"for {refresh_token}", "refresh_token": self.refresh_token}

    def app(self) -> FastAPI:
        """It, to be served."""
        served = FastAPI()

        @served.get("/.well-known/openid-configuration")
        async def about() -> dict[str, Any]:
            return self.document()

        @served.post("/device")
        async def device() -> Any:
            return self.code

        @served.post("/token")
        async def token(request: Request) -> Any:
            refresh_token = (await form(request)).get("refresh_token")
            return self.given(refresh_token) if refresh_token else self.token

        @served.post("/revoke")
        async def revoke(request: Request) -> Response:
            self.revoked.append((await form(request))["token"])
            return Response(status_code=self.revocation_status)

        return served


@pytest.fixture
async def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Provider]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    found = Provider()
    async with listening(found.app()) as server:
        found.url = server.url
        yield found


async def said_by_login(issuer: str) -> str:
    """The one line that a login fails with."""
    options = ["login", EDITION, "--issuer", issuer]
    done = await asyncio.to_thread(CliRunner().invoke, app, options)
    assert done.exit_code == 1, done.output
    line = done.stderr.splitlines()[-1]
    assert [each for each in done.stderr.splitlines() if not each.startswith("open ")] == [line]
    return line.removeprefix("steerco: ")


def expired(provider: Provider, **other: Any) -> None:
    """Keep a login that has run out."""
    given = {"access_token": "old", "refresh_token": "r"} | other
    logins.keep(logins.Login(EDITION, provider.url, "steerco-cli", **given, expires_at=0.0))


async def test_who_is_let_in_is_logged_in(provider: Provider) -> None:
    done = await asyncio.to_thread(CliRunner().invoke, app, ["login", EDITION, "--issuer", provider.url])
    assert (done.exit_code, done.stdout) == (0, f"logged in at {EDITION}\n")
    kept = logins.kept_login()
    assert kept
    assert (kept.access_token, kept.refresh_token) == ("a", "r")


@pytest.mark.parametrize("issuer", ["http://id.example/realm", "ftp://127.0.0.1/x", "id.example", "https://a@b/c"])
async def test_an_issuer_whom_somebody_on_the_way_could_pretend_to_be_is_not_asked(
    provider: Provider, issuer: str
) -> None:
    assert await said_by_login(issuer) == f"'{issuer}' is no https URL"


@pytest.mark.parametrize("name", ["device_authorization_endpoint", "token_endpoint", "revocation_endpoint"])
async def test_nothing_is_sent_to_an_endpoint_where_somebody_could_read_it(provider: Provider, name: str) -> None:
    provider.about = {name: "http://id.example/x"}
    assert await said_by_login(provider.url) == f"the {name} of {provider.url} is no https URL"


@pytest.mark.parametrize("said", ["https://id.example/other", None, 3])
async def test_an_issuer_that_calls_itself_otherwise_is_another(provider: Provider, said: object) -> None:
    provider.about = {"issuer": said}
    assert await said_by_login(provider.url) == f"{provider.url} says that it is another issuer, {said!r}"


@pytest.mark.parametrize(
    ("code", "token", "words"),
    [
        ([], None, "answers 200 without JSON"),
        ({**CODE, "user_code": None}, None, "the provider's answer has no user_code"),
        ({**CODE, "user_code": "a\nb"}, None, "the provider's answer has no user_code"),
        ({"device_code": "d", "user_code": "u"}, None, "the provider's answer has no verification_uri"),
        ({**CODE, "interval": "soon"}, None, "the provider's interval is no number of seconds"),
        ({**CODE, "expires_in": []}, None, "the provider's expires_in is no number of seconds"),
        (CODE, {}, "the provider's answer has no access_token"),
        (CODE, {"access_token": {}}, "the provider's answer has no access_token"),
        (CODE, {**TOKEN, "expires_in": "x"}, "the provider's expires_in is no number of seconds"),
        (CODE, "token", "answers 200 without JSON"),
        (CODE, {"error": "access_denied"}, "nobody was let in: access_denied"),
    ],
)
async def test_an_answer_that_is_not_as_it_should_be_is_one_clear_line(
    provider: Provider, code: object, token: object, words: str
) -> None:
    provider.code, provider.token = code, token
    assert words in await said_by_login(provider.url)


async def test_of_commands_at_once_one_asks_for_another_token_and_all_have_it(provider: Provider) -> None:
    expired(provider)
    found = await asyncio.gather(*(asyncio.to_thread(logins.kept_login) for _ in range(8)))
    assert {each.access_token for each in found if each} == {"for r"}
    kept = logins.kept_login()
    assert kept
    assert kept.refresh_token == provider.refresh_token == "rr"


async def test_a_refresh_token_that_is_good_no_more_asks_for_another_login(provider: Provider) -> None:
    expired(provider, refresh_token="another")
    with pytest.raises(logins.LoginFailed, match=r"has run out \(it was used before\); `steerco login` again"):
        await asyncio.to_thread(logins.kept_login)


async def test_who_logs_out_has_the_provider_take_back_what_it_gave(provider: Provider) -> None:
    expired(provider)
    done = await asyncio.to_thread(CliRunner().invoke, app, ["logout"])
    assert (done.exit_code, done.stdout, done.stderr) == (0, "logged out\n", "")
    assert (provider.revoked, logins.kept_login()) == (["r"], None)
    done = await asyncio.to_thread(CliRunner().invoke, app, ["logout"])
    assert (done.stdout, provider.revoked) == ("nobody was logged in\n", ["r"])


@pytest.mark.parametrize(
    ("about", "status", "words"),
    [
        ({}, 503, "/revoke answers 503"),
        ({"issuer": "https://id.example/other"}, 200, "says that it is another issuer"),
        ({"revocation_endpoint": "http://id.example/x"}, 200, "is no https URL"),
    ],
)
async def test_who_logs_out_is_logged_out_and_told_when_the_provider_could_not_be(
    provider: Provider, about: dict[str, Any], status: int, words: str
) -> None:
    expired(provider)
    provider.about, provider.revocation_status = about, status
    done = await asyncio.to_thread(CliRunner().invoke, app, ["logout"])
    assert (done.exit_code, done.stdout) == (0, "logged out\n")
    assert done.stderr.startswith("steerco: the provider still takes what it gave: ")
    assert words in done.stderr
    assert logins.kept_login() is None


@pytest.mark.parametrize("about", [{"revocation_endpoint": None}])
async def test_a_provider_that_takes_nothing_back_is_not_asked_to(provider: Provider, about: dict[str, Any]) -> None:
    expired(provider)
    provider.about = about
    done = await asyncio.to_thread(CliRunner().invoke, app, ["logout"])
    assert (done.stdout, done.stderr, provider.revoked) == ("logged out\n", "", [])
