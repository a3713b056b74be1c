"""The services that make up Steerco."""

from collections.abc import Sequence

import steerco_finance.app
import steerco_intake.app
import steerco_portfolio.app
import steerco_reporting.app
import steerco_risk.app
import steerco_training.app
from steerco_service.runtime import Service

SERVICES: Sequence[Service] = (
    steerco_intake.app.SERVICE,
    steerco_portfolio.app.SERVICE,
    steerco_finance.app.SERVICE,
    steerco_risk.app.SERVICE,
    steerco_training.app.SERVICE,
    steerco_reporting.app.SERVICE,
)

BY_NAME = {service.name: service for service in SERVICES}
