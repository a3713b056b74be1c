"""What a template says of the fields that were filled in: required, known, and of their type."""

import pytest

from steerco_intake.domain.template import (
    PROJECT_PITCH,
    TEMPLATES,
    Field,
    FieldRefused,
    Template,
    UnknownTemplate,
    template_named,
)

FILLED = {"problem": "Paper.", "outcome": "One register.", "sponsor": "Director of Licensing"}
FORM = Template(
    "form",
    3,
    "Form",
    (
        Field("line", "Line", "line", False, ""),
        Field("text", "Text", "text", False, ""),
        Field("day", "Day", "date", False, ""),
        Field("size", "Size", "number", False, ""),
        Field("a/b~c", "Old name", "line", True, "Say it."),
    ),
)


def refused(template: Template, filled: dict[str, str]) -> tuple[str, str | None]:
    with pytest.raises(FieldRefused) as refusal:
        template.check(filled)
    return refusal.value.detail, refusal.value.pointer


def test_a_template_is_named_by_name_and_version() -> None:
    for template in TEMPLATES:
        assert template_named(template.name, template.version) is template
    assert len({(template.name, template.version) for template in TEMPLATES}) == len(TEMPLATES)


@pytest.mark.parametrize(
    ("name", "version", "pointer"),
    [("memo", 1, "/template"), ("project-pitch", 2, "/template_version"), ("Project-pitch", 1, "/template")],
)
def test_a_template_that_there_is_not_is_refused_by_those_that_there_are(name: str, version: int, pointer: str) -> None:
    with pytest.raises(UnknownTemplate, match="there is project-pitch version 1") as refusal:
        template_named(name, version)
    assert refusal.value.pointer == pointer


def test_the_required_fields_alone_are_enough() -> None:
    PROJECT_PITCH.check(FILLED)
    PROJECT_PITCH.check(FILLED | {"approach": "", "start_on": " ", "end_on": ""})
    PROJECT_PITCH.check(FILLED | {"approach": "Buy.\nThen adapt.", "start_on": "2026-04-01", "end_on": "2027-04-01"})


@pytest.mark.parametrize("field", [field for field in PROJECT_PITCH.fields if field.required], ids=lambda f: f.name)
@pytest.mark.parametrize("nothing", [None, "", "   ", "\n\t"])
def test_a_required_field_that_is_missing_is_refused_with_the_words_of_the_template(
    field: Field, nothing: str | None
) -> None:
    filled = {name: value for name, value in FILLED.items() if name != field.name}
    if nothing is not None:
        filled[field.name] = nothing
    assert field.message
    assert refused(PROJECT_PITCH, filled) == (field.message, f"/fields/{field.name}")


def test_a_field_that_the_template_has_not_is_refused_even_when_it_is_empty() -> None:
    detail, pointer = refused(PROJECT_PITCH, FILLED | {"colour": ""})
    assert "has no field 'colour'; it has approach, end_on, outcome," in detail
    assert pointer == "/fields/colour"


def test_the_name_of_a_field_is_escaped_in_the_pointer() -> None:
    assert refused(FORM, {})[1] == "/fields/a~1b~0c"
    assert refused(FORM, {"~/": "x"})[1] == "/fields/~0~1"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("line", "x" * 200),
        ("line", f"  {'x' * 200}  "),
        ("text", "x" * 10_000),
        ("text", "two\nlines"),
        ("day", "2024-02-29"),
        ("day", " 2026-03-31 "),
        ("size", "12.5"),
        ("size", "-3"),
        ("size", "0"),
        ("size", "9" * 30),
    ],
)
def test_a_field_holds_what_its_type_allows(field: str, value: str) -> None:
    FORM.check({field: value, "a/b~c": "said"})


@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [
        ("line", "x" * 201, "Line has 201 characters; the limit is 200"),
        ("line", "two\nlines", "Line is one line"),
        ("line", "two\u2028lines", "Line is one line"),
        ("text", "x" * 10_001, "Text has 10001 characters; the limit is 10000"),
        ("day", "2026-02-30", "Day is a date such as 2026-03-31, not '2026-02-30'"),
        ("day", "20260331", "Day is a date such as 2026-03-31, not '20260331'"),
        ("day", "2026-W14-2", "Day is a date such as 2026-03-31, not '2026-W14-2'"),
        ("day", "31.3.2026", "Day is a date such as 2026-03-31, not '31.3.2026'"),
        ("day", "٢٠٢٦-٠٣-٣١", "Day is a date such as 2026-03-31, not '٢٠٢٦-٠٣-٣١'"),
        ("day", "2026-03-31T00:00", "Day has 16 characters; the limit is 10"),
        ("size", "12,5", "Size is a number such as 12.5, not '12,5'"),
        ("size", "1e3", "Size is a number such as 12.5, not '1e3'"),
        ("size", "NaN", "Size is a number such as 12.5, not 'NaN'"),
        ("size", "٣", "Size is a number such as 12.5, not '٣'"),
        ("size", "9" * 31, "Size has 31 characters; the limit is 30"),
    ],
)
def test_a_field_that_is_not_of_its_type_is_refused_by_rule_and_value(field: str, value: str, detail: str) -> None:
    assert refused(FORM, {field: value, "a/b~c": "said"}) == (detail, f"/fields/{field}")
