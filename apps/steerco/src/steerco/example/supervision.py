"""Supervision: its office coaches. Two of its projects cost more every month than was planned."""

from steerco.example.acts import Calendar, Chapter, Project


def supervision(calendar: Calendar) -> Chapter:
    """Four projects: two overspend, one moves to another department, one goes with its department."""
    return [*_reports(calendar), *_complaints(calendar), *_planning(calendar), *_surveillance(calendar)]


def _reports(calendar: Calendar) -> Chapter:
    """The first to overspend, from the sixth month on."""
    project = Project("SUP-01", "Mobile inspection reports", "SUP-inspections", "EUR", calendar)
    return [
        *project.pitched(
            6,
            "Director of Supervision",
            "Inspectors write on paper and type at the office a week later.",
            "Reports are written on site and signed the same day.",
            680_000,
        ),
        *project.screened(13, "The time saved was measured in a trial."),
        *project.decided(22, "approved", "Inspections are the bottleneck of Supervision"),
        *project.managed(30),
        *project.went(31, "planning"),
        *project.dated(34, 60, 420),
        *project.budgeted(38, 680_000),
        *project.budgeted(38, 1_150_000, "benefit"),
        *project.forecast(42, 680_000),
        *project.went(60, "executing"),
        *project.risk(
            75,
            "scope",
            "Every inspection team has its own form",
            "Teams ask for their form in the product",
            "Cost and time grow with every form",
            3,
            4,
        ),
        *project.rated(95, "Project manager", "green"),
        *project.trained(85),
        *project.spent(120, 155_000, "devices"),
        *project.forecast(168, 731_000, reason="Two more forms than planned"),
        *project.risk_rated(170, "scope", 4, 4, "Two more teams have asked"),
        *project.rated(185, "Project manager", "amber"),
        *project.forecast(200, 764_000, reason="Devices need a second battery"),
        *project.spent(215, 262_000, "build-1"),
        *project.forecast(232, 803_000, reason="Four more forms"),
        *project.forecast(262, 846_000, reason="The supplier's rate rose"),
        *project.risk_rated(264, "scope", 5, 4, "Nine forms, and no end agreed"),
        *project.rated(270, "Independent review", "amber_red", "No limit on forms was ever agreed"),
        *project.forecast(293, 889_000, reason="Acceptance is repeated for each form"),
        *project.spent(310, 301_000, "build-2"),
        *project.forecast(324, 927_000, reason="Two testers more"),
        *project.forecast(354, 958_000, reason="Roll-out by team instead of at once"),
        *project.rated(356, "Independent review", "red", "Forecast is two fifths above the budget"),
    ]


def _complaints(calendar: Calendar) -> Chapter:
    """The second, two months later."""
    project = Project("SUP-02", "Complaints platform", "SUP-conduct", "EUR", calendar)
    return [
        *project.pitched(
            20,
            "Head of Market conduct",
            "Complaints arrive in six mailboxes; patterns are seen late or never.",
            "One platform that shows patterns within a week.",
            520_000,
        ),
        *project.screened(29, "The mailboxes were counted: 14,000 complaints a year."),
        *project.decided(36, "approved", "Consumers must be heard sooner"),
        *project.managed(46),
        *project.went(47, "planning"),
        *project.dated(52, 80, 400),
        *project.budgeted(55, 520_000),
        *project.budgeted(55, 700_000, "benefit"),
        *project.forecast(58, 516_000),
        *project.went(80, "executing"),
        *project.trained(101),
        *project.rated(110, "Project manager", "green"),
        *project.risk(
            128,
            "supplier",
            "The supplier has one certified engineer",
            "The engineer leaves",
            "The link to the case files slips by a quarter",
            3,
            4,
        ),
        *project.spent(150, 118_000, "platform"),
        *project.forecast(226, 548_000, reason="The supplier's engineer left; another costs more"),
        *project.risk_rated(226, "supplier", 5, 4, "It happened; the replacement is not certified yet"),
        *project.rated(230, "Project manager", "amber"),
        *project.forecast(258, 574_000, reason="Old complaints are cleaned by hand"),
        *project.spent(270, 175_000, "migration"),
        *project.forecast(288, 596_000, reason="Cleaning takes longer"),
        *project.forecast(319, 621_000, reason="Second migration"),
        *project.rated(330, "Independent review", "amber", "Cleaning was not in the plan"),
        *project.forecast(350, 640_000, reason="Both systems run side by side for a quarter"),
    ]


def _planning(calendar: Calendar) -> Chapter:
    """Goes well, and moves to the department that uses it."""
    project = Project("SUP-03", "Inspections planned by risk", "SUP-inspections", "EUR", calendar)
    return [
        *project.pitched(
            60,
            "Head of On-site inspections",
            "Firms are inspected every third year, whatever they do.",
            "Firms that worry us are seen first.",
            190_000,
        ),
        *project.screened(66, "Needs the scores of Market conduct."),
        *project.decided(79, "approved", "Better use of the same inspectors"),
        *project.managed(88),
        *project.went(90, "planning"),
        *project.dated(92, 100, 380),
        *project.budgeted(94, 190_000),
        *project.forecast(98, 187_000),
        *project.went(101, "executing"),
        *project.rated(160, "Project manager", "green"),
        *project.moved(214, "SUP-conduct", "Market conduct owns the scores"),
        *project.trained(222),
        *project.spent(240, 88_000, "scores"),
        *project.rated(300, "Independent review", "amber_green", "Scores are used; their upkeep is not yet staffed"),
    ]


def _surveillance(calendar: Calendar) -> Chapter:
    """In Swiss francs; goes to Corporate services with its department."""
    project = Project("SUP-04", "Short-selling surveillance with Zurich", "SUP-data", "CHF", calendar)
    return [
        *project.pitched(
            30,
            "Head of Supervisory data",
            "Short positions are compared by hand, once a month.",
            "They are compared every night.",
            900_000,
        ),
        *project.screened(37, "Shared with Zurich; half of the cost is theirs."),
        *project.decided(50, "approved", "The law asks for it from next year"),
        *project.managed(58),
        *project.went(59, "planning"),
        *project.dated(63, 75, 640),
        *project.budgeted(67, 900_000),
        *project.budgeted(67, "Not quantified: required by law", "benefit"),
        *project.forecast(70, 895_000),
        *project.went(76, "executing"),
        *project.trained(99),
        *project.rated(130, "Project manager", "amber"),
        *project.spent(190, 240_000, "feeds"),
        *project.rated(260, "Independent review", "amber", "Feeds are late but complete"),
        *project.spent(320, 205_000, "rules"),
    ]
