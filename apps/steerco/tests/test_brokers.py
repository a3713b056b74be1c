"""The distributed edition over a Kafka of your own does as it is told, and says in a line what is in its way."""

from pathlib import Path

import pytest

from steerco.edition.brokers import brokers
from steerco.edition.directory import DataDirectory, EditionFailed
from steerco_servers.testing import TemporaryKafka
from steerco_service.kafka_settings import KafkaSettings


@pytest.mark.kafka
async def test_topics_get_as_many_copies_as_is_told(kafka: TemporaryKafka, tmp_path: Path) -> None:
    told = KafkaSettings(kafka=kafka.bootstrap, kafka_replication=2)
    with pytest.raises(EditionFailed, match=r"Kafka can't be used: .*InvalidReplicationFactorError") as failed:
        async with brokers(DataDirectory(tmp_path), told, print):
            pass
    assert "\n" not in str(failed.value)


async def test_a_kafka_that_is_not_there_is_said_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(EditionFailed, match="Kafka can't be used: ") as failed:
        async with brokers(DataDirectory(tmp_path), KafkaSettings(kafka="127.0.0.1:1"), print):
            pass
    assert "\n" not in str(failed.value)
