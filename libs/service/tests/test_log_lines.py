"""What a process logs is a JSON object in each line, which names the trace that it was written in."""

import json
import logging
import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from steerco_events.trace_contexts import trace_id
from steerco_servers.testing import TemporaryPostgres
from steerco_service.log_lines import JsonLines, TextLines

TITLE = "Acquire Lumina"
CRASH = """
from steerco_service.log_lines import install_logging
install_logging({form!r}, "risk", "worker")
import logging
logging.getLogger("steerco.events").warning("the relay %s", "stands still")
logging.getLogger("steerco.events").info("nobody needs to know")
raise RuntimeError("it broke")
"""


def record(message: str = "%s is away", *arguments: object, error: Exception | None = None) -> logging.LogRecord:
    of_error = (type(error), error, None) if error else None
    return logging.LogRecord("steerco.relay", logging.WARNING, __file__, 1, message, arguments, of_error)


def said(of: logging.LogRecord) -> dict[str, str]:
    line = JsonLines("risk", "worker").format(of)
    assert "\n" not in line
    found: dict[str, str] = json.loads(line)
    assert found.pop("time").endswith("+00:00")
    return found


def test_a_line_says_when_how_bad_who_and_what() -> None:
    assert said(record("%s is away", "the broker")) == {
        "level": "warning",
        "logger": "steerco.relay",
        "message": "the broker is away",
        "service": "risk",
        "role": "worker",
    }


def test_an_exception_is_in_the_same_line() -> None:
    found = said(record("it failed", error=ValueError("two\nlines")))
    assert found["exception"] == "ValueError: two\nlines"


@pytest.mark.parametrize("form", [JsonLines("risk", "worker"), TextLines()])
def test_an_exception_that_is_asked_for_where_there_is_none_costs_no_line(form: logging.Formatter) -> None:
    of = logging.LogRecord("steerco", logging.ERROR, __file__, 1, "it failed", (), (None, None, None))
    assert "it failed" in form.format(of)


def test_a_line_names_the_trace_that_it_was_written_in() -> None:
    with TracerProvider().get_tracer("tests").start_as_current_span("something") as span:
        found = said(record("here"))
        assert found["trace_id"] == trace_id()
    assert found["span_id"] == f"{span.get_span_context().span_id:016x}"


def crashed(form: str | None) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", CRASH.format(form=form)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    return done.stderr.splitlines()


@pytest.mark.parametrize("form", ["json", None])
def test_a_process_that_is_on_no_terminal_says_all_of_it_in_json_also_why_it_ends(form: str | None) -> None:
    warned, ended = map(json.loads, crashed(form))
    assert (warned["logger"], warned["message"]) == ("steerco.events", "the relay stands still")
    assert (ended["level"], ended["message"]) == ("critical", "ends by a fault")
    assert ended["exception"].endswith("RuntimeError: it broke")


def test_a_line_of_text_ends_with_its_trace_if_it_has_one() -> None:
    assert TextLines().format(record("%s is away", "the broker")) == "the broker is away"
    with TracerProvider().get_tracer("tests").start_as_current_span("something"):
        trace = trace_id()
        line, *_, last = TextLines().format(record("it failed", error=ValueError("why"))).splitlines()
    assert (line, last) == (f"it failed (trace {trace})", "ValueError: why")


def test_text_is_as_python_writes_it() -> None:
    warned, *_, ended = crashed("text")
    assert (warned, ended) == ("the relay stands still", "RuntimeError: it broke")


async def test_the_row_that_a_statement_failed_with_is_in_no_form_of_a_log(postgres: TemporaryPostgres) -> None:
    async with postgres.databases("risk") as databases:
        engine = create_async_engine(databases["risk"].owner_url, poolclass=NullPool)
        async with engine.begin() as tx:
            await tx.execute(text("CREATE TABLE risks (code text NOT NULL, title text)"))
            with pytest.raises(IntegrityError) as raised:
                await tx.execute(text("INSERT INTO risks (title) VALUES (:title)"), {"title": TITLE})
    of = record("it failed", error=raised.value)
    for written in (said(of)["exception"], TextLines().format(of)):
        assert 'null value in column "code" of relation "risks" violates not-null constraint' in written
        assert TITLE not in written
