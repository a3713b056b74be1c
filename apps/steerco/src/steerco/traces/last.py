"""The trace of each command: its id is made here, so that it is known whatever becomes of the command."""

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path

from steerco_servers.directory import write_private

_FILE = "last-trace.json"


def new_trace() -> str:
    """A trace of its own, as a `traceparent` that asks to have it recorded (W3C trace context)."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def trace_id_of(traceparent: str) -> str:
    """The trace's id."""
    return traceparent.split("-")[1]


def remember(trace_id: str) -> None:
    """Keep it as the last; where nothing can be kept, it is not."""
    with suppress(OSError):
        _file().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(_file(), {"trace_id": trace_id})


def remembered() -> str | None:
    """The last one, if one was kept."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(_file().read_text())["trace_id"])
    return None


def _file() -> Path:
    """Beside the data of the edition that is named, else in `$XDG_STATE_HOME`, else in `~/.local/state`."""
    if named := os.environ.get("STEERCO_DATA_DIR"):
        return Path(named) / _FILE
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "steerco" / _FILE
