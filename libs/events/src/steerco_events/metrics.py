"""The list of metrics: those of the log and of what follows it. `steerco_service.metrics` goes on with those of HTTP.

`service` is who measures: whose log, whose consumer. `source` is whose log a consumer reads. `consumer` is a reaction,
or the view that a service builds, whatever build of it.
"""

from steerco_events.metering import Metrics

METRICS = Metrics()
"""All of them, and what this process has counted."""

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
COMMANDS = (1, 2, 4, 8, 16, 32, 64, 128, 256)

_CONSUMED = ("service", "consumer", "source")

APPEND_SECONDS = METRICS.histogram(
    "steerco_append_duration_seconds",
    "second",
    ["service"],
    "How long a transaction took that decides commands and appends what they lead to.",
    SECONDS,
)
APPEND_COMMANDS = METRICS.histogram(
    "steerco_append_batch_commands", "command", ["service"], "How many commands shared a transaction.", COMMANDS
)
LOG_POSITION = METRICS.sampled(
    "steerco_log_position", "position", ["service"], "Up to which position the log is sealed."
)
LOG_UNSEALED = METRICS.sampled(
    "steerco_log_unsealed_positions", "position", ["service"], "Positions that were drawn and are not sealed yet."
)
LOG_HELD = METRICS.sampled(
    "steerco_log_barrier_held_seconds",
    "second",
    ["service"],
    "For how long the oldest append that is under way has been open: nothing after it is sealed. 0: none is.",
)
LOG_AGE = METRICS.sampled(
    "steerco_log_watermark_age_seconds",
    "second",
    ["service"],
    "How long ago the log was complete up to now; some seconds while it is sealed.",
)
SEALS = METRICS.counter("steerco_seals_total", "seal", ["service"], "Seals that this process has made.")
SEALED_EVENTS = METRICS.counter(
    "steerco_sealed_events_total", "event", ["service"], "Events that this process has sealed."
)
SEALER_LEADER = METRICS.gauge(
    "steerco_sealer_leader",
    "leader",
    ["service"],
    "1 where this process is the one that seals the log, 0 in a standby.",
)
RELAY_LEADER = METRICS.gauge(
    "steerco_relay_leader",
    "leader",
    ["service"],
    "1 where this process is the one that publishes the log, 0 in a standby.",
)
RELAY_BEHIND = METRICS.sampled(
    "steerco_relay_behind_positions", "position", ["service"], "Sealed positions that are not published yet."
)
RELAY_PUBLISHED = METRICS.counter(
    "steerco_relay_published_events_total",
    "event",
    ["service"],
    "Events that this process has published; one that is published twice counts twice.",
)
RELAY_ERRORS = METRICS.counter(
    "steerco_relay_errors_total",
    "error",
    ["service"],
    "How often publishing was broken off, to go on from the checkpoint.",
)
CONSUMER_LAG = METRICS.gauge(
    "steerco_consumer_lag_positions",
    "position",
    [*_CONSUMED, "shard"],
    "Positions between what the consumer has applied and the end of the log, in the partition that is farthest behind, "
    "as the process that works on the shard knows. 0: it has all.",
)
CONSUMER_FRESHNESS = METRICS.sampled(
    "steerco_consumer_freshness_seconds",
    "second",
    [*_CONSUMED, "shard"],
    "How long ago the view had everything of the log that was sealed up to then. Views alone: a reaction keeps no "
    "watermark of a quiet log.",
)
CONSUMER_EVENTS = METRICS.counter(
    "steerco_consumer_events_total", "event", _CONSUMED, "Events that this process has applied, or set aside as parked."
)
CONSUMER_PARKED = METRICS.sampled(
    "steerco_consumer_parked_streams",
    "stream",
    ["service", "consumer"],
    "Streams that the consumer can't digest and has set aside.",
)
CONSUMER_STOPPED = METRICS.gauge(
    "steerco_consumer_stopped",
    "consumer",
    [*_CONSUMED, "shard"],
    "1 where it has stopped rather than park more streams than the limit allows, or because the log was restored to a "
    "point before what it has applied; else 0.",
)
CONSUMER_RESTARTS = METRICS.counter(
    "steerco_consumer_restarts_total",
    "restart",
    _CONSUMED,
    "How often the watchdog started it again: a step came to no end, or nothing came though the log goes on.",
)
TIMERS_DUE = METRICS.sampled("steerco_timers_due", "timer", ["service"], "Timers that are due and were not fired yet.")
TIMERS_FAILING = METRICS.sampled(
    "steerco_timers_failing", "timer", ["service"], "Timers whose firing failed; they are fired again later."
)
TIMERS_FIRED = METRICS.counter(
    "steerco_timers_taken_total", "timer", ["service"], "Due timers that this process has taken up: fired, or put off."
)
BUILDS = METRICS.sampled(
    "steerco_builds_in_progress", "build", ["service", "view"], "Builds of the view that are being made beside it."
)
LEASES = METRICS.sampled(
    "steerco_leases_held", "lease", ["service"], "Shards of consumers, and builds, that this process works on."
)
FAILING = METRICS.sampled(
    "steerco_work_failing",
    "work",
    ["service"],
    "Kinds of background work that failed in the last minute, and are tried again.",
)
