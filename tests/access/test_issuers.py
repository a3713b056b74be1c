"""Every service, where the tokens of a real Keycloak are taken and where those of the local issuer are."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta

import httpx
import pytest

from steerco_events.contracts.portfolio import Role
from steerco_events.envelope import Actor
from steerco_events.ids import derived_id
from steerco_servers.realm import (
    BUSINESS_UNIT_OFFICER,
    CLI,
    DEPARTMENT_VIEWER,
    ENTERPRISE_OFFICER,
    INTEGRATION,
    PERSONS,
    Person,
    Realm,
    realm_for_tests,
)
from steerco_servers.testing import TemporaryKeycloak
from steerco_service.identity.authenticator import LEEWAY
from steerco_service.identity.principal import Principal
from steerco_service.testkit.serving import Served
from tests.access.hosted import LISTED, NAMES, Hosted, hosted
from tests.access.issuers import (
    LASTS,
    Issuers,
    claims_of,
    id_in,
    keycloak_issuers,
    local_issuers,
    realm_trusted,
)
from tests.access.operations import BODIES, operations, path_of
from tests.access.worlds import World, appoint, created, world

SEEN: Mapping[Person, Sequence[str]] = {
    ENTERPRISE_OFFICER: ("ALPHA", "OMEGA", "SIGMA"),
    BUSINESS_UNIT_OFFICER: ("ALPHA", "SIGMA"),
    DEPARTMENT_VIEWER: ("SIGMA",),
}
"""The worlds that each sees: the department of SIGMA is one of ALPHA's business unit."""

SCOPES = {ENTERPRISE_OFFICER: "enterprise", BUSINESS_UNIT_OFFICER: "ALPHA-unit", DEPARTMENT_VIEWER: "SIGMA-dep"}
"""What reporting is asked for."""

COMMANDS = {
    "intake": "submit_pitch",
    "portfolio": "rename_project",
    "finance": "baseline_budget",
    "risk": "rate_risk",
    "training": "record_completion",
    "reporting": "view_state",
}
"""What each asks for; reporting takes no command, and who may see to its view has a role in the whole enterprise."""

OUTSIDE = {"intake": 422, "portfolio": 404, "finance": 404, "risk": 404, "training": 404, "reporting": 403}
"""What is said to who has the role elsewhere: the unit of a pitch is not known, nor anything else."""

GROUPS = "enterprise-office=pmo_officer@ENT, business-unit-office=pmo_officer@ALPHA-unit, department=viewer@SIGMA-dep"

REFUSED = {
    "": (401, "unauthorized", "an Authorization header with a bearer token is needed"),
    "of another audience": (401, "unauthorized", "aud must be steerco"),
    "of another issuer": (401, "unauthorized", "kid in its header is of no key of the issuer"),
    "an ID token": (401, "unauthorized", "(aud must be steerco|typ must be that of an access token)"),
    "a refresh token": (401, "unauthorized", "(alg in its header must be one of|typ must be that)"),
    "without a signature": (401, "unauthorized", "alg in its header must be one of RS256, "),
    "with a code by the public key": (401, "unauthorized", "alg in its header must be one of RS256, "),
    "of an unknown key": (401, "unauthorized", "kid in its header is of no key of the issuer"),
    "with other claims": (401, "unauthorized", "its signature is not one of the issuer's key"),
}
"""Status, code and what is said (a pattern), by what is wrong with a token."""


@pytest.fixture(scope="module")
async def worlds(served: Served, clients: dict[str, httpx.AsyncClient]) -> Mapping[str, World]:
    enterprise = await created(clients["portfolio"], "/units", code="ENT", name="Enterprise", kind="enterprise")
    found = {code: await world(served, clients, enterprise, code) for code in ("ALPHA", "OMEGA", "SIGMA")}
    below = {"parent_id": found["ALPHA"].unit, "reason": "One business unit of two"}
    moved = await clients["portfolio"].post(f"/units/{found['SIGMA'].department}/move", json=below)
    assert moved.status_code < 300, moved.text
    await served.settled()
    return found


@pytest.fixture(scope="module")
async def of_keycloak(keycloak: TemporaryKeycloak) -> AsyncIterator[Issuers]:
    async with keycloak.another() as other:
        yield await keycloak_issuers(keycloak, other)


