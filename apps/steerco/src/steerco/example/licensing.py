"""Licensing: its office only keeps the records; the projects are small and mostly go well."""

from steerco.example.acts import Calendar, Chapter, Project


def licensing(calendar: Calendar) -> Chapter:
    """Three projects that were pitched in the year, and two pitches that became none."""
    return [*_register(calendar), *_fees(calendar), *_joint_checks(calendar), *_not_pursued(calendar)]


def _register(calendar: Calendar) -> Chapter:
    """A project from pitch to closing, a little cheaper than planned."""
    project = Project("LIC-01", "Licence register on line", "LIC-register", "EUR", calendar)
    return [
        *project.pitched(
            4,
            "Director of Licensing",
            "Licences are kept in four offices, and nobody can say on a given day who holds one.",
            "One register that everyone can search.",
            420_000,
        ),
        *project.screened(11, "Complete. The saving is plausible: four offices answer 90 calls a day."),
        *project.decided(18, "approved", "Pays back within two years"),
        *project.managed(25),
        *project.dated(28, 40, 330),
        *project.went(28, "planning"),
        *project.budgeted(32, 420_000),
        *project.budgeted(32, 610_000, "benefit"),
        *project.forecast(35, 420_000),
        *project.went(40, "executing"),
        *project.risk(
            46,
            "data",
            "Old licences are on paper",
            "Some can't be read",
            "Holders have to be asked, which delays the opening",
            4,
            3,
        ),
        *project.trained(62),
        *project.rated(90, "Project manager", "green"),
        *project.spent(95, 96_000, "scanning"),
        *project.forecast(150, 412_000, reason="Scanning was cheaper than offered"),
        *project.spent(180, 148_000, "software"),
        *project.risk_closed(190, "data", "All but eleven licences were read"),
        *project.rated(200, "Independent review", "green", "Register tested with 300 holders"),
        *project.spent(290, 141_000, "opening"),
        *project.went(300, "closing"),
        *project.forecast(300, 399_500, reason="Opened a month early"),
        *project.went(332, "closed", "The register is open and handed over"),
    ]


def _fees(calendar: Calendar) -> Chapter:
    project = Project("LIC-02", "Fees paid by card", "LIC-applications", "EUR", calendar)
    return [
        *project.pitched(
            40,
            "Director of Licensing",
            "Applicants pay by bank transfer; every fifth payment can't be matched.",
            "Fees are paid with the application.",
            85_000,
        ),
        *project.screened(44, "Small and clear."),
        *project.decided(53, "approved", "Removes the matching of payments"),
        *project.managed(60),
        *project.went(61, "planning"),
        *project.dated(61, 70, 250),
        *project.budgeted(64, 85_000),
        *project.budgeted(64, 130_000, "benefit"),
        *project.forecast(66, 84_000),
        *project.went(70, "executing"),
        *project.rated(120, "Project manager", "green"),
        *project.trained(140),
        *project.spent(160, 51_000, "provider"),
        *project.forecast(170, 82_500, reason="The provider waived the set-up fee"),
        *project.went(236, "closing"),
        *project.went(252, "closed", "Nine in ten fees are paid by card"),
    ]


def _joint_checks(calendar: Calendar) -> Chapter:
    """In another currency: paid by the office in Zurich."""
    project = Project("LIC-03", "Fit-and-proper checks shared with Zurich", "LIC-applications", "CHF", calendar)
    return [
        *project.pitched(
            90,
            "Deputy director of Licensing",
            "Two authorities check the same people twice.",
            "One check that both accept.",
            240_000,
        ),
        *project.screened(97, "Zurich pays; the benefit is ours as well."),
        *project.decided(109, "approved", "Agreed with Zurich"),
        *project.managed(116),
        *project.went(118, "planning"),
        *project.dated(118, 130, 500),
        *project.budgeted(122, 240_000),
        *project.forecast(125, 240_000),
        *project.went(131, "executing"),
        *project.risk(
            140,
            "law",
            "Two laws on data protection",
            "The exchange of files is not allowed as planned",
            "Only the result can be shared",
            3,
            4,
        ),
        *project.rated(200, "Project manager", "amber"),
        *project.trained(205),
        *project.risk_rated(260, "law", 2, 3, "Both regulators agreed on a shared result"),
        *project.rated(290, "Project manager", "green"),
        *project.spent(300, 92_000, "interfaces"),
    ]


def _not_pursued(calendar: Calendar) -> Chapter:
    chat = Project("LIC-04", "Chat for applicants", "LIC-applications", "EUR", calendar)
    identity = Project("LIC-05", "Digital identity of applicants", "LIC-applications", "EUR", calendar)
    return [
        *chat.pitched(
            130,
            "Head of licence applications",
            "Applicants call with simple questions.",
            "A chat answers them.",
            150_000,
        ),
        *chat.screened(137, "Benefits are not quantified."),
        *chat.decided(151, "rejected", "The register on line answers most of these questions"),
        *identity.pitched(
            300,
            "Deputy director of Licensing",
            "Applicants prove who they are on paper.",
            "They use the state's digital identity.",
            310_000,
        ),
        *identity.screened(308, "Depends on a law that is expected."),
        *identity.decided(320, "deferred", "Wait for the law on digital identity", until=460),
    ]
