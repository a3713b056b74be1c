"""What holds for every operation of every service, read from its own OpenAPI description."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from steerco_events.ids import new_id
from steerco_service.testkit.serving import Served

type OpenApi = Callable[[Served], dict[str, dict[str, Any]]]

HEALTH = ("/livez", "/readyz", "/startupz")
BAD_VALUES: list[object] = ["a\x00b", "a\x1bb", "x" * 10_001, 1e300, [], {"a": "\x00"}, True]
BAD_BODIES = [
    b"{",
    b"",
    b"[]",
    b'"text"',
    b"null",
    b'{"\\ud800": 1}',
    b"{}x",
    b"\xff",
    b'{"amount": NaN}',
    b'{"amount": Infinity}',
    b'{"amount": 1e400}',
    b"[" * 100_000,
]


def operations(documents: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for service, document in documents.items():
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                yield service, method.upper(), path, operation


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema


def filled(path: str) -> str:
    while "{" in path:
        before, _, rest = path.partition("{")
        _, _, after = rest.partition("}")
        path = f"{before}{new_id()}{after}"
    return path


async def test_without_a_token_nothing_but_health_answers(served: Served, openapi: OpenApi) -> None:
    asked = 0
    for service, method, path, _ in operations(openapi(served)):
        transport = httpx.ASGITransport(served.apps[service])
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as anyone:
            answer = await anyone.request(method, filled(path), json={} if method != "GET" else None)
        expected = answer.status_code in (200, 204) if path in HEALTH else answer.status_code == 401
        assert expected, f"{service} {method} {path}: {answer.status_code}"
        asked += 1
    assert asked > 60


async def test_every_operation_is_described_and_named_once(served: Served, openapi: OpenApi) -> None:
    for service, document in openapi(served).items():
        names = Counter(operation["operationId"] for _, _, _, operation in operations({service: document}))
        assert not [name for name, count in names.items() if count > 1]
        for _, method, path, operation in operations({service: document}):
            assert operation.get("summary"), f"{service} {method} {path} has no summary"
            assert operation.get("description"), f"{service} {method} {path} has no description"


async def test_every_body_has_an_example(served: Served, openapi: OpenApi) -> None:
    without = []
    for service, document in openapi(served).items():
        for _, method, path, operation in operations({service: document}):
            if "requestBody" in operation:
                content = operation["requestBody"]["content"]["application/json"]["schema"]
                schema = resolved(document, content)
                if not any("examples" in field for field in schema["properties"].values()):
                    without.append(f"{service} {method} {path}")
    assert without == []


async def test_a_bad_body_is_a_clear_refusal_and_never_a_fault(
    served: Served, clients: dict[str, httpx.AsyncClient], openapi: OpenApi
) -> None:
    for service, method, path, operation in operations(openapi(served)):
        if "requestBody" not in operation:
            continue
        for content in BAD_BODIES:
            answer = await clients[service].request(
                method, filled(path), content=content, headers={"Content-Type": "application/json"}
            )
            assert answer.status_code in (400, 422), f"{service} {method} {path} {content[:20]!r}: {answer.text}"
            assert answer.headers["Content-Type"] == "application/problem+json"


async def test_every_text_field_refuses_control_characters_and_too_much(
    served: Served, clients: dict[str, httpx.AsyncClient], openapi: OpenApi
) -> None:
    for service, document in openapi(served).items():
        for _, method, path, operation in operations({service: document}):
            if "requestBody" not in operation or path == "/batch":
                continue
            schema = resolved(document, operation["requestBody"]["content"]["application/json"]["schema"])
            for field, kind in schema["properties"].items():
                for value in (each for each in BAD_VALUES if kind.get("type") != "boolean" or each is not True):
                    answer = await clients[service].request(method, filled(path), json={field: value})
                    assert answer.status_code == 422, f"{service} {method} {path} {field}={value!r}: {answer.text}"
                    pointers = [error["pointer"] for error in answer.json()["errors"]]
                    assert any(pointer == f"/{field}" or pointer.startswith(f"/{field}/") for pointer in pointers), (
                        f"{service} {method} {path} {field}={value!r}: {pointers}"
                    )


async def test_a_day_is_iso_text_and_nothing_that_could_be_taken_for_one(
    served: Served, clients: dict[str, httpx.AsyncClient], openapi: OpenApi
) -> None:
    asked = 0
    for service, document in openapi(served).items():
        for _, method, path, operation in operations({service: document}):
            if "requestBody" not in operation or path == "/batch":
                continue
            schema = resolved(document, operation["requestBody"]["content"]["application/json"]["schema"])
            for field, kind in schema["properties"].items():
                kinds = [resolved(document, each) for each in kind.get("anyOf", [kind])]
                if "date" in (each.get("format") for each in kinds):
                    for value in (0, "86400", "2026-09-20T00:00:00Z", "20260920", "2026-02-30", "٢٠٢٦-٠٩-٢٠"):
                        answer = await clients[service].request(method, filled(path), json={field: value})
                        assert answer.status_code == 422
                        assert f"/{field}" in [error["pointer"] for error in answer.json()["errors"]], (
                            f"{path} {value!r}"
                        )
                        asked += 1
    assert asked


async def test_path_and_query_parameters_of_the_wrong_type_are_refused(
    served: Served, clients: dict[str, httpx.AsyncClient], openapi: OpenApi
) -> None:
    for service, method, path, operation in operations(openapi(served)):
        if method != "GET" or path in HEALTH:
            continue
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "query":
                answer = await clients[service].get(filled(path), params={parameter["name"]: "\x00"})
                assert answer.status_code < 500, f"{service} {path}?{parameter['name']}: {answer.text}"