@pytest.fixture(scope="module")
def of_a_file(tmp_path_factory: pytest.TempPathFactory) -> Issuers:
    return local_issuers(tmp_path_factory.mktemp("issuers"))


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("of_keycloak", id="keycloak", marks=pytest.mark.keycloak),
        pytest.param("of_a_file", id="local"),
    ],
)
def issuers(request: pytest.FixtureRequest) -> Issuers:
    found: Issuers = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
async def appointed(served: Served, worlds: Mapping[str, World], issuers: Issuers) -> Hosted:
    """Persons and a machine with places that they were appointed to."""
    issuer = issuers.trusted
    (unit,) = (await (await served.client("portfolio")).get("/units", params={"kind": "enterprise"})).json()
    places: Mapping[str, tuple[Role, str]] = {
        ENTERPRISE_OFFICER.username: ("pmo_officer", unit["unit_id"]),
        BUSINESS_UNIT_OFFICER.username: ("pmo_officer", worlds["ALPHA"].unit),
        DEPARTMENT_VIEWER.username: ("viewer", worlds["SIGMA"].department),
        INTEGRATION: ("integration", unit["unit_id"]),
    }
    for name, (role, place) in places.items():
        await appoint(served, role, Principal(Actor(id_in(issuer.tokens[name]), name), "tests"), unit=place)
    await served.settled()
    return await hosted(served, issuer)


@pytest.fixture(scope="module")
async def grouped(served: Served, worlds: Mapping[str, World], issuers: Issuers) -> Hosted:
    """Others, whom nobody appointed: their issuer's groups are roles."""
    return await hosted(served, issuers.another, GROUPS)


@pytest.fixture(params=["appointed", "grouped"])
def placed(request: pytest.FixtureRequest, appointed: Hosted, grouped: Hosted) -> Hosted:
    return {"appointed": appointed, "grouped": grouped}[request.param]


@pytest.mark.parametrize("service", NAMES)
@pytest.mark.parametrize("person", PERSONS, ids=lambda each: each.username)
async def test_each_sees_their_part_of_the_enterprise(
    placed: Hosted, worlds: Mapping[str, World], person: Person, service: str
) -> None:
    path, thing = LISTED[service]
    scope = {"scope": SCOPES[person]} if service == "reporting" else None
    answer = await placed.ask(service, person.username, path, params=scope)
    assert answer.status_code == 200, answer.text
    assert [code for code, each in worlds.items() if getattr(each, thing) in answer.text] == [*SEEN[person]]


@pytest.mark.parametrize("service", NAMES)
async def test_each_may_do_what_their_role_says_where_they_have_it(
    placed: Hosted, worlds: Mapping[str, World], service: str
) -> None:
    [operation] = [each for each in operations() if (each.service, each.name) == (service, COMMANDS[service])]

    async def status(person: Person, code: str) -> int:
        where = worlds[code]
        body = BODIES[operation.name](where) if operation.name in BODIES else None
        path = path_of(operation, where)
        answer = await placed.ask(service, person.username, path, operation.method, json=body)
        return answer.status_code

    assert await status(ENTERPRISE_OFFICER, "OMEGA") < 300
    assert await status(BUSINESS_UNIT_OFFICER, "OMEGA") == OUTSIDE[service]
    assert (await status(BUSINESS_UNIT_OFFICER, "SIGMA") < 300) == (service != "reporting")
    assert await status(DEPARTMENT_VIEWER, "SIGMA") == 403


async def test_whoever_has_neither_an_appointment_nor_a_group_with_a_role_is_known_and_may_nothing(
    served: Served, issuers: Issuers
) -> None:
    newcomers = await hosted(served, issuers.another)
    for person in PERSONS:
        await newcomers.all_answer(403, issuers.another.tokens[person.username])


