"""`steerco login`, `logout` and `token`, against a real Keycloak."""

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from steerco import login as logins
from steerco.cli import app
from steerco.client import CommandFailed, address
from steerco.edition.directory import DataDirectory
from steerco_events.clock import SystemClock
from steerco_events.ids import derived_id
from steerco_servers.realm import BUSINESS_UNIT_OFFICER, Person
from steerco_servers.testing import TemporaryKeycloak
from steerco_service.identity.authenticator import Authenticator, Expected
from steerco_service.identity.discovered_keys import DiscoveredKeys
from steerco_service.identity.issuer import Issuer
from steerco_service.identity.keys import KnownKeys

EDITION = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for name in ("STEERCO_URL", "STEERCO_TOKEN", "STEERCO_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)


def let_in(prompt: logins.Prompt, person: Person) -> None:
    """What a person does in a browser."""

    def forms(page: httpx.Response) -> Iterator[tuple[str, dict[str, str]]]:
        for action, body in re.findall(r'<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>', page.text, re.DOTALL):
            fields = re.findall(r'<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"', body)
            yield str(page.url.join(unescape(action))), dict(fields)

    def as_browsers_do(_: httpx.Response) -> None:
        """Loopback is as good as https for a cookie that is for https only."""
        for cookie in browser.cookies.jar:
            cookie.secure = False

    with httpx.Client(follow_redirects=True, timeout=60, event_hooks={"response": [as_browsers_do]}) as browser:
        page = browser.get(prompt.address)
        (action, hidden) = next(forms(page))
        page = browser.post(action, data=hidden | {"username": person.username, "password": person.password})
        for action, hidden in forms(page):
            page = browser.post(action, data=hidden | {"accept": "Yes"})
        assert page.status_code == 200, page.text


@pytest.mark.keycloak
async def test_who_is_let_in_is_logged_in_until_they_log_out(
    keycloak: TemporaryKeycloak,
) -> None:
    def prompted(prompt: logins.Prompt) -> None:
        threading.Thread(target=let_in, args=(prompt, BUSINESS_UNIT_OFFICER)).start()

    kept = logins.keep(logins.log_in(EDITION, keycloak.issuer, logins.CLIENT, prompted))
    assert logins.login_file().stat().st_mode & 0o777 == 0o600
    assert (address().url, address().token) == (EDITION, kept.access_token)
    clock = SystemClock()
    authenticator = Authenticator(DiscoveredKeys(keycloak.issuer, clock), clock, Expected(keycloak.issuer))
    principal = await authenticator.principal(f"Bearer {kept.access_token}")
    assert principal.actor.job_title == BUSINESS_UNIT_OFFICER.job_title
    assert principal.client == logins.CLIENT
    logins.keep(replace(kept, expires_at=0.0))
    assert address().token != kept.access_token
    assert "logged out" in CliRunner().invoke(app, ["logout"]).stdout
    with pytest.raises(CommandFailed, match="no edition runs"):
        address()


@pytest.mark.keycloak
def test_a_login_says_what_is_wrong_in_a_line(keycloak: TemporaryKeycloak) -> None:
    for options, words in (
        (["--issuer", f"{keycloak.issuer}x"], "does not say how to log in there"),
        (["--issuer", keycloak.issuer, "--client", "payroll"], "gives payroll no code"),
    ):
        done = CliRunner().invoke(app, ["login", EDITION, *options])
        assert done.exit_code == 1
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert logins.kept_login() is None


def test_a_login_that_has_run_out_or_is_no_login_asks_for_another() -> None:
    logins.keep(logins.Login(EDITION, "http://127.0.0.1:9/x", "steerco-cli", "token", None, 0.0))
    with pytest.raises(CommandFailed, match="has run out"):
        address()
    logins.login_file().write_text("{}")
    with pytest.raises(CommandFailed, match="can't be read"):
        address()


async def test_a_token_of_the_local_edition_is_for_whom_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, issuer = derived_id("somebody"), Issuer.generate()
    refused = CliRunner().invoke(app, ["token", str(person)])
    assert refused.exit_code == 1
    assert "gives tokens" in refused.stderr
    monkeypatch.setenv("STEERCO_DATA_DIR", str(tmp_path))
    DataDirectory(tmp_path).keep_issuer_key(json.loads(json.dumps(issuer.private())))
    done = CliRunner().invoke(app, ["token", str(person), "--job-title", "Clerk", "--group", "staff"])
    clock = SystemClock()
    principal = await Authenticator(KnownKeys(issuer.public()), clock).principal(f"Bearer {done.stdout.strip()}")
    assert (principal.actor.id, principal.actor.job_title, principal.groups) == (person, "Clerk", frozenset({"staff"}))
