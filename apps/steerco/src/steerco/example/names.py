"""Who is behind the ids of the commission: all made up. What was said of who left is erased at their wish."""

from collections.abc import Iterator, Sequence

from steerco.example.acts import LEAD, Act, person, unit_id
from steerco.example.organization import ENTERPRISE
from steerco_events.envelope import Actor

_PEOPLE: Sequence[tuple[str, str, str]] = (
    ("Head of the project office", "Mara Lindqvist", ENTERPRISE),
    ("Deputy head of the project office", "Tomasz Brandt", ENTERPRISE),
    ("Trainee of the project office", "Ines Okafor", "COR"),
    ("Chair of the commission", "Henrik Aaltonen", ENTERPRISE),
    ("Project controller", "Sofia Marchetti", ENTERPRISE),
    ("Independent reviewer", "Rafael Novak", ENTERPRISE),
    ("Risk officer", "Yusuf Demirel", ENTERPRISE),
    ("Training coordinator", "Clara Vogt", ENTERPRISE),
    ("Project officer of Licensing", "Emil Sandberg", "LIC"),
    ("Project officer of Supervision", "Noor Haddad", "SUP"),
    ("Project officer of Corporate services", "Anton Weiss", "COR"),
    ("Controller of Licensing", "Julia Ferrante", "LIC"),
    ("Controller of Supervision", "Peter Halloran", "SUP"),
    ("Controller of Corporate services", "Lena Kovacs", "COR"),
    ("Director of Licensing", "Amelie Rousseau", "LIC"),
    ("Deputy director of Licensing", "Oskar Nyman", "LIC"),
    ("Head of licence applications", "Priya Raman", "LIC-applications"),
    ("Director of Supervision", "Georg Steiner", "SUP"),
    ("Head of On-site inspections", "Marta Silva", "SUP-inspections"),
    ("Head of Market conduct", "Daniel Osei", "SUP-conduct"),
    ("Head of Supervisory data", "Hanna Eriksen", "SUP-data"),
    ("Director of Corporate services", "Viktor Palm", "COR"),
    ("Head of Information technology", "Leila Farouk", "COR-it"),
    ("Head of People and premises", "Bruno Keller", "COR-people"),
    ("Press officer", "Nina Castell", "SUP-conduct"),
    ("Secondee from Zurich", "Urs Baumgartner", "SUP-data"),
)

MARRIED_ON, MOVED_ON, ERASED_ON = 120, 181, 330

TRAINEE, SECONDEE = person("Trainee of the project office"), person("Secondee from Zurich")


def registered() -> Iterator[Act]:
    """Those who are there from the first day; whoever only manages a project is known by the job title."""
    for title, name, unit in _PEOPLE:
        who = {"person_id": str(person(title).id), "unit_id": unit_id(unit)} | _details(name)
        yield Act(0, LEAD, "portfolio", "POST", "/people", who, ENTERPRISE, "The office begins")


def changed() -> Iterator[Act]:
    """Another name, another unit."""
    married = _details("Ines Okafor-Lund")
    yield Act(MARRIED_ON, LEAD, "portfolio", "PUT", _path(TRAINEE), married, ENTERPRISE, "Married")
    premises = {"unit_id": unit_id("COR-people")}
    yield Act(MOVED_ON, LEAD, "portfolio", "PUT", f"{_path(TRAINEE)}/unit", premises, ENTERPRISE)


def erased(admin: Actor) -> Iterator[Act]:
    """Who went back wishes not to be known any more: what was done stays, and not who it was."""
    wish = {"reason": "Asked for it on leaving"}
    yield Act(ERASED_ON, admin, "portfolio", "POST", f"{_path(SECONDEE)}/erasure", wish, ENTERPRISE)


def _details(name: str) -> dict[str, str]:
    return {"name": name, "email": f"{name.lower().replace(' ', '.')}@commission.example"}


def _path(who: Actor) -> str:
    return f"/people/{who.id}"
