"""Being logged in at an edition whose tokens come from an identity provider: by a code on any device (RFC 8628).

What the provider gave is kept in a private file, and asked for anew when it has run out: by one process at a time, as
a refresh token may be good for once only.
"""

import base64
import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from steerco_servers.directory import write_private
from steerco_service.identity.discovery import DISCOVERY, is_trustworthy
from steerco_service.printing import printable

CLIENT = "steerco-cli"
SCOPE = "openid"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
EARLY_SECONDS = 30.0
"""A token is asked for anew so long before it runs out."""

SLOWER_SECONDS = 5.0
LONGEST_SECONDS = 10.0 * 366 * 24 * 60 * 60
TIMEOUT_SECONDS = 30.0


_REVOCATION = "revocation_endpoint"
_ENDPOINTS = ("device_authorization_endpoint", "token_endpoint", _REVOCATION)


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

    @property
    def is_good(self) -> bool:
        """Whether the token is for a while."""
        return self.expires_at - EARLY_SECONDS > time.time()


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
    kept = _read()
    if kept is None or kept.is_good:
        return kept
    with _alone():
        kept = _read()
        if kept is None or kept.is_good:
            return kept
        if kept.refresh_token is None:
            raise LoginFailed("the login has run out; `steerco login` again")
        return _write(_refreshed(kept))


def keep(login: Login) -> Login:
    """Keep it for the next command."""
    with _alone():
        return _write(login)


def log_out() -> bool:
    """Be logged in no more; false if nobody was. Raises `LoginFailed` if the provider can't be told, when that is done.

    The provider is asked to take no more what it gave to ask for tokens by (RFC 7009), if it can be asked that.
    """
    kept = None
    with _alone():
        with suppress(LoginFailed):
            kept = _read()
        try:
            login_file().unlink()
        except FileNotFoundError:
            return False
    if kept and kept.refresh_token:
        _revoke(kept, kept.refresh_token)
    return True


@contextmanager
def _alone() -> Iterator[None]:
    """Inside, no other process changes what is kept; waits until none does."""
    try:
        login_file().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = login_file().with_suffix(".lock").open("a")
    except OSError as error:
        raise LoginFailed(f"no login can be kept: {error}") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read() -> Login | None:
    try:
        found = json.loads(login_file().read_text())
        return Login(**found | {"expires_at": float(found["expires_at"])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LoginFailed(f"{login_file()} can't be read ({error}); `steerco login` writes it anew") from error


def _write(login: Login) -> Login:
    write_private(login_file(), asdict(login))
    return login


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
        code = _text(answer, "device_code")
        where = "verification_uri_complete" if answer.get("verification_uri_complete") else "verification_uri"
        prompt(Prompt(_text(answer, where), _text(answer, "user_code")))
        granted = {"grant_type": DEVICE_GRANT, "device_code": code, "code_verifier": verifier}
        given = _let_in(http, endpoints["token_endpoint"], granted | {"client_id": client_id}, answer)
    return _login(Login(url, issuer, client_id, "", None, 0.0), given)


def _let_in(http: httpx.Client, endpoint: str, granted: dict[str, str], answer: dict[str, Any]) -> dict[str, Any]:
    """What the provider gives once the person has let us in."""
    pause = _seconds(answer, "interval", SLOWER_SECONDS)
    deadline = time.monotonic() + _seconds(answer, "expires_in", 600)
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


def _revoke(kept: Login, refresh_token: str) -> None:
    with httpx.Client(timeout=TIMEOUT_SECONDS) as http:
        endpoint = _endpoints(http, kept.issuer).get(_REVOCATION)
        if endpoint is None:
            return
        asked = {"token": refresh_token, "token_type_hint": "refresh_token", "client_id": kept.client_id}
        try:
            answer = http.post(endpoint, data=asked)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise LoginFailed(f"{endpoint} does not answer: {error}") from error
    if answer.status_code != httpx.codes.OK:
        raise LoginFailed(f"{endpoint} answers {answer.status_code}")


def _login(before: Login, given: dict[str, Any]) -> Login:
    refresh_token = _text(given, "refresh_token") if given.get("refresh_token") else before.refresh_token
    return replace(
        before,
        access_token=_text(given, "access_token"),
        refresh_token=refresh_token,
        expires_at=time.time() + _seconds(given, "expires_in", 60),
    )


def _endpoints(http: httpx.Client, issuer: str) -> dict[str, str]:
    """Where an issuer that nobody on the way can pretend to be is asked for what. Raises `LoginFailed`."""
    if not is_trustworthy(issuer):
        raise LoginFailed(f"{printable(issuer)} is no https URL")
    try:
        answer = http.get(issuer.rstrip("/") + DISCOVERY)
        answer.raise_for_status()
        found = dict(answer.json())
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError) as error:
        why = str(error).partition("\n")[0]
        raise LoginFailed(f"{issuer} does not say how to log in there: {why}") from error
    if found.get("issuer") != issuer:
        raise LoginFailed(f"{issuer} says that it is another issuer, {printable(found.get('issuer'))}")
    for name in _ENDPOINTS:
        if name not in found and name != _REVOCATION:
            raise LoginFailed(f"{issuer} has no {name}: it does not let a command line in by a code")
        if name in found and not (isinstance(found[name], str) and is_trustworthy(found[name])):
            raise LoginFailed(f"the {name} of {issuer} is no https URL")
    return {name: found[name] for name in _ENDPOINTS if name in found}


def _post(http: httpx.Client, endpoint: str, asked: dict[str, str]) -> dict[str, Any]:
    try:
        answer = http.post(endpoint, data=asked)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise LoginFailed(f"{endpoint} does not answer: {error}") from error
    with suppress(ValueError):
        if isinstance(found := answer.json(), dict):
            return found
    raise LoginFailed(f"{endpoint} answers {answer.status_code} without JSON")


def _text(answer: dict[str, Any], name: str) -> str:
    match answer.get(name):
        case str() as found if found.isprintable() and found:
            return found
        case _:
            raise LoginFailed(f"the provider's answer has no {name}")


def _seconds(answer: dict[str, Any], name: str, default: float) -> float:
    with suppress(ValueError, TypeError):
        if 0 <= (found := float(answer.get(name, default))) <= LONGEST_SECONDS:
            return found
    raise LoginFailed(f"the provider's {name} is no number of seconds")


def _why(answer: dict[str, Any]) -> str:
    return str(answer.get("error_description") or answer.get("error") or "it does not say why")
