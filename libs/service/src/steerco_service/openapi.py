"""What OpenAPI says of the answers of every operation: derived here, once, from what its route is made of."""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from steerco_service.access.permissions import Permission
from steerco_service.asking import asker_of
from steerco_service.call import call_of
from steerco_service.conditions import DESCRIBED
from steerco_service.headers import CONSISTENCY_TOKEN
from steerco_service.identity.discovery import DISCOVERY, is_trustworthy
from steerco_service.problems import MEDIA_TYPE
from steerco_service.reading import page_of
from steerco_service.traced_requests import TracedRequests

type Json = MutableMapping[str, Any]

PROBLEM: Mapping[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "Why a request was refused (RFC 9457).",
    "properties": {
        "type": {"type": "string", "pattern": "^urn:steerco:problem:[a-z0-9-]+$", "description": "The rule."},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "The field, the rule and the value."},
        "trace_id": {
            "type": "string",
            "pattern": "^[0-9a-f]{32}$",
            "description": "The trace of the request (W3C trace context): by it operations find what happened.",
        },
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "in": {"type": "string", "description": "`body`, `query`, `path` or `header`."},
                    "pointer": {"type": "string", "description": "The field (RFC 6901)."},
                    "detail": {"type": "string"},
                },
                "required": ["pointer", "detail"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["type", "title", "status", "detail"],
    "additionalProperties": False,
}

CREATED: Mapping[str, Any] = {
    "type": "object",
    "title": "Created",
    "description": "What was made.",
    "properties": {"id": {"type": "string", "format": "uuid"}},
    "required": ["id"],
    "additionalProperties": False,
}

_WHEN = {
    400: "The request can't be read.",
    401: "There is no valid token.",
    403: "It is seen, but may not be done; the roles that may are named.",
    404: "There is no such thing, or it is outside of the caller's roles.",
    409: "The thing is in a state in which this can't be done, or the log was restored to before what a token covers.",
    412: "`If-Match` names another version.",
    413: "The body, or an event of it, is too large.",
    415: "The body is not said to be JSON.",
    422: "A field breaks a rule.",
    429: "Too much is asked at once; nothing was done.",
    431: "The head of the request is too large.",
    500: "A fault of ours, which was logged.",
    503: "Not now.",
}
_OF_ALL = (400, 413, 415, 422, 429, 431, 500, 503)

_HEADERS: Mapping[str, Mapping[str, Any]] = {
    "ETag": {"description": "The version of the stream, for `If-Match`.", "schema": {"pattern": '^"[0-9]+"$'}},
    CONSISTENCY_TOKEN: {"description": "Covers the command's events, for a later request.", "schema": {}},
    "Location": {"description": "Where it is.", "schema": {"format": "uri-reference"}},
    "Link": {"description": "Where the next page is, if there is one.", "schema": {}},
    "Retry-After": {"description": "In how many seconds to ask again.", "schema": {"pattern": "^[0-9]+$"}},
    "WWW-Authenticate": {"description": "Which claim or rule it is (RFC 6750).", "schema": {"pattern": "^Bearer"}},
}
_HEADERS_OF_PROBLEMS = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}


def security_schemes(issuer: str) -> dict[str, Mapping[str, Any]]:
    """How to show a token: as a bearer token; of an issuer with an address, as its discovery document tells."""
    description = f"An access token of {issuer}."
    schemes: dict[str, Mapping[str, Any]] = {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": description}
    }
    if is_trustworthy(issuer):
        url = issuer.rstrip("/") + DISCOVERY
        schemes["openIdConnect"] = {"type": "openIdConnect", "openIdConnectUrl": url, "description": description}
    return schemes


class DescribedApp(FastAPI):
    """An application whose description names every answer that its operations give.

    `state.operations` are its routes, `state.permissions` who may call them, `state.runtime` says whose tokens count.
    """

    def build_middleware_stack(self) -> ASGIApp:
        """Called by Starlette: everything is inside a span, also what answers after a fault."""
        return TracedRequests(super().build_middleware_stack(), self.state.runtime.service.name)

    def openapi(self) -> dict[str, Any]:
        """The description; made once."""
        if self.openapi_schema is None:
            schemes = security_schemes(self.state.runtime.authenticator.issuer)
            describe(super().openapi(), self.state.operations, self.state.permissions, schemes)
        return super().openapi()


