"""By what the spans of a process are recorded, and where they go."""

import asyncio
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Tracer
from opentelemetry.util.re import parse_env_headers

from steerco_events import tracing
from steerco_events.ids import new_id
from steerco_service.telemetry import TelemetrySettings

TRACES_PATH = "/v1/traces"

EXPORT_SECONDS = 1.0
"""How long spans are gathered before they are sent."""

EXPORT_TIMEOUT_SECONDS = 5.0
FLUSH_SECONDS = 2.0
"""How long a process that ends waits for its last spans to be taken."""

QUIET_SECONDS = 60.0
"""How long nothing is said of a collector that takes nothing, after it was said."""

_tracer: Tracer = trace.NoOpTracer()


def tracer() -> Tracer:
    """What makes the spans of requests."""
    return _tracer


class Tracing:
    """What records the spans of a process."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider

    async def stop(self) -> None:
        """Make no more spans, and send those that were not sent yet, as far as they are taken within some seconds."""
        tracing.record_by(None)
        stopped, loop = asyncio.Event(), asyncio.get_running_loop()

        def shut_down() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # nobody waits any more
                loop.call_soon_threadsafe(stopped.set)

        # A thread that nobody has to wait for: the collector may not answer.
        threading.Thread(target=shut_down, daemon=True, name="last spans").start()
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await stopped.wait()


def install_tracing(
    process: str,
    settings: TelemetrySettings | None = None,
    *,
    role: str = "",
    processors: Sequence[SpanProcessor] = (),
) -> Tracing:
    """Have the process know the trace of each request, and every event carry it, whether it is recorded or not.

    Spans go to the collector that the settings name, and to the `processors`. Where they go nowhere, none are made but
    those of requests whose caller records them.
    """
    global _tracer
    settings = settings or TelemetrySettings.model_construct()
    takers = [*processors, *_exporting(settings)]
    about = {
        "service.name": process,
        "service.version": version("steerco-service"),
        "service.instance.id": str(new_id()),
        "steerco.role": role,
    }
    resource = Resource.create({name: value for name, value in about.items() if value})
    provider = TracerProvider(settings.sampler, resource, shutdown_on_exit=False)
    for each in takers:
        provider.add_span_processor(each)
    _tracer = provider.get_tracer("steerco")
    tracing.record_by(provider if takers else None)
    return Tracing(provider)


def install_tracing_once(process: str) -> None:
    """The same, where nobody has done it yet."""
    if isinstance(_tracer, trace.NoOpTracer):
        install_tracing(process)


def _exporting(settings: TelemetrySettings) -> Iterator[SpanProcessor]:
    """What sends spans to a collector, from a thread of its own; what it does not take in time is lost."""
    if settings.otlp_endpoint:
        url = settings.otlp_endpoint.rstrip("/") + TRACES_PATH
        headers = dict(parse_env_headers(settings.otlp_headers, liberal=True))
        exporter = OTLPSpanExporter(url, headers=headers, timeout=EXPORT_TIMEOUT_SECONDS)
        logging.getLogger(OTLPSpanExporter.__module__).addFilter(_NowAndThen())
        yield BatchSpanProcessor(exporter, schedule_delay_millis=EXPORT_SECONDS * 1000)


class _NowAndThen(logging.Filter):
    """Lets a complaint pass now and then: the collector may be away for long."""

    def __init__(self) -> None:
        super().__init__()
        self._passed_at = -QUIET_SECONDS

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is time for one."""
        now = time.monotonic()
        if now - self._passed_at < QUIET_SECONDS:
            return False
        self._passed_at = now
        return True
