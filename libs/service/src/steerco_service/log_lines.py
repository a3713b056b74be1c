"""How a process writes its logs: a JSON object in each line, which names the trace that it was written in."""

import logging
import sys
from datetime import UTC, datetime

import msgspec
from opentelemetry import trace

from steerco_service.telemetry import LogFormat

_logger = logging.getLogger("steerco")


class JsonLines(logging.Formatter):
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


def install_logging(form: LogFormat | None, service: str, role: str, *, default: LogFormat | None = None) -> None:
    """Write logs to stderr in that form; if none is told: the default or, without one, text on a terminal, else json.

    Text is written as Python does by itself.
    """
    chosen = form or default or ("text" if sys.stderr.isatty() else "json")
    if chosen == "json":
        handler = logging.StreamHandler()
        handler.setFormatter(JsonLines(service, role))
        logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
        sys.excepthook = lambda kind, error, at: _logger.critical("ends by a fault", exc_info=(kind, error, at))
