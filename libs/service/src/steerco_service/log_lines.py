"""How a process writes its logs: a JSON object in each line, or text. Both name the trace that it was written in."""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec
from opentelemetry import trace

from steerco_events.saying import said_in_full
from steerco_events.trace_contexts import trace_id
from steerco_service.telemetry import LogFormat

_logger = logging.getLogger("steerco")


class _Lines(logging.Formatter):
    def formatException(self, ei: Any) -> str:
        """What of it may be said."""
        return said_in_full(ei[1]) if ei[1] else super().formatException(ei)


class JsonLines(_Lines):
    """A line has time (UTC), level, logger, message, service and role; where there are some, trace and exception."""

    def __init__(self, service: str, role: str) -> None:
        super().__init__()
        self._about = {"service": service, "role": role}

    def format(self, record: logging.LogRecord) -> str:
        """A record, written where it came to be: in the span that was current there."""
        line: dict[str, str] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._about,
        }
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            line |= {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


class TextLines(_Lines):
    """A message alone; where there is one, with its trace."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The message; an exception follows it."""
        message = super().formatMessage(record)
        found = trace_id()
        return f"{message} (trace {found})" if found else message


def install_logging(form: LogFormat | None, service: str, role: str, *, default: LogFormat | None = None) -> None:
    """Write logs to stderr in that form; if none is told: the default, else text on a terminal, json elsewhere."""
    chosen = form or default or ("text" if sys.stderr.isatty() else "json")
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(service, role) if chosen == "json" else TextLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=chosen == "json")
    if chosen == "json":
        sys.excepthook = lambda kind, error, at: _logger.critical("ends by a fault", exc_info=(kind, error, at))
    else:
        sys.excepthook = lambda kind, error, at: print(said_in_full(error), file=sys.stderr)
