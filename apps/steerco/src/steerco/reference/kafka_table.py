"""The table of the documentation that says who may do what in Kafka.

`python -m steerco.reference.kafka_table docs/how-to/secure-kafka.md` writes it into the page anew.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from steerco.edition.services import SERVICES
from steerco_events.kafka.permissions import Acl, together
from steerco_service.kafka_access import acls_of

BEGIN = "<!-- who may do what: written by `make docs` -->\n"
END = "<!-- end -->\n"


def kafka_table() -> str:
    """The lines of the table."""
    acls: Iterable[Acl] = (acl for service in SERVICES for acl in acls_of(service))
    rows = [
        f"| `{user}` | {', '.join(operations)} | {', '.join(f'`{name}`' for name in names)} |\n"
        for user, _, names, operations in together(acls)
    ]
    return "".join(["| user | may | in the topics |\n| --- | --- | --- |\n", *rows])


def with_table(page: str) -> str:
    """A page with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{kafka_table()}{END}{after}"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(with_table(file.read_text(encoding="utf-8")), encoding="utf-8")
