"""The parameters that stand in an address: a name that nobody knows would widen or change the answer without a word."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant

from steerco_service.printing import printable
from steerco_service.problems import Problem, pointer_part


@dataclass(frozen=True, slots=True)
class Parameters:
    """Those that a route has, by their names, and whether each may be given several times."""

    known: Mapping[str, bool]

    @classmethod
    def of(cls, dependant: Dependant) -> Self:
        """Those of a route and of all that it depends on."""
        return cls(dict(_parameters(dependant)))

    def check(self, request: Request) -> None:
        """Raises a 422 `Problem` for one that is not known, or is given more often than once and may not."""
        if not request.scope["query_string"]:
            return
        names = [name for name, _ in request.query_params.multi_items()]
        for name in names:
            if name not in self.known:
                there = f"there is {', '.join(sorted(self.known))}" if self.known else "there is none"
                raise _problem("unknown-parameter", name, f"there is no parameter {printable(name)}; {there}")
            if not self.known[name] and names.count(name) > 1:
                raise _problem(
                    "repeated-parameter", name, f"{name} is given {names.count(name)} times; once is the most"
                )


def _parameters(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    for field in dependant.query_params:
        yield field.alias, get_origin(field.field_info.annotation) in (list, Sequence)
    for each in dependant.dependencies:
        yield from _parameters(each)


def _problem(code: str, name: str, detail: str) -> Problem:
    return Problem(422, code, detail, errors=[{"in": "query", "pointer": f"/{pointer_part(name)}", "detail": detail}])
