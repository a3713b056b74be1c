"""What each service's user may do in Kafka follows from what the service does."""

from typer.testing import CliRunner

from steerco.cli import app
from steerco.edition.services import SERVICES
from steerco_events.kafka.permissions import PUBLISHING, READING, acls_of_subscriber, command_lines, user_of
from steerco_events.kafka.topics import events_topic, head_topic
from steerco_service.kafka_access import acls_of


def said(*arguments: str, code: int = 0) -> list[str]:
    done = CliRunner().invoke(app, ["kafka-acls", *arguments])
    assert done.exit_code == code
    return done.output.splitlines()


def test_each_service_publishes_its_log_and_reads_those_that_its_view_and_reactions_follow() -> None:
    for service in SERVICES:
        follows = {*service.view.services, *(each.service for each in service.reactions)} - {service.name}
        owns = {service.name} if service.owns_log else set()
        assert {(acl.user, acl.operation, acl.name) for acl in acls_of(service)} == {
            (user_of(service.name), operation, topic_of(log))
            for logs, operations in ((owns, PUBLISHING), (follows, READING))
            for log in logs
            for operation in operations
            for topic_of in (events_topic, head_topic)
        }


def test_the_command_says_it_for_all_services_or_for_a_subscriber() -> None:
    assert said() == list(command_lines(acl for service in SERVICES for acl in acls_of(service)))
    assert said("--subscriber", "ledger", "--log", "finance") == command_lines(
        acls_of_subscriber("ledger", ["finance"])
    )
    everything = "".join(said("--subscriber", "ledger"))
    assert all(events_topic(service.name) in everything for service in SERVICES if service.owns_log)


def test_a_log_that_is_not_there_is_named() -> None:
    (line,) = said("--subscriber", "ledger", "--log", "ledgers", code=1)
    assert line.startswith("steerco: there is no log of 'ledgers'; there is intake, ")
