"""How schemathesis asks: which checks, how much, and with which things that there are."""

import json
from collections.abc import Mapping, Sequence

EXCLUDED: Mapping[str, str] = {
    "positive_data_acceptance": "a schema can't say all rules of the domain; a refusal by one of them is no failure",
    "object_level_authorization": "needs two users; tests/access asks for every role, inside and outside of its scope",
}
"""The checks that are left out, and why."""

NOT_FOR: Mapping[str, Sequence[str]] = {
    "^/log/parked/.*/(retry|skip)$": ("unsupported_method", "allow_header_conformance"),
}
"""The checks that are left out for some paths: a stream's name may have slashes, so GET there shows `…/retry`."""

REFUSED = (400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422, 429, 431)
"""By which of them what is wrong is refused does not matter."""

OFTEN = 0.5
"""How often what there is, is named."""


def configuration(known: Mapping[str, Sequence[str]]) -> str:
    """The configuration as TOML."""
    lines = [
        "continue-on-failure = true",
        "request-timeout = 60",
        "hooks = 'tests.schemas.checks'",
        "headers.Authorization = 'Bearer ${STEERCO_TOKEN}'",
        "warnings = false",
        "cache.enabled = false",
    ]
    lines += [f"checks.{name}.enabled = false" for name in EXCLUDED]
    lines.append(f"checks.negative_data_rejection.expected-statuses = {list(REFUSED)}")
    lines += [f"dictionaries.{name}.values = {json.dumps(values)}" for name, values in known.items()]
    for name in known:
        for place in ("path", "query", "body", "header"):
            binding = f"{{dictionary = {json.dumps(name)}, probability = {OFTEN}}}"
            lines.append(f"parameters.{json.dumps(f'{place}.{name}')} = {binding}")
    for paths, checks in NOT_FOR.items():
        lines += [
            "[[operations]]",
            f"include-path-regex = '{paths}'",
            *(f"checks.{each}.enabled = false" for each in checks),
        ]
    lines += ["[[operations]]", "include-path = '/events'", "parameters.wait = 0"]
    return "\n".join(lines) + "\n"
