"""Being logged in at an edition whose tokens come from an identity provider: by a code on any device (RFC 8628).

What the provider gave is kept in a private file, and asked for anew when it has run out.
"""

import base64
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from steerco_servers.directory import write_private

CLIENT = "steerco-cli"
SCOPE = "openid"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
EARLY_SECONDS = 30.0
"""A token is asked for anew so long before it runs out."""

SLOWER_SECONDS = 5.0
TIMEOUT_SECONDS = 30.0


class LoginFailed(Exception):
    """Nobody could be logged in; the text says why in one line."""


@dataclass(frozen=True, slots=True)
class Login:
    """Where somebody is logged in, and until when (seconds since the epoch) the token is good."""

    url: str
    issuer: str
    client_id: str
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: float


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a person has to do: open the address and enter the code there, if the address has not got it already."""

    address: str
    code: str


def login_file() -> Path:
    """Where it is kept: in `$XDG_CONFIG_HOME`, else in `~/.config`."""
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "steerco" / "login.json"


def kept_login() -> Login | None:
    """The login that is kept, with a token that is good now. Raises `LoginFailed`."""
    try:
        kept = Login(**json.loads(login_file().read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise LoginFailed(f"{login_file()} can't be read ({error}); `steerco login` writes it anew") from error
    if kept.expires_at - EARLY_SECONDS > time.time():
        return kept
    if kept.refresh_token is None:
        raise LoginFailed("the login has run out; `steerco login` again")
    return keep(_refreshed(kept))


def keep(login: Login) -> Login:
    """Keep it for the next command."""
    login_file().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(login_file(), asdict(login))
    return login


def forget() -> bool:
    """Be logged in no more; false if nobody was."""
    try:
        login_file().unlink()
    except FileNotFoundError:
        return False
    return True


def log_in(url: str, issuer: str, client_id: str, prompt: Callable[[Prompt], None]) -> Login:
    """Ask the provider for a code, have the person told, and wait until they have let us in. Raises `LoginFailed`."""
    with httpx.Client(timeout=TIMEOUT_SECONDS) as http:
        endpoints = _endpoints(http, issuer)
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        asked = {"client_id": client_id, "scope": SCOPE, "code_challenge": challenge, "code_challenge_method": "S256"}
        answer = _post(http, endpoints["device_authorization_endpoint"], asked)
        if "device_code" not in answer:
            raise LoginFailed(f"{issuer} gives {client_id} no code: {_why(answer)}")
        prompt(Prompt(str(answer.get("verification_uri_complete") or answer["verification_uri"]), answer["user_code"]))
        granted = {"grant_type": DEVICE_GRANT, "device_code": answer["device_code"], "code_verifier": verifier}
        given = _let_in(http, endpoints["token_endpoint"], granted | {"client_id": client_id}, answer)
    return _login(Login(url, issuer, client_id, "", None, 0.0), given)


def _let_in(http: httpx.Client, endpoint: str, granted: dict[str, str], answer: dict[str, Any]) -> dict[str, Any]:
    """What the provider gives once the person has let us in."""
    pause = float(answer.get("interval", SLOWER_SECONDS))
    deadline = time.monotonic() + float(answer.get("expires_in", 600))
    while time.monotonic() < deadline:
        time.sleep(pause)
        given = _post(http, endpoint, granted)
        match given.get("error"):
            case None:
                return given
            case "authorization_pending":
                continue
            case "slow_down":
                pause += SLOWER_SECONDS
            case _:
                raise LoginFailed(f"nobody was let in: {_why(given)}")
    raise LoginFailed("nobody was let in before the code had run out; `steerco login` gives another")


def _refreshed(kept: Login) -> Login:
    with httpx.Client(timeout=TIMEOUT_SECONDS) as http:
        asked = {"grant_type": "refresh_token", "client_id": kept.client_id, "refresh_token": kept.refresh_token or ""}
        given = _post(http, _endpoints(http, kept.issuer)["token_endpoint"], asked)
    if "access_token" not in given:
        raise LoginFailed(f"the login has run out ({_why(given)}); `steerco login` again")
    return _login(kept, given)


def _login(before: Login, given: dict[str, Any]) -> Login:
    return replace(
        before,
        access_token=str(given["access_token"]),
        refresh_token=given.get("refresh_token", before.refresh_token),
        expires_at=time.time() + float(given.get("expires_in", 60)),
    )


def _endpoints(http: httpx.Client, issuer: str) -> dict[str, Any]:
    try:
        answer = http.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        answer.raise_for_status()
        found = dict(answer.json())
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError) as error:
        why = str(error).partition("\n")[0]
        raise LoginFailed(f"{issuer} does not say how to log in there: {why}") from error
    for name in ("device_authorization_endpoint", "token_endpoint"):
        if name not in found:
            raise LoginFailed(f"{issuer} has no {name}: it does not let a command line in by a code")
    return found


def _post(http: httpx.Client, endpoint: str, asked: dict[str, str]) -> dict[str, Any]:
    try:
        answer = http.post(endpoint, data=asked)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise LoginFailed(f"{endpoint} does not answer: {error}") from error
    with suppress(ValueError, TypeError):
        return dict(answer.json())
    raise LoginFailed(f"{endpoint} answers {answer.status_code} without JSON")


def _why(answer: dict[str, Any]) -> str:
    return str(answer.get("error_description") or answer.get("error") or "it does not say why")
