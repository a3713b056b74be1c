"""What a process is told of its issuer: a real one, or the key of a local one and then on loopback only."""

import json
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from joserfc.jwk import ECKey
from pydantic import ValidationError

from steerco_events.clock import SystemClock
from steerco_events.envelope import Actor
from steerco_service.identity.issuer import Issuer
from steerco_service.problems import Problem
from steerco_service.process import authenticator_of
from steerco_service.settings import ServiceSettings
from steerco_service.testkit.issuing import SUBJECT, oidc_issuer, signed
from steerco_service.testkit.serving import TESTER

URL = "postgresql+asyncpg://app@127.0.0.1:1/risk"
ISSUER = "https://id.example/realms/pmo"


@pytest.fixture
def issuer_key(tmp_path: Path) -> str:
    file = tmp_path / "issuer.json"
    file.write_text(json.dumps(Issuer.generate().jwks()))
    return str(file)


def told(monkeypatch: pytest.MonkeyPatch, **settings: str) -> ServiceSettings:
    for name, value in {"database_url": URL, **settings}.items():
        monkeypatch.setenv(f"STEERCO_{name.upper()}", value)
    return ServiceSettings()


def refusal(monkeypatch: pytest.MonkeyPatch, **settings: str) -> tuple[str, str]:
    """Which setting is wrong, and why."""
    with pytest.raises(ValidationError) as raised:
        told(monkeypatch, **settings)
    (error,) = raised.value.errors()
    return str(error["loc"][0]), error["msg"]


def test_one_issuer_has_to_be_set(monkeypatch: pytest.MonkeyPatch, issuer_key: str) -> None:
    expected = ("issuer_key", "Value error, one of STEERCO_ISSUER and STEERCO_ISSUER_KEY has to be set, and not both")
    assert refusal(monkeypatch) == expected
    assert refusal(monkeypatch, issuer=ISSUER, issuer_key=issuer_key) == expected
    assert told(monkeypatch, issuer=ISSUER, issuer_key="").issuer == ISSUER
    assert told(monkeypatch, issuer="", issuer_key=issuer_key).issuer_key == Path(issuer_key)


@pytest.mark.parametrize(
    "issuer", ["http://id.example", "id.example", f"{ISSUER}?realm=pmo", f"{ISSUER}#pmo", "https://a:b@id.example"]
)
def test_an_issuer_is_an_https_url(monkeypatch: pytest.MonkeyPatch, issuer: str) -> None:
    assert refusal(monkeypatch, issuer=issuer) == (
        "issuer",
        "Value error, no https URL, or http to loopback, without user, query and fragment",
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "steerco.example", "127.0.0.1.example"])
def test_the_api_listens_beyond_loopback_only_with_a_real_issuer(
    monkeypatch: pytest.MonkeyPatch, issuer_key: str, host: str
) -> None:
    setting, why = refusal(monkeypatch, issuer_key=issuer_key, host=host)
    assert (setting, "must be a loopback address" in why) == ("host", True)
    assert told(monkeypatch, issuer=ISSUER, issuer_key="", host=host).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_with_a_local_issuer_it_listens_on_loopback(
    monkeypatch: pytest.MonkeyPatch, issuer_key: str, host: str
) -> None:
    assert told(monkeypatch, issuer_key=issuer_key, host=host).host == host


def test_what_tokens_are_signed_by_is_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
    assert told(monkeypatch, issuer=ISSUER).token_algorithms == pinned
    assert told(monkeypatch, issuer=ISSUER, token_algorithms="ES384, PS512").token_algorithms == ("ES384", "PS512")


@pytest.mark.parametrize("names", ["HS256", "none", "RS256,HS512", "ES256K", ","])
def test_no_algorithm_with_a_shared_secret_can_be_pinned(monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    assert refusal(monkeypatch, issuer=ISSUER, token_algorithms=names)[0] == "token_algorithms"


@pytest.mark.parametrize("seconds", ["-1", "301", "soon"])
def test_clocks_are_not_far_apart(monkeypatch: pytest.MonkeyPatch, seconds: str) -> None:
    assert refusal(monkeypatch, issuer=ISSUER, clock_skew_seconds=seconds)[0] == "clock_skew_seconds"


async def test_a_process_takes_the_tokens_that_its_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, key = SystemClock(), ECKey.generate_key("P-384")
    async with oidc_issuer(key) as issuer:
        settings = told(
            monkeypatch, issuer=issuer.url, audience="pmo", token_algorithms="ES384", clock_skew_seconds="0"
        )
        authenticator = authenticator_of(settings, clock)
        await authenticator.prepare()
        good, other = (signed(key, "ES384", issuer.claims(clock.now(), aud=aud)) for aud in ("pmo", "steerco"))
        assert (await authenticator.principal(f"Bearer {good}")).actor == Actor(UUID(SUBJECT), "Project manager")
        with pytest.raises(Problem, match="aud must be pmo, or a list that has it"):
            await authenticator.principal(f"Bearer {other}")


async def test_a_process_takes_the_local_issuers_tokens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clock, issuer, file = SystemClock(), Issuer.generate(), tmp_path / "key.json"
    file.write_text(json.dumps(issuer.public()))
    authenticator = authenticator_of(told(monkeypatch, issuer_key=str(file)), clock)
    await authenticator.prepare()
    token = issuer.token(TESTER, clock.now(), timedelta(hours=1))
    assert await authenticator.principal(f"Bearer {token}") == TESTER
    assert authenticator.degraded == {}


@pytest.mark.parametrize("setting", ["issuer_address", "portfolio_url"])
def test_inside_a_network_of_their_own_hosts_that_are_named_are_asked_by_plain_http(
    monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    inside = {"issuer": ISSUER, setting: "http://inside:8000/path"}
    why = "Value error, no https URL, or http to loopback or to one of STEERCO_PLAIN_HTTP_HOSTS"
    assert refusal(monkeypatch, **inside) == (setting, why)
    assert refusal(monkeypatch, plain_http_hosts="outside", **inside) == (setting, why)
    assert getattr(told(monkeypatch, plain_http_hosts="outside, inside", **inside), setting) == inside[setting]


def test_what_people_are_sent_to_is_never_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(monkeypatch, issuer="http://inside", plain_http_hosts="inside")[0] == "issuer"


@pytest.mark.parametrize("host", ["http://inside", "inside:8000", "*", "Inside", "inside/path", "a b"])
def test_a_host_is_named_as_urls_name_it(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    assert refusal(monkeypatch, issuer=ISSUER, plain_http_hosts=host)[0] == "plain_http_hosts"