def describe(
    document: Json,
    routes: Sequence[APIRoute],
    permissions: Mapping[str, Permission],
    schemes: Mapping[str, Mapping[str, Any]],
) -> None:
    """Complete FastAPI's description of these routes."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas |= {"Problem": PROBLEM, "Created": CREATED}
    components["securitySchemes"] = schemes
    components["responses"] = {
        f"Problem{status}": _problem(status, {"description": when}) for status, when in _WHEN.items()
    }
    for route in routes:
        for method in (route.methods or ()) if route.include_in_schema else ():
            operation = document["paths"][route.path_format][method.lower()]
            _describe(operation, route, permissions[route.name], schemas)
            if permissions[route.name].needs_token:
                operation["security"] = [{name: []} for name in schemes]
    _link(document["paths"])


def _describe(operation: Json, route: APIRoute, permission: Permission, schemas: Mapping[str, Any]) -> None:
    """Complete the description of one operation."""
    made_of = set(_made_of(route.dependant))
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _of_parameter(parameter["schema"], schemas)
    if call_of in made_of:
        described = [{**each, "in": "header", "required": False} for each in DESCRIBED]
        operation["parameters"] = [*operation.get("parameters", ()), *described]
    answers = operation["responses"]
    for status in (*_OF_ALL, *_problems(route, permission, made_of)):
        answers[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
    for known, said in route.responses.items():
        if int(known) >= 400:
            answers[str(known)] = _problem(int(known), said)
    for given, answer in answers.items():
        if given.startswith("2"):
            _describe_success(given, answer, route, made_of)
    operation["responses"] = dict(sorted(answers.items()))


def _made_of(dependant: Dependant) -> Iterator[object]:
    """The functions of a route and of all that it depends on."""
    for each in dependant.dependencies:
        yield each.call
        yield from _made_of(each)


def _problems(route: APIRoute, permission: Permission, made_of: set[object]) -> Iterator[int]:
    """The refusals that come of what a route is made of, beside those that every operation has."""
    if permission.needs_token:
        yield 401
    if permission.needs_role or permission.is_for_services:
        yield 403
    if route.param_convertors or call_of in made_of:
        yield 404
    if asker_of in made_of:
        yield 409
    if call_of in made_of:
        yield 412


def _problem(status: int, said: Mapping[str, Any]) -> Json:
    """The answer of a problem, as the route says when it comes, and perhaps by an example."""
    content = {**said.get("content", {}).get(MEDIA_TYPE, {}), "schema": {"$ref": "#/components/schemas/Problem"}}
    answer: Json = {"description": said["description"], "content": {MEDIA_TYPE: content}}
    if status in _HEADERS_OF_PROBLEMS:
        answer["headers"] = _headers(_HEADERS_OF_PROBLEMS[status], required=True)
    return answer


def _describe_success(status: str, answer: Json, route: APIRoute, made_of: set[object]) -> None:
    headers = answer.setdefault("headers", {})
    if call_of in made_of:
        headers |= _headers("ETag", CONSISTENCY_TOKEN, required=True)
        answer["description"] = "Done."
    if call_of in made_of and status == "201":
        headers |= _headers("Location", required=True)
        answer["description"] = "It was made."
        answer["content"] = {"application/json": {"schema": {"$ref": "#/components/schemas/Created"}}}
    if page_of in made_of:
        headers |= _headers("Link", required=False)
    elif route.dependant.response_param_name:
        headers |= _headers("ETag", required=False)
    if not headers:
        del answer["headers"]


def _headers(*names: str, required: bool) -> dict[str, Any]:
    return {
        name: {
            "description": _HEADERS[name]["description"],
            "required": required,
            "schema": {"type": "string", **_HEADERS[name]["schema"]},
        }
        for name in names
    }


def _of_parameter(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a parameter, in its place: one that is not given is absent, not null."""
    kinds = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(kinds) == 1:
        schema = {**kinds[0], **{name: value for name, value in schema.items() if name != "anyOf"}}
    if "$ref" in schema:
        named = schemas[schema["$ref"].rpartition("/")[2]]
        schema = {**named, **{name: value for name, value in schema.items() if name != "$ref"}}
    return schema


def _link(paths: Mapping[str, Json]) -> None:
    """Link what was made among some to the operations on one of them."""
    for among, operations in paths.items():
        made = operations.get("post", {}).get("responses", {}).get("201")
        if made is None:
            continue
        links = {}
        for path, of_one in paths.items():
            name, _, rest = path.removeprefix(f"{among}/{{").partition("}")
            if path.startswith(f"{among}/{{") and "{" not in rest:
                for operation in of_one.values():
                    links[operation["operationId"]] = {
                        "operationId": operation["operationId"],
                        "parameters": {name: "$response.body#/id"},
                    }
        if links:
            made["links"] = links
