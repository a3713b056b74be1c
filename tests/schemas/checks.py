"""What schemathesis is told to check besides its own."""

from typing import Any

import schemathesis


@schemathesis.check
def no_fault_within_a_batch(
    context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """A batch is answered by 200 even where one of its commands met a fault of ours."""
    if case.operation.path == "/batch" and response.status_code == 200:
        faults = [answer for answer in response.json()["answers"] if answer["status"] >= 500]
        assert not faults, f"{len(faults)} commands of the batch met a fault: {faults[0]}"
