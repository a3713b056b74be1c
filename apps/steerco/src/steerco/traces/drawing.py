"""A trace as a tree in the terminal: what led to what, in which service, when and for how long."""

from collections.abc import Iterator, Mapping, Sequence

from rich.markup import escape
from rich.table import Table

from steerco.traces.spans import Span

BAR = 30
DURATION = 8
"""Columns of the longest one under a second."""

BETWEEN = 9
"""Columns between those of the table, and after them."""

LEAST = 10
NANOSECONDS = 1_000_000
SECOND = 1000.0
MOST_SHOWN = 200
"""Spans of one drawing."""


def drawn(trace_id: str, spans: Sequence[Span], width: int) -> Table:
    """A row for each span, below what led to it: a parent, or else the first that it links to.

    In so many columns, what was done is cut where there is too little room.
    """
    began, ended = min(span.began for span in spans), max(span.ended for span in spans)
    services = sorted({span.service for span in spans})
    counted = f"{len(spans)} {'span' if len(spans) == 1 else 'spans'}"
    title = f"trace {trace_id}: {counted} in {', '.join(services)}, {_duration(ended - began)}"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("service", no_wrap=True)
    left = width - max(len(each) for each in ("service", *services)) - 2 * DURATION - BAR - BETWEEN
    table.add_column("what", no_wrap=True, max_width=max(left, LEAST))
    for timed in ("after", "took"):
        table.add_column(timed, justify="right", no_wrap=True, width=DURATION)
    table.add_column("", no_wrap=True, width=BAR)
    for shown, (branch, span) in enumerate(_tree(spans)):
        if shown == MOST_SHOWN:
            table.add_row("", f"… and {len(spans) - shown} more", "", "", "")
            break
        table.add_row(
            escape(span.service),
            f"[dim]{branch}[/dim]{escape(_what(span))}",
            _duration(span.began - began),
            _duration(span.ended - span.began),
            _bar(span, began, ended),
            style="red" if span.is_failed else None,
        )
    return table


def _what(span: Span) -> str:
    """Its name, and what tells spans of the same name apart."""
    more = [str(span.attributes[name]) for name in ("steerco.consumer",) if name in span.attributes]
    more += [f"refused: {span.attributes['steerco.refusal']}"] if "steerco.refusal" in span.attributes else []
    more += [str(span.attributes["error.type"])] if "error.type" in span.attributes else []
    return f"{span.name} ({', '.join(more)})" if more else span.name


def _tree(spans: Sequence[Span]) -> Iterator[tuple[str, Span]]:
    """The spans with the branches before them. What led to one may be unknown; no span is left out, or shown twice."""
    known = {span.id for span in spans}
    below: dict[str, list[Span]] = {}
    for span in spans:
        causes = [span.parent_id, *(span_id for _, span_id in span.links)]
        cause = next((each for each in causes if each in known and each != span.id), "")
        below.setdefault(cause, []).append(span)
    seen: set[str] = set()
    yield from _below("", "", below, seen)
    for span in spans:  # those that led to each other
        if span.id not in seen:
            seen.add(span.id)
            yield "", span


def _below(cause: str, indent: str, below: Mapping[str, Sequence[Span]], seen: set[str]) -> Iterator[tuple[str, Span]]:
    spans = [span for span in below.get(cause, ()) if span.id not in seen]
    for n, span in enumerate(spans):
        seen.add(span.id)
        is_last = n == len(spans) - 1
        branch, further = ("", "") if not cause else ("└ ", "  ") if is_last else ("├ ", "│ ")
        yield indent + branch, span
        yield from _below(span.id, indent + further, below, seen)


def _duration(nanoseconds: int) -> str:
    milliseconds = nanoseconds / NANOSECONDS
    return f"{milliseconds / SECOND:.2f} s" if milliseconds >= SECOND else f"{milliseconds:.1f} ms"


def _bar(span: Span, began: int, ended: int) -> str:
    whole = max(ended - began, 1)
    start = min(int((span.began - began) / whole * BAR), BAR - 1)
    length = max(round((span.ended - span.began) / whole * BAR), 1)
    return " " * start + "━" * min(length, BAR - start)
