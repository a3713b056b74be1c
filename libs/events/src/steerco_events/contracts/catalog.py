"""Every event that Steerco publishes."""

from steerco_events.contracts.finance import FINANCE
from steerco_events.contracts.intake import INTAKE
from steerco_events.contracts.portfolio import PORTFOLIO
from steerco_events.contracts.risk import RISK
from steerco_events.contracts.training import TRAINING

REGISTRIES = (INTAKE, PORTFOLIO, FINANCE, RISK, TRAINING)
"""Those of each service."""

LOGS = tuple(each.service for each in REGISTRIES if each.service)
"""The services that have a log."""

CATALOG = REGISTRIES[0].including(*REGISTRIES[1:])
CATALOG.check()
