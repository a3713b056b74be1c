"""A service's OpenAPI as it is asked by: with examples that name what there is, so that much of it is accepted."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from fastapi import FastAPI

from tests.access.operations import BODIES
from tests.access.worlds import World


def described(app: FastAPI, world: World, known: Mapping[str, Sequence[str]]) -> Mapping[str, Any]:
    """The description, where each path and body that can name things of this world does so once."""
    document = deepcopy(app.openapi())
    for route in app.state.operations:
        for method in route.methods if route.include_in_schema else ():
            operation = document["paths"][route.path_format][method.lower()]
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    parameter["example"] = known[parameter["name"]][0]
            if "requestBody" in operation and route.name in BODIES:
                operation["requestBody"]["content"]["application/json"]["example"] = BODIES[route.name](world)
    return document
