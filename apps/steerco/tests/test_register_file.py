"""Files that are read, and files of which nothing is."""

from pathlib import Path

import pytest

from steerco.client import CommandFailed
from steerco.register_import.register_file import read_rows
from steerco.register_import.register_map import RegisterMap, read_map
from steerco.testkit.registers import MAP, PLAIN

HEADER = ",".join(PLAIN)
ROW = ",".join(PLAIN.values())


def written(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    file = tmp_path / "register.csv"
    file.write_bytes(text.encode(encoding))
    return file


def refused(tmp_path: Path, text: str, encoding: str = "utf-8") -> str:
    """Why the file is refused, always with the status that says so."""
    with pytest.raises(CommandFailed) as failure:
        read_rows(written(tmp_path, text, encoding), MAP)
    assert failure.value.code == 2
    return str(failure.value)


def test_rows_are_numbered_below_the_header_and_blank_ones_skipped(tmp_path: Path) -> None:
    file = written(tmp_path, f"\ufeff{HEADER}\r\n{ROW}\r\n,,,,,,,,\r\n{ROW}\r\n")
    assert [row.number for row in read_rows(file, MAP)] == [1, 3]


def test_names_with_commas_quotes_and_line_breaks_are_one_cell(tmp_path: Path) -> None:
    file = written(tmp_path, f'{HEADER}\n1,"A, ""B""\n  and C",LIC,,,,,,\n')
    (row,) = read_rows(file, MAP)
    assert row.cells
    assert row.cells["name"] == 'A, "B" and C'


def test_a_row_of_another_width_has_no_cells(tmp_path: Path) -> None:
    (row,) = read_rows(written(tmp_path, f"{HEADER}\n{ROW},more\n"), MAP)
    assert row.cells is None
    assert row.width == len(PLAIN) + 1


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    assert "no column 'budget'" in refused(tmp_path, f"{HEADER.replace('budget', 'costs')}\n{ROW}\n")


def test_a_doubled_column_is_named(tmp_path: Path) -> None:
    assert "'budget' more than once" in refused(tmp_path, f"{HEADER},budget\n{ROW},1\n")


def test_a_wrong_encoding_is_named_with_its_place(tmp_path: Path) -> None:
    said = refused(tmp_path, f"{HEADER}\n{ROW.replace('Register', 'Régister')}\n", "latin-1")
    assert "utf-8" in said
    assert "byte at" in said


@pytest.mark.parametrize("text", ["", "\n", f"{HEADER}\n"])
def test_a_file_without_rows_is_refused(text: str, tmp_path: Path) -> None:
    assert refused(tmp_path, text)


def test_text_that_is_no_csv_is_refused(tmp_path: Path) -> None:
    assert "is not CSV" in refused(tmp_path, f'{HEADER}\n"open')


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="can't be read") as failure:
        read_rows(tmp_path / "none.csv", MAP)
    assert failure.value.code == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("source = ", "is not TOML"),
        ('source = "S"', "currency: Field required"),
        ('source = "S"\ncurrency = "XYZ"', "currency"),
        ('source = "S"\nunknown = 1', "unknown"),
        ('source = "S"\n[codes]\nproject = "{row}"', "codes"),
        ('source = "S"\nscale = 0', "scale"),
        ('source = "S"\n[codes]\nproject = "{cell.row}"', "codes: project"),
        ('source = "S"\ndate_format = "%Q"', "date_format: '%Q' reads no day"),
        ('source = "S"\ndate_format = "%Y-%Y"', "date_format: '%Y-%Y' reads no day"),
        ('source = "S"\ndate_format = "%Y"', "'%Y' is not a whole day: 2023-11-30 is read as 2023-01-01"),
        ('source = "S"\ndate_format = ""', "date_format"),
    ],
)
def test_a_wrong_map_names_the_entry(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "map.toml"
    file.write_text(text)
    with pytest.raises(CommandFailed, match=said) as failure:
        read_map(file)
    assert failure.value.code == 2
    assert "Value error" not in str(failure.value)


@pytest.mark.parametrize("date_format", ["%Y-%m-%d", "%d/%m/%y", "%d %b %Y", "%Y-%m-%dT%H:%M:%S%z", "%Y%j"])
def test_any_format_that_reads_whole_days_is_taken(date_format: str) -> None:
    assert RegisterMap.model_validate(MAP.model_dump() | {"date_format": date_format}).date_format == date_format


def test_the_map_of_the_major_projects_is_valid() -> None:
    examples = Path(__file__).parents[3] / "examples"
    register = read_map(examples / "uk-major-projects.toml")
    rows = read_rows(examples / "register.csv", register)
    assert len(rows) == 30
    assert all(row.cells for row in rows)
