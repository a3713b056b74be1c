"""What an import says that it did."""

from collections.abc import Sequence

from steerco.register_import.entries import Found
from steerco.register_import.organization import units_for
from steerco.register_import.plan import Plan, Step
from steerco.register_import.report import Report, lines_of
from steerco.testkit.registers import MAP, found, loaded, planned


def would(said: Found, made: Plan) -> Sequence[str]:
    """The report of a dry run."""
    units = units_for(said.entries, (), MAP)
    return list(lines_of(Report(said, units, made, made.steps, made.refused, None, dry_run=True)))


def cut(said: Found, made: Plan, done: Sequence[Step], cut_off: Sequence[Step], taken: int) -> Sequence[str]:
    """The report of an import that was cut off."""
    units = units_for(said.entries, (), MAP)
    report = Report(said, units, made, done, made.refused, "no answer", False, cut_off, taken)
    assert report.status == 1
    return list(lines_of(report))


def test_only_rows_that_are_loaded_are_listed_as_kept_as_said() -> None:
    words = {"benefit": "Withheld", "start": "2027-01-01"}
    said = found(words, words | {"budget": "-1"}, words | {"name": ""}, {"budget": "-1", "benefit": "Later"})
    lines = would(said, planned(said))
    assert lines[2:5] == [
        "undisclosed, kept as said: 1 cell",
        "  benefit: 'Withheld' in row 1",
        "ends before it starts, kept as said and not planned on: row 1",
    ]
    assert all(line.startswith("refused: row") for line in lines[5:])


def test_nothing_is_kept_as_said_of_refused_rows_alone() -> None:
    said = found({"benefit": "Withheld", "start": "2027-01-01", "budget": "-1"})
    assert [line.split(":")[0] for line in would(said, planned(said))] == ["1 row", "units", "refused"]


def test_a_dry_run_names_the_rows_that_would_change_and_what() -> None:
    said = found({"name": "Another", "team": "Applications", "budget": "13"}, {}, {"id": "new"})
    lines = would(said, planned(said, loaded(found({}, {}))))
    assert lines[2:4] == ["would change: 1 row", "  row 1: title, unit, cost budget whole_life"]
    assert len(lines) == 4


def test_a_dry_run_counts_what_it_does_not_name() -> None:
    said = found(*[{"name": "Another"}] * 42)
    lines = would(said, planned(said, loaded(found(*[{}] * 42))))
    assert lines[2] == "would change: 42 rows"
    assert lines[42:] == ["  row 40: title", "  and 2 rows more"]


def test_an_import_that_was_cut_off_tells_what_is_between_the_services_from_what_was_not_begun() -> None:
    said = found({}, {}, {"budget": "-1"}, {"start": "2027-01-01"}, {})
    made = planned(said)
    lines = cut(said, made, made.steps[:1], made.steps[1:2], 6)
    assert lines[0] == "5 rows: 1 new, 1 refused; 6 changes made"
    assert lines[-3:] == [
        "unfinished, cut off between the services: row 2 (portfolio took them, finance perhaps not all)",
        "not begun: 2 rows, as far as the services answered",
        "no answer; run the same import again to finish it",
    ]
    assert not any("ends before" in line for line in lines)


def test_of_the_rows_between_the_services_forty_are_named() -> None:
    said = found(*[{}] * 42)
    made = planned(said)
    assert " 39, 40 and 2 more (" in cut(said, made, [], made.steps, 84)[-2]
