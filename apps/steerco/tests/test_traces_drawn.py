"""A trace drawn in the terminal: what led to what, when, and how long it took."""

from typing import Any

from rich.console import Console

from steerco.traces.drawing import drawn
from steerco.traces.spans import Span

TRACE = "0af7651916cd43dd8448eb211c80319c"


def span(name: str, span_id: str, parent: str = "", began: int = 0, *links: str, **more: Any) -> Span:
    given: dict[str, Any] = {"service": "risk", "is_failed": False, "attributes": {}} | more
    ended = began + 2_000_000
    return Span(TRACE, span_id, parent, [(TRACE, each) for each in links], name=name, began=began, ended=ended, **given)


def lines(*spans: Span) -> list[str]:
    console = Console(width=140, force_terminal=False)
    with console.capture() as captured:
        console.print(drawn(TRACE, spans, 140))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_drawing_shows_what_led_to_what_when_and_how_long() -> None:
    shown = lines(
        span("POST /risks", "1", parent="of the client"),
        span("handle RaiseRisk", "2", "1", 1_000_000, attributes={"steerco.refusal": "RiskKnown"}),
        span("append", "3", "2", 1_000_000),
        span("seal", "4", "2", 2_000_000),
        span("process risks", "5", "", 3_000_000, "elsewhere", "2", service="reporting", is_failed=True),
    )
    assert shown[0] == f"trace {TRACE}: 5 spans in reporting, risk, 5.0 ms"
    assert [line.split("ms")[0].split()[0] for line in shown[2:]] == ["risk"] * 4 + ["reporting"]
    assert [line[11:].split("  ")[0].rstrip() for line in shown[2:]] == [
        "POST /risks",
        "└ handle RaiseRisk (refused: RiskKnown)",
        "",
        "",
        "",
    ]
    assert ["├ append" in shown[4], "├ seal" in shown[5], "└ process risks" in shown[6]] == [True] * 3
    assert shown[6].split() == ["reporting", "└", "process", "risks", "3.0", "ms", "2.0", "ms", "━" * 12]


def test_no_span_is_left_out_or_shown_twice_even_where_they_led_to_each_other() -> None:
    shown = "\n".join(lines(span("one", "1", "2"), span("two", "2", "1"), span("own", "3", "3"), span("root", "4")))
    assert [shown.count(name) for name in ("one", "two", "own", "root")] == [1] * 4


def test_a_large_trace_is_cut() -> None:
    shown = lines(*(span("append", str(n), "" if n == 1 else "1", n) for n in range(1, 500)))
    assert shown[-1].strip() == "… and 299 more"


def test_services_and_times_stay_whole_where_there_is_little_room() -> None:
    long = span("process steerco.portfolio.events.v1", "1", attributes={"steerco.consumer": "return_pitch_on_refusal"})
    console = Console(width=90, force_terminal=False)
    with console.capture() as captured:
        console.print(drawn(TRACE, [long], 90))
    *_, shown = captured.get().splitlines()
    assert shown.startswith("risk     process ")
    assert "… " in shown
    assert shown.split("…")[1].split() == ["0.0", "ms", "2.0", "ms", "━" * 30]
