"""The page of the documentation that lists every event with what it means and a sample of its data.

`python -m steerco_events.testkit.event_page docs/reference/events.md` writes it anew.
"""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from steerco_events.contracts import finance, intake, portfolio, risk, training
from steerco_events.contracts.catalog import CATALOG
from steerco_events.registry import EventType
from steerco_events.testkit.golden import example

_HEAD = """# Events

*Written by `make docs` from the contracts; a test compares.*

What happened, as the services publish it: each event on its service's Kafka topic `steerco.<service>.events.v1`, \
as a [CloudEvents 1.0](https://cloudevents.io) message in binary mode, keyed by its stream.

## What every event carries
| header | meaning |
| --- | --- |
| `ce_specversion` `ce_source` `ce_type` `ce_dataschema` `content-type` | `1.0`; \
`urn:steerco:<service>`; the type below, without a version; \
`urn:steerco:<service>:<event>:<version>`; `application/json` |
| `ce_id` | the event's id (uuid5 of its command): the same event delivered twice has the same |
| `ce_subject` `ce_partitionkey` | the stream: what it happened to, such as `project-<id>` |
| `ce_streamversion` | its place in the stream, from 1 without a gap |
| `ce_sequence` `ce_loggeneration` | its position in the service's log (grows, may have gaps; zero-padded), and the \
generation of the log |
| `ce_time` `ce_sealedat` `ce_validat` | recorded; sealed, which is what *as of* means; when it was true, \
if at another instant |
| `ce_actor` `ce_client` `ce_reason` | who (an id and a job title, never a name), through which client, \
and why, if they said |
| `ce_correlationid` `ce_causationid` `ce_traceparent` | the command at the beginning of it all; the event or \
command that led to it; the trace |
| `ce_orgunits` | the units that the writer believed concerned; for filters, never for decisions |

Money is `{"amount": "1250000.50", "currency": "GBP"}`, decimal text at the currency's own decimals. A figure is \
`disclosed` (with `money`), `undisclosed` (with the words that were `said`) or `not_stated`. Contracts only \
grow: a reader passes over fields that it does not know.
"""


def event_page() -> str:
    """The text of the page."""
    return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    for module, registry in (
        (intake, intake.INTAKE),
        (portfolio, portfolio.PORTFOLIO),
        (finance, finance.FINANCE),
        (risk, risk.RISK),
        (training, training.TRAINING),
    ):
        yield f"## {registry.service}\n\n{inspect.getdoc(module)}\n"
        for event_type in CATALOG:
            if event_type.name.startswith(f"steerco.{registry.service}."):
                yield _event(event_type)


def _event(event_type: EventType) -> str:
    sample = msgspec.json.format(msgspec.json.encode(example(event_type)), indent=2).decode()
    title = f"### {event_type.name.rpartition('.')[2]}\n\n`{event_type.name}`, version {event_type.version}."
    return f"{title} {inspect.getdoc(event_type.payload)}\n\n```json\n{sample}\n```\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(event_page(), encoding="utf-8")
