"""Both kinds of consumers, held to the same behaviour."""

import pytest

from steerco_events.testkit.consumers import ConsumerBehaviour
from steerco_events.testkit.eaters import Eater, ReactionEater, ViewEater
from steerco_events.testkit.logs import Log


class TestViewThatConsumes(ConsumerBehaviour):
    @pytest.fixture
    async def eater(self, log: Log) -> Eater:
        return await ViewEater.of(log)


class TestReactionThatConsumes(ConsumerBehaviour):
    @pytest.fixture
    async def eater(self, log: Log) -> Eater:
        return await ReactionEater.of(log)
