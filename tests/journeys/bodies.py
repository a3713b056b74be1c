"""What is sent on the way from an idea to a project."""

from collections.abc import Mapping
from typing import Any


def unit(code: str, kind: str, parent_id: str | None = None) -> Mapping[str, Any]:
    """A unit, named by its code."""
    return {"code": code, "name": code, "kind": kind, "parent_id": parent_id}


def pitch(unit_id: str) -> Mapping[str, Any]:
    """An idea of a unit, which becomes the project LIC-01."""
    return {
        "title": "Licence register on line",
        "unit_id": unit_id,
        "project_code": "LIC-01",
        "currency": "EUR",
        "fields": {"problem": "Paper.", "outcome": "One register.", "sponsor": "Director of Licensing"},
    }
