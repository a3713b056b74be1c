"""Keys are kept for minutes in memory, had from portfolio by the service's own token, and shown in no other way."""

import base64
import secrets
from collections.abc import AsyncIterator, Collection, Mapping
from uuid import UUID

import pytest
from fastapi import FastAPI, Header, Query
from opentelemetry.sdk.trace import TracerProvider

from steerco_events.clock import SystemClock
from steerco_events.ids import new_id
from steerco_events.trace_contexts import traceparent
from steerco_service.identity.own_token import ClientCredentials, NoToken, ToldToken
from steerco_service.privacy import keys as kept
from steerco_service.privacy.encryption import KEY_BYTES, encrypted
from steerco_service.privacy.keys import KeptKeys, KeysUnavailable, NoKeys
from steerco_service.privacy.remote_keys import RemoteKeys
from steerco_service.privacy.showing import EMAIL, NAME, Shown, shown
from steerco_service.reference.people import PersonRow
from steerco_service.testkit.listening import listening

ADA, GRACE = new_id(), new_id()
KEYS = {ADA: secrets.token_bytes(KEY_BYTES)}
NOWHERE = "http://127.0.0.1:1"


class Source:
    """Gives keys, and counts how often it was asked for which."""

    def __init__(self) -> None:
        self.asked: list[set[UUID]] = []

    async def find(self, subjects: Collection[UUID]) -> Mapping[UUID, bytes]:
        self.asked.append(set(subjects))
        return {each: KEYS[each] for each in subjects if each in KEYS}


@pytest.fixture
async def portfolio() -> AsyncIterator[str]:
    """What portfolio and an issuer answer to whoever has the right token, over a real port."""
    app = FastAPI()

    @app.get("/keys")
    async def read_keys(subject: list[UUID] = Query(), authorization: str = Header()) -> object:
        if authorization != "Bearer right":
            return {"keys": "none"}
        there = [each for each in subject if each in KEYS]
        return {"keys": [{"subject": str(each), "key": base64.b64encode(KEYS[each]).decode()} for each in there]}

    async with listening(app) as running:
        yield running.url


async def test_a_key_is_asked_for_once_in_five_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source()
    keys = KeptKeys(source)
    assert await keys.find([ADA, GRACE]) == KEYS
    assert await keys.find([ADA]) == KEYS
    assert source.asked == [{ADA, GRACE}]
    monkeypatch.setattr(kept, "KEPT_SECONDS", 0.0)
    assert await KeptKeys(source).find([ADA]) == KEYS
    assert source.asked == [{ADA, GRACE}, {ADA}]


async def test_that_there_is_no_key_or_that_it_can_not_be_told_is_kept_for_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = Source()
    keys, nowhere = KeptKeys(source), KeptKeys(NoKeys())
    for _ in range(2):
        assert await keys.find([GRACE]) == {}
        with pytest.raises(KeysUnavailable):
            await nowhere.find([ADA])
    assert source.asked == [{GRACE}]
    monkeypatch.setattr(kept, "MOMENT_SECONDS", 0.0)
    soon = KeptKeys(source)
    for _ in range(2):
        assert await soon.find([GRACE]) == {}
    assert source.asked[1:] == [{GRACE}, {GRACE}]


async def test_portfolio_gives_keys_to_the_right_token(portfolio: str) -> None:
    assert await RemoteKeys(portfolio, ToldToken("right")).find([ADA, GRACE]) == KEYS
    assert await RemoteKeys(portfolio, ToldToken("right")).find([new_id() for _ in range(401)]) == {}
    with pytest.raises(KeysUnavailable, match="no keys"):
        await RemoteKeys(portfolio, ToldToken("wrong")).find([ADA])
    with pytest.raises(KeysUnavailable, match="did not give"):
        await RemoteKeys(portfolio + "/elsewhere", ToldToken("right")).find([ADA])
    with pytest.raises(KeysUnavailable, match="ConnectError"):
        await RemoteKeys(NOWHERE, ToldToken("right")).find([ADA])


async def test_portfolio_is_asked_in_the_trace_of_who_wants_to_see_a_name() -> None:
    app, came = FastAPI(), list[str | None]()

    @app.get("/keys")
    async def read_keys(context: str | None = Header(None, alias="traceparent")) -> object:
        came.append(context)
        return {"keys": []}

    async with listening(app) as running:
        keys = RemoteKeys(running.url, ToldToken("right"))
        await keys.find([ADA])
        with TracerProvider().get_tracer("tests").start_as_current_span("something"):
            await keys.find([ADA])
            assert came == [None, traceparent()]
    assert came[1]


async def test_without_an_issuer_there_is_no_token_and_no_key() -> None:
    credentials = ClientCredentials(NOWHERE, "steerco-reporting", "secret", SystemClock())
    with pytest.raises(NoToken):
        await credentials()
    with pytest.raises(KeysUnavailable, match="gave this service no token"):
        await RemoteKeys(NOWHERE, credentials).find([ADA])


async def test_a_name_is_shown_to_who_may_see_it_while_there_is_a_key() -> None:
    row = PersonRow(ADA, new_id(), encrypted("Ada", KEYS[ADA], ADA, NAME), encrypted("a@b", KEYS[ADA], ADA, EMAIL))
    erased = PersonRow(GRACE, new_id(), None, None, is_erased=True)
    source = Source()
    assert await shown(source, [(row, True), (erased, True)]) == {
        ADA: Shown("Ada", "a@b"),
        GRACE: Shown(None, None, "erased"),
    }
    assert await shown(source, [(row, False)]) == {ADA: Shown(withheld="not permitted")}
    assert await shown(NoKeys(), [(row, True)]) == {ADA: Shown(withheld="unavailable")}
    strange = PersonRow(ADA, new_id(), encrypted("Ada", KEYS[ADA], GRACE, NAME), None)
    assert await shown(source, [(strange, True)]) == {ADA: Shown(withheld="unavailable")}
    assert source.asked[1] == set()
