"""What a service's OpenAPI promises of its answers."""

from importlib.metadata import version
from typing import Any

import pytest

from steerco_service.openapi import security_schemes
from steerco_service.testkit.serving import Served


@pytest.fixture
def document(served: Served) -> dict[str, Any]:
    return served.apps["risk"].openapi()


def refusals(operation: dict[str, Any]) -> set[str]:
    return {status for status in operation["responses"] if status >= "400"}


ALL = {"400", "413", "415", "422", "429", "431", "500", "503"}


def test_it_is_of_the_release_that_serves_it(document: dict[str, Any]) -> None:
    assert document["info"]["version"] == version("steerco-service")


def test_what_needs_no_token_refuses_nobody_and_all_else_names_its_scheme(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for path, operations in document["paths"].items():
        for operation in operations.values():
            is_open = path in ("/livez", "/readyz", "/startupz")
            assert ("security" not in operation) is is_open, path
            assert ("401" not in operation["responses"]) is is_open, path
            assert "authorization" not in [each["name"] for each in operation.get("parameters", ())], path


def test_an_issuer_with_an_address_is_told_by_its_discovery_document() -> None:
    schemes = security_schemes("https://login.example.org/realms/pmo/")
    assert schemes["openIdConnect"]["openIdConnectUrl"] == (
        "https://login.example.org/realms/pmo/.well-known/openid-configuration"
    )
    assert list(security_schemes("urn:steerco:local")) == ["bearer"]


def test_refusals_follow_from_what_an_operation_is_made_of(document: dict[str, Any]) -> None:
    paths = document["paths"]
    assert refusals(paths["/livez"]["get"]) == ALL
    assert refusals(paths["/things"]["get"]) == ALL | {"401", "403", "409"}
    assert refusals(paths["/things/{thing_id}"]["get"]) == ALL | {"401", "403", "404", "409"}
    assert refusals(paths["/things"]["post"]) == ALL | {"401", "403", "404", "409", "412"}
    assert refusals(paths["/events"]["get"]) == ALL | {"401", "403", "406", "409"}
    assert "403" not in paths["/batch"]["post"]["responses"], "whoever is signed in may send one"


def test_every_refusal_is_a_problem(document: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for operations in document["paths"].values():
        for operation in operations.values():
            for status in refusals(operation):
                answer = operation["responses"][status]
                if "$ref" in answer:
                    answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
                (content,) = answer["content"].items()
                assert content[0] == "application/problem+json"
                assert content[1]["schema"] == {"$ref": "#/components/schemas/Problem"}
                assert ("Retry-After" in answer.get("headers", {})) is (status in ("429", "503"))
                assert ("WWW-Authenticate" in answer.get("headers", {})) is (status == "401")


def test_a_command_promises_version_and_token_and_where_to_find_what_it_made(document: dict[str, Any]) -> None:
    made = document["paths"]["/things"]["post"]["responses"]["201"]
    assert {name for name, each in made["headers"].items() if each["required"]} == {
        "ETag",
        "Consistency-Token",
        "Location",
    }
    assert made["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Created"}
    linked = {each["operationId"] for each in made["links"].values()}
    one = document["paths"]["/things/{thing_id}"]["get"]
    assert one["operationId"] in linked


def test_lists_promise_a_link_and_records_their_version(document: dict[str, Any]) -> None:
    assert set(document["paths"]["/things"]["get"]["responses"]["200"]["headers"]) == {"Link"}
    assert set(document["paths"]["/things/{thing_id}"]["get"]["responses"]["200"]["headers"]) == {"ETag"}


def test_a_parameter_is_absent_and_never_null(document: dict[str, Any]) -> None:
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                assert {"type": "null"} not in parameter["schema"].get("anyOf", ()), parameter
