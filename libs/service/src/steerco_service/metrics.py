"""The list of metrics goes on: those of HTTP, of commands and of answers."""

from steerco_events.metrics import METRICS as METRICS
from steerco_events.metrics import SECONDS

AGES = (1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 86400)

HTTP_REQUESTS = METRICS.counter(
    "steerco_http_requests_total",
    "request",
    ["service", "route", "method", "status"],
    "Requests that were answered, or broken off, those in a batch among them. `route` is the path's pattern, "
    "`unmatched` where there is none; `status` is the class of the answer, such as 2xx; `none` where it was broken off "
    "before.",
)
HTTP_SECONDS = METRICS.histogram(
    "steerco_http_request_duration_seconds",
    "second",
    ["service", "route", "method"],
    "How long it took until a request was answered whole; event streams are left out.",
    SECONDS,
)
COMMANDS = METRICS.counter(
    "steerco_commands_total",
    "command",
    ["service", "operation", "outcome", "code"],
    "Commands by their operation and what came of them: `accepted`; `unchanged`, it was so already; `repeated`, its "
    "key was accepted before; `conflict`, others came between; `invalid`, it could not be read; `refused`; `failed`; "
    "`unanswered`, it was broken off, done or not. `code` is the problem's, where there is one.",
)
STREAMS = METRICS.gauge("steerco_event_streams_open", "stream", ["service"], "Event streams that are being read now.")
CONNECTIONS = METRICS.sampled(
    "steerco_database_connections_used", "connection", ["service"], "Connections to the database that are in use now."
)
POOL_SIZE = METRICS.sampled(
    "steerco_database_pool_connections", "connection", ["service"], "Connections that the process keeps, used or not."
)
ANSWER_AGE = METRICS.histogram(
    "steerco_answer_age_seconds",
    "second",
    ["service", "scope"],
    "How old the least known log was that an answer about now stands on, by the kind of unit that was asked about: "
    "`enterprise`, `business_unit` or `department`.",
    AGES,
)
