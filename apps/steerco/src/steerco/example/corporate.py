"""Corporate services: its office directs. One project looks better than it is, one was stopped in time."""

from steerco.example.acts import LEAD, Calendar, Chapter, Project


def corporate(calendar: Calendar) -> Chapter:
    """Five projects and a pitch that nobody has decided yet."""
    return [
        *_case_files(calendar),
        *_intranet(calendar),
        *_premises(calendar),
        *_standards(calendar),
        *_archive(calendar),
        *_undecided(calendar),
    ]


def _case_files(calendar: Calendar) -> Chapter:
    """The watermelon: green outside, red inside."""
    project = Project("COR-01", "Case files replaced", "COR-it", "EUR", calendar)
    return [
        *project.pitched(
            8,
            "Director of Corporate services",
            "The case files run on software that its maker has given up.",
            "Cases are kept in a system that is maintained.",
            2_400_000,
        ),
        *project.screened(15, "No alternative; the date is given by the maker."),
        *project.decided(24, "approved", "The old system ends in three years"),
        *project.managed(33),
        *project.went(35, "planning"),
        *project.dated(40, 70, 800),
        *project.budgeted(45, 2_400_000),
        *project.budgeted(45, 1_900_000, "benefit"),
        *project.forecast(49, 2_400_000),
        *project.went(72, "executing"),
        *project.rated(100, "Project manager", "green"),
        *project.trained(92),
        *project.spent(140, 310_000, "licences"),
        *project.rated(160, "Project manager", "green"),
        *project.rated(220, "Project manager", "green", "On time and within budget"),
        *project.spent(240, 420_000, "build"),
        *project.risk(
            248,
            "delivery",
            "No case has been migrated yet",
            "Half of the cases can't be migrated as they are",
            "The old system has to run for another year",
            5,
            5,
        ),
        *project.rated(250, "Independent review", "red", "Three of four milestones were renamed, not reached"),
        *project.rated(280, "Project manager", "green", "The review looked at an old plan"),
        *project.rated(340, "Independent review", "red", "Still no case migrated"),
    ]


def _intranet(calendar: Calendar) -> Chapter:
    """The killed project: its benefit went away, so the board ended it."""
    project = Project("COR-02", "Commission intranet", "COR-it", "EUR", calendar)
    return [
        *project.pitched(
            12,
            "Head of Information technology",
            "Staff find nothing on three old intranets.",
            "One intranet with a search that works.",
            360_000,
        ),
        *project.screened(19, "Benefit rests on hours saved in searching."),
        *project.decided(26, "approved", "Saves hours of searching"),
        *project.managed(34),
        *project.went(36, "planning"),
        *project.dated(39, 60, 420),
        *project.budgeted(43, 360_000),
        *project.budgeted(43, 540_000, "benefit"),
        *project.forecast(47, 355_000),
        *project.forecast(47, 540_000, "benefit"),
        *project.went(62, "executing"),
        *project.rated(105, "Project manager", "green"),
        *project.spent(120, 74_000, "design"),
        *project.forecast(165, 210_000, "benefit", "The new case files bring their own search"),
        *project.rated(166, "Independent review", "amber_red", "Half of the benefit is gone"),
        *project.went(176, "on_hold", "Is it still worth it?"),
        *project.forecast(195, 60_000, "benefit", "What remains is a phone book"),
        *project.went(204, "terminated", "It costs six times what it brings; 74,000 are spent, 280,000 saved", LEAD),
    ]


def _premises(calendar: Calendar) -> Chapter:
    """Its cost is not disclosed while offers are compared."""
    project = Project("COR-03", "New premises", "COR-people", "EUR", calendar)
    return [
        *project.pitched(
            45,
            "Director of Corporate services",
            "The lease ends and cannot be renewed.",
            "The commission works under one roof.",
            5_200_000,
        ),
        *project.screened(52, "The lease leaves no choice."),
        *project.decided(64, "approved", "The lease ends"),
        *project.managed(73),
        *project.went(75, "planning"),
        *project.dated(80, 110, 900),
        *project.budgeted(84, "Withheld while offers are compared"),
        *project.went(112, "executing"),
        *project.trained(120),
        *project.rated(150, "Project manager", "amber"),
        *project.budgeted(235, 5_100_000, reason="The contract is signed"),
        *project.forecast(240, 5_060_000),
        *project.risk(
            245,
            "law",
            "The permit is a year old",
            "The city asks for a new one",
            "The move slips past the end of the lease",
            2,
            5,
        ),
        *project.rated(310, "Independent review", "amber", "The permit is the critical path"),
    ]


def _standards(calendar: Calendar) -> Chapter:
    """The commission's own standard for projects."""
    project = Project("COR-04", "One way to run projects", "COR-people", "EUR", calendar)
    return [
        *project.pitched(
            2,
            "Head of the project office",
            "Each unit pitches, budgets and reports in its own way; nothing can be compared.",
            "Pitch, budget, risk and training follow one standard.",
            160_000,
        ),
        *project.screened(5, "We screened our own pitch and say so."),
        *project.decided(16, "approved", "What can't be compared can't be steered"),
        *project.managed(23),
        *project.went(24, "planning"),
        *project.dated(24, 30, 364),
        *project.budgeted(27, 160_000),
        *project.forecast(29, 158_000),
        *project.went(31, "executing"),
        *project.trained(50),
        *project.trained(52, "risk-essentials"),
        *project.rated(130, "Project manager", "green"),
        *project.spent(170, 62_000, "courses"),
        *project.rated(280, "Independent review", "green", "Every pitch of the year was on the template"),
        *project.went(350, "closing"),
    ]


def _archive(calendar: Calendar) -> Chapter:
    project = Project("COR-05", "Archive on line", "COR-it", "EUR", calendar)
    return [
        *project.pitched(
            150,
            "Head of Information technology",
            "Decisions before 2001 are on paper, in a cellar that is damp.",
            "They can be read by everyone.",
            270_000,
        ),
        *project.screened(158, "The cellar was seen."),
        *project.decided(171, "approved", "The paper will not wait"),
        *project.managed(180),
        *project.went(182, "planning"),
        *project.dated(186, 200, 560),
        *project.budgeted(189, 270_000),
        *project.forecast(192, 262_000),
        *project.went(201, "executing"),
        *project.rated(290, "Project manager", "green"),
        *project.spent(300, 60_000, "scanning"),
    ]


def _undecided(calendar: Calendar) -> Chapter:
    desks = Project("COR-06", "Desks booked by phone", "COR-people", "EUR", calendar)
    return [
        *desks.pitched(
            352,
            "Head of People and premises",
            "Half of the desks are empty on any day.",
            "Fewer desks, each booked when it is needed.",
            45_000,
        ),
        *desks.screened(361, "Waits for the decision on premises."),
    ]