async def test_a_machine_acts_for_itself_and_its_events_say_so(
    appointed: Hosted, served: Served, worlds: Mapping[str, World]
) -> None:
    where, name = worlds["OMEGA"], appointed.issuer.name
    own = {"source": name, "code": f"{name}-77", "person_id": str(derived_id("learner of", name))}
    own["project_id"] = str(derived_id("project of", name))
    commands = {
        "portfolio": ("/projects", "register_project", ("source", "code", "project_id")),
        "finance": ("/postings", "post_actual_cost", ("source",)),
        "risk": ("/risks", "raise_risk", ()),
        "training": ("/completions", "record_completion", ("person_id",)),
    }
    machine = f"{id_in(appointed.issuer.tokens[INTEGRATION])} {INTEGRATION}"
    for service, (path, command, changed) in commands.items():
        body = BODIES[command](where) | {each: own[each] for each in changed}
        done = await appointed.ask(service, INTEGRATION, path, "POST", json=body)
        assert done.status_code == 201, done.text
        seen = {"Consistency-Token": done.headers["Consistency-Token"]}
        events = (await (await served.client(service)).get("/events?limit=1000", headers=seen)).json()
        assert (machine, INTEGRATION) in {(event["actor"], event["client"]) for event in events}
    pitching = await appointed.ask("intake", INTEGRATION, "/pitches", "POST", json=BODIES["submit_pitch"](where))
    assert pitching.status_code == 403
    assert (await appointed.ask("reporting", INTEGRATION, "/views/portfolio_register")).status_code == 200


async def test_a_person_s_events_say_who_it_was_and_by_which_program(
    appointed: Hosted, served: Served, worlds: Mapping[str, World]
) -> None:
    body = BODIES["raise_risk"](worlds["ALPHA"])
    done = await appointed.ask("risk", BUSINESS_UNIT_OFFICER.username, "/risks", "POST", json=body)
    seen = {"Consistency-Token": done.headers["Consistency-Token"]}
    about = {"subject": f"risk-{done.json()['id']}"}
    (raised,) = (await (await served.client("risk")).get("/events", headers=seen, params=about)).json()
    officer = f"{id_in(appointed.issuer.tokens[BUSINESS_UNIT_OFFICER.username])} {BUSINESS_UNIT_OFFICER.job_title}"
    assert (raised["actor"], raised["client"]) == (officer, CLI)


@pytest.mark.parametrize("service", NAMES)
@pytest.mark.parametrize("wrong", REFUSED, ids=lambda wrong: wrong or "none")
async def test_a_token_that_is_not_right_is_refused_and_told_why(appointed: Hosted, wrong: str, service: str) -> None:
    token = appointed.issuer.wrong[wrong] if wrong else ""
    answer = await appointed.shown(service, token, LISTED[service][0])
    status, code, said = REFUSED[wrong]
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:steerco:problem:{code}"), answer.text
    assert re.search(said, answer.json()["detail"]), answer.text
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.keycloak
async def test_an_id_token_is_refused_also_by_a_realm_that_puts_the_audience_into_it(
    served: Served, worlds: Mapping[str, World], keycloak: TemporaryKeycloak
) -> None:
    async with keycloak.another(_generous_realm) as generous:
        given = await generous.admin.password_tokens(CLI, ENTERPRISE_OFFICER.username, ENTERPRISE_OFFICER.password)
        services = await hosted(served, await realm_trusted(generous), GROUPS)
        assert "steerco" in claims_of(given["id_token"])["aud"]
        await services.all_answer(401, given["id_token"])
        answer = await services.shown("risk", given["id_token"], "/risks")
        assert answer.json()["detail"].endswith("typ must be that of an access token")
        await services.all_answer(200, given["access_token"])


def _generous_realm(name: str) -> Realm:
    realm = realm_for_tests(name)
    for mapper in (mapper for client in realm["clients"] for mapper in client["protocolMappers"]):
        mapper["config"]["id.token.claim"] = "true"
    return realm


async def test_a_token_is_good_until_its_time_is_over(appointed: Hosted) -> None:
    clock, token = appointed.issuer.clock, appointed.issuer.tokens[ENTERPRISE_OFFICER.username]
    began, second = clock.now(), timedelta(seconds=1)
    try:
        clock.advance(LASTS + LEEWAY - 2 * second)
        await appointed.all_answer(200, token)
        clock.advance(2 * second)
        await appointed.all_answer(401, token)
    finally:
        clock.set(began)
