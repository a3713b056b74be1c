"""The page of the documentation that lists every variable by which a process is told.

`python -m steerco.reference.settings_page docs/reference` writes `settings.md` anew.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from steerco.edition.services import SERVICES
from steerco_service.migrating import MigrationSettings
from steerco_service.serving import ROLES, needed_by, settings_of
from steerco_service.settings import EdgeSettings, ServiceSettings
from steerco_service.variables import variable_of

_HEAD = """# Settings

*Written by `make docs` from the settings that the code has; a test compares.*

A process is told by its environment, and by nothing else. A variable that is empty is as if it were not set. One that \
is missing or wrong is named when the process starts, which then ends with 1. A *secret* of ours may be in a file \
instead, which the variable with `_FILE` behind its name gives, such as `STEERCO_DATABASE_URL_FILE`.
"""

_NEEDED = """## What each role needs

| process | needs |
| --- | --- |"""

_EITHER = "`STEERCO_ISSUER` or `STEERCO_ISSUER_KEY`"

_TABLE = "| variable | meaning | unless it is set |\n| --- | --- | --- |"


def settings_page() -> str:
    """The text of the page."""
    of_service = [name for name in ServiceSettings.model_fields if name not in EdgeSettings.model_fields]
    return "\n".join(
        [
            _HEAD,
            *_needs(),
            "## Of an edition, and of each process of it\n",
            *_rows(EdgeSettings, EdgeSettings.model_fields),
            "",
            "## Of a service's process\n",
            *_rows(ServiceSettings, of_service),
            "",
            "## Of a migration, and of nothing else\n",
            *_rows(MigrationSettings, MigrationSettings.model_fields),
            "",
        ]
    )


def _needs() -> Iterator[str]:
    yield _NEEDED
    for role in ROLES:
        settings = settings_of(role)
        always = [name for name, field in settings.model_fields.items() if field.is_required()]
        either = [_EITHER] if "issuer" in settings.model_fields else []
        shared, *_ = (needed_by(each, role) for each in SERVICES if not each.keeps_keys)
        keeping, *_ = (needed_by(each, role) for each in SERVICES if each.keeps_keys)
        yield f"| `{role}` | {', '.join([*_named(settings, always), *either, *_named(settings, shared)])} |"
        yield f"| `{role}` of portfolio, beside | {', '.join(_named(settings, set(keeping) - set(shared)))} |"
    yield ""


def _named(settings: type[BaseSettings], names: Iterable[str]) -> Iterator[str]:
    return (f"`{variable_of(settings, name)}`" for name in names)


def _rows(settings: type[BaseSettings], names: Iterable[str]) -> Iterator[str]:
    yield _TABLE
    for name in names:
        field = settings.model_fields[name]
        secret = "" if field.repr else " *Secret.*"
        yield f"| `{variable_of(settings, name)}` | {field.description}{secret} | {_default(field)} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "the process does not start"
    default = field.default
    if default in (None, "", (), PydanticUndefined):
        return ""
    if isinstance(default, tuple):
        return f"`{','.join(map(str, default))}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def write(folder: Path) -> None:
    """Write the page anew."""
    (folder / "settings.md").write_text(settings_page(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
