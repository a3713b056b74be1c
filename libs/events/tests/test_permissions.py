"""Who may do what in Kafka, and how it is said to Kafka's own tool."""

from steerco_events.kafka.permissions import (
    PUBLISHING,
    READING,
    Acl,
    Operation,
    acls_of_subscriber,
    acls_of_worker,
    command_lines,
)

HEAD = 'kafka-acls.sh --bootstrap-server "$KAFKA" --command-config operator.properties --add --allow-principal User:'


def test_a_worker_fills_the_topics_of_its_log_and_reads_those_that_it_follows() -> None:
    acls = acls_of_worker("risk", ["portfolio", "risk"])
    own = {Acl("steerco-risk", each, f"steerco.risk.{what}.v1") for each in PUBLISHING for what in ("events", "head")}
    read = {
        Acl("steerco-risk", each, f"steerco.portfolio.{what}.v1") for each in READING for what in ("events", "head")
    }
    assert set(acls) == own | read
    assert len(acls) == len(set(acls))


def test_nobody_writes_to_the_topics_of_another() -> None:
    acls = acls_of_worker("risk", ["portfolio", "finance"])
    for acl in acls:
        assert acl.operation in READING or acl.name.startswith("steerco.risk.")


def test_who_has_no_log_only_reads() -> None:
    acls = acls_of_worker("reporting", ["risk"], owns_log=False)
    assert {acl.operation for acl in acls} == {Operation.READ, Operation.DESCRIBE}
    assert {acl.name for acl in acls} == {"steerco.risk.events.v1", "steerco.risk.head.v1"}


def test_a_subscriber_reads_also_as_a_group_of_its_own_name() -> None:
    acls = acls_of_subscriber("ledger", ["finance"])
    assert {(acl.kind, acl.name) for acl in acls} == {
        ("topic", "steerco.finance.events.v1"),
        ("topic", "steerco.finance.head.v1"),
        ("group", "ledger"),
    }
    assert {acl.operation for acl in acls} == set(READING)


def test_what_is_alike_is_said_once() -> None:
    assert command_lines(acls_of_subscriber("ledger", ["finance", "risk"])) == [
        f"{HEAD}ledger --operation Read --operation Describe"
        " --topic steerco.finance.events.v1 --topic steerco.finance.head.v1"
        " --topic steerco.risk.events.v1 --topic steerco.risk.head.v1",
        f"{HEAD}ledger --operation Read --operation Describe --group ledger",
    ]
