"""Every event that Steerco publishes."""

from steerco_events.contracts.finance import FINANCE
from steerco_events.contracts.intake import INTAKE
from steerco_events.contracts.portfolio import PORTFOLIO
from steerco_events.contracts.risk import RISK
from steerco_events.contracts.training import TRAINING

CATALOG = INTAKE.including(PORTFOLIO, FINANCE, RISK, TRAINING)
