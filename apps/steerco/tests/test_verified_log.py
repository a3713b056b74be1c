"""What is said in one line of a log that was verified."""

from datetime import UTC, datetime

import pytest

from steerco.commands.verify import found
from steerco_events.archive.hashing import START
from steerco_events.archive.lines import FORMAT, Beginning
from steerco_events.archive.verifying import Verified
from steerco_events.positions import SignedHead

AT = datetime(2026, 3, 31, 12, tzinfo=UTC)
SEALED = "risk: 6 events in 2 seals up to position 6 are what was sealed; "


@pytest.mark.parametrize(
    ("keys", "signatures", "signed_up_to", "unsigned", "since", "said"),
    [
        (0, 0, 0, 6, AT, "no signature checked"),
        (1, 0, 0, 6, AT, "not signed yet, sealed since 2026-03-31 12:00:00 UTC"),
        (1, 1, 6, 0, None, "signed up to 6"),
        (
            1,
            1,
            4,
            2,
            AT,
            "signed up to 4; 2 events after that, sealed since 2026-03-31 12:00:00 UTC, are not signed yet",
        ),
    ],
)
def test_how_far_a_log_is_signed_is_said(
    keys: int, signatures: int, signed_up_to: int, unsigned: int, since: datetime | None, said: str
) -> None:
    verified = Verified(Beginning(FORMAT, "risk", (0,), 0, None, True), keys, 6, 2, signatures, 6)
    verified.signed_up_to, verified.unsigned, verified.unsigned_since = signed_up_to, unsigned, since
    assert found(verified) == SEALED + said


@pytest.mark.parametrize(
    ("positions", "said"),
    [
        ([], ""),
        ([2500], "; 1 signed head up to 2,500 is of before a restore"),
        ([7, 2500], "; 2 signed heads up to 2,500 are of before a restore"),
    ],
)
def test_how_many_signed_heads_a_restore_lost_is_said_also_of_an_empty_log(positions: list[int], said: str) -> None:
    lost = {SignedHead("risk", 1, position, START, AT, "key", b"") for position in positions}
    beginning = Beginning(FORMAT, "risk", (0, 6), 0, None, True)
    assert found(Verified(beginning, 0, 6, 2, 0, 6, lost=lost)) == f"{SEALED}no signature checked{said}"
    assert found(Verified(beginning, lost=lost)) == f"risk: no events{said}"


@pytest.mark.parametrize(
    ("after", "until", "subjects", "said"),
    [
        (3, 6, (), "all after position 3 and up to position 6"),
        (0, 6, (), "all up to position 6"),
        (0, None, ("a", "b"), "a version 1 to 2, nothing of b, none missing in between; whether others came after"),
        (
            3,
            None,
            ("a",),
            "a version 1 to 2, after position 3, none missing in between; whether others came before or after",
        ),
    ],
)
def test_what_part_of_a_log_it_is_is_said(after: int, until: int | None, subjects: tuple[str, ...], said: str) -> None:
    beginning = Beginning(FORMAT, "risk", (0,), after, until, not subjects, subjects)
    verified = Verified(beginning, 0, 6, 2, 0, 6, versions={"a": (1, 2)} if subjects else {})
    assert found(verified).startswith(f"{SEALED}no signature checked; a part of the log: {said}")
