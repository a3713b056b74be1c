"""A broker that knows its users: each does what it may; what it may not is refused in words, and never looks empty."""

import asyncio
import shlex
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError

from steerco_events.kafka import seeing
from steerco_events.kafka.broker import Broker, BrokerRefuses
from steerco_events.kafka.feed import KafkaFeed
from steerco_events.kafka.granting import grant
from steerco_events.kafka.permissions import READING, Acl, Operation, acls_of_worker, command_lines, user_of
from steerco_events.kafka.publisher import KafkaPublisher
from steerco_events.kafka.topics import TopicKept, contents_of, create_topics, events_topic, make_anew
from steerco_events.ports import Cursor
from steerco_events.relay import Relay
from steerco_events.retrying import failing_now, retrying
from steerco_events.testkit.logs import Log, read_on, running, until
from steerco_events.testkit.tally import TALLY, Counted
from steerco_events.testkit.topics import Topics, counted, fresh_topics
from steerco_servers.child import clean_environment
from steerco_servers.jars import find_java, kafka_jars, kafka_tools
from steerco_servers.kafka_security import Operator
from steerco_servers.testing import secured_kafka

pytestmark = [
    pytest.mark.kafka,
]

OPERATOR = Operator("of-the-whole-cluster")
PASSWORD = "correct-horse"


@dataclass(frozen=True, slots=True)
class Users:
    """The users of a broker, made as a test needs them."""

    operator: Broker

    def broker(self, user: str, password: str = PASSWORD) -> Broker:
        """The broker as a user comes to it."""
        return replace(self.operator, mechanism="SCRAM-SHA-512", user=user, password=password)

    async def may(self, user: str, acls: Sequence[Acl]) -> Broker:
        """Let a user in, who may do this and nothing else."""
        await grant(self.operator, {user: PASSWORD}, acls)
        return self.broker(user)

    async def worker(self, service: str, *reads: str, owns_log: bool = True) -> Broker:
        """Let the worker of a service in."""
        return await self.may(user_of(service), acls_of_worker(service, reads, owns_log=owns_log))


@pytest.fixture(scope="module")
async def users() -> AsyncIterator[Users]:
    async with secured_kafka(OPERATOR) as bootstrap:
        yield Users(Broker(bootstrap, "SASL_PLAINTEXT", "PLAIN", OPERATOR.user, OPERATOR.password))


@pytest.fixture
async def topics(users: Users) -> AsyncIterator[Topics]:
    """Those of a service of this test's own."""
    async with fresh_topics(users.operator) as topics:
        yield topics


@asynccontextmanager
async def publishing(service: str, broker: Broker) -> AsyncIterator[KafkaPublisher]:
    publisher = KafkaPublisher(service, broker, replication=1)
    try:
        yield publisher
    finally:
        await publisher.close()


@asynccontextmanager
async def reading(service: str, broker: Broker) -> AsyncIterator[KafkaFeed]:
    feed = KafkaFeed(service, broker, TALLY)
    try:
        yield feed
    finally:
        await feed.close()


async def test_a_worker_makes_and_fills_its_topics_and_who_may_reads_them(users: Users, topics: Topics) -> None:
    service = topics.service
    theirs, readers = await users.worker(service), await users.worker("reader", service, owns_log=False)
    await topics.delete(*topics.names)
    events = counted(topics, times=3)
    async with publishing(service, theirs) as publisher:
        assert await publisher.prepare()
        await publisher.publish(events)
        await publisher.publish_head(topics.head(events))
        assert not await publisher.prepare()
        assert await publisher.is_same()
    async with reading(service, readers) as feed:
        assert (await read_on(feed, Cursor(), 3))[0] == events
    await make_anew(theirs, service, replication=1)
    assert (await contents_of(theirs, service)).is_new


@pytest.mark.parametrize("reads", [True, False], ids=["who may read it", "who may not"])
async def test_nobody_else_writes_to_a_topic(users: Users, topics: Topics, reads: bool) -> None:
    other = await users.worker("intruder", *([topics.service] if reads else []))
    events = counted(topics, times=1)
    async with publishing(topics.service, other) as publisher:
        for attempt, topic in ((publisher.publish(events), 0), (publisher.publish_head(topics.head(events)), 1)):
            with pytest.raises(BrokerRefuses) as refused:
                await attempt
            said = f"does not let user steerco-intruder (SCRAM-SHA-512) write to topic {topics.names[topic]}"
            assert said in str(refused.value)
        what = f"read the settings of topic {topics.names[0]}" if reads else "know of topic"
        with pytest.raises(BrokerRefuses, match=what):
            await publisher.prepare()
    with pytest.raises(TopicKept, match="we are not authorized"):
        await make_anew(other, topics.service, replication=1)
    assert (await contents_of(users.operator, topics.service)).is_new


async def test_who_only_reads_writes_nowhere(users: Users, topics: Topics) -> None:
    reader = await users.worker("reader", topics.service, owns_log=False)
    async with publishing(topics.service, reader) as publisher:
        with pytest.raises(BrokerRefuses, match="write to any topic"):
            await publisher.publish(counted(topics, times=1))
    assert (await contents_of(users.operator, topics.service)).is_new


async def test_a_topic_that_one_may_not_read_is_no_empty_one(users: Users, topics: Topics) -> None:
    await topics.publish(counted(topics, times=1))
    name = topics.names[0]
    for operations, what in (((), "know of topic"), ((Operation.DESCRIBE,), "read topics")):
        acls = [Acl("half", operation, topic) for topic in topics.names for operation in operations]
        async with reading(topics.service, await users.may("half", acls)) as feed:
            with pytest.raises(BrokerRefuses, match=rf"does not let user half \(SCRAM-SHA-512\) {what} {name}"):
                await read_on(feed, Cursor(), 1)


async def test_who_may_read_no_more_is_told_in_the_midst_of_it(users: Users, topics: Topics) -> None:
    events = counted(topics, times=1)
    await topics.publish(events)
    acls = [Acl("former", operation, topic) for topic in topics.names for operation in READING]
    async with reading(topics.service, await users.may("former", acls)) as feed:
        found, cursor = await read_on(feed, Cursor(), 1)
        assert found == events
        await users.may("former", [])
        with pytest.raises(BrokerRefuses, match="user former"):
            await read_on(feed, cursor, 1)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"password": "wrong"}, r"does not let user steerco-known \(SCRAM-SHA-512\) in: .*invalid credentials"),
        ({"user": "nobody"}, r"does not let user nobody \(SCRAM-SHA-512\) in: .*invalid credentials"),
        ({"mechanism": "SCRAM-SHA-256"}, r"does not let user steerco-known \(SCRAM-SHA-256\) in: "),
        ({"security": "PLAINTEXT"}, "closes a connection that begins with PLAINTEXT: it may want another"),
    ],
    ids=["password", "user", "mechanism", "security"],
)
async def test_who_is_not_let_in_is_told_why_and_no_password(
    users: Users, topics: Topics, wrong: dict[str, Any], why: str
) -> None:
    broker = replace(await users.worker("known"), **wrong)
    for attempt in (
        create_topics(broker, ["known"], replication=1),
        contents_of(broker, "known"),
        KafkaFeed("known", broker, TALLY).read(Cursor(), 1),
        KafkaPublisher("known", broker).publish_head(topics.head([])),
    ):
        with pytest.raises(BrokerRefuses, match=why) as refused:
            await attempt
        assert "\n" not in str(refused.value)
        assert broker.password not in str(refused.value) + repr(broker)


async def test_a_relay_that_may_not_publish_says_so_and_goes_on_once_it_may(users: Users, log: Log) -> None:
    theirs, readers = await users.may("late", []), await users.worker("follower", log.service, owns_log=False)
    await log.append("tally-1", Counted(by=1))
    await log.seal()
    relay = Relay(log.engine, log.feed(), KafkaPublisher(log.service, theirs, replication=1))

    async def listed() -> bool:
        return "BrokerRefuses: Kafka does not let user late" in failing_now().get("late relay", "")

    async with running(partial(retrying, relay.run, "late relay")), reading(log.service, readers) as feed:
        await until(listed, "the relay says what it may not")
        await users.may("late", [replace(acl, user="late") for acl in acls_of_worker(log.service, [])])
        events, _ = await read_on(feed, Cursor(), 1)
    assert [event.stream for event in events] == ["tally-1"]


async def test_who_may_not_delete_its_topic_has_it_made_anew_by_others(users: Users, topics: Topics) -> None:
    acls = [acl for acl in acls_of_worker(topics.service, []) if acl.operation != Operation.DELETE]
    careful = await users.may(user_of(topics.service), acls)
    await topics.publish(counted(topics, times=1))
    with pytest.raises(TopicKept):
        await make_anew(careful, topics.service, replication=1)
    assert not (await contents_of(careful, topics.service)).is_empty


async def test_a_password_is_changed_while_the_old_one_still_opens(users: Users, topics: Topics) -> None:
    acls = [Acl("rotated", Operation.DESCRIBE, name) for name in topics.names]
    before = await users.may("rotated", acls)
    after = replace(before, mechanism="SCRAM-SHA-256", password="another")
    await grant(users.operator, {"rotated": "another"}, acls, "SCRAM-SHA-256")
    for each in (before, after):
        assert (await contents_of(each, topics.service)).is_new


async def kafka_acls(line: str, users: Users, directory: Path) -> str:
    """What Kafka's own tool prints."""
    (directory / "operator.properties").write_text(
        "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n"
        "sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required"
        f' username="{OPERATOR.user}" password="{OPERATOR.password}";\n'
    )
    program, *options = shlex.split(line.replace("$KAFKA", users.operator.bootstrap))
    assert program == "kafka-acls.sh"
    jars = [await kafka_jars(print), await kafka_tools(print)]
    tool = await asyncio.create_subprocess_exec(
        find_java(),
        *("-cp", ":".join(f"{each}/*" for each in jars), "org.apache.kafka.tools.AclCommand", *options),
        cwd=directory,
        env=clean_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await tool.communicate()
    assert tool.returncode == 0, printed.decode()
    return printed.decode()


async def test_kafka_s_own_tool_takes_the_lines_as_they_are(users: Users, topics: Topics, tmp_path: Path) -> None:
    reader = await users.may("by-hand", [])
    (line,) = command_lines([Acl("by-hand", operation, topic) for topic in topics.names for operation in READING])
    await kafka_acls(line, users, tmp_path)
    await topics.publish(counted(topics, times=1))
    async with reading(topics.service, reader) as feed:

        async def may() -> bool:
            try:
                return bool((await read_on(feed, Cursor(), 1))[0])
            except BrokerRefuses:
                return False

        await until(may, "who was named may read")


async def test_who_may_not_say_who_may_what_is_told(users: Users) -> None:
    somebody = await users.worker("somebody")
    with pytest.raises(BrokerRefuses, match=r"user steerco-somebody \(.*\) set the password of user other"):
        await grant(somebody, {"other": PASSWORD}, [])
    with pytest.raises(BrokerRefuses, match=r"user steerco-somebody \(.*\) read who may do what"):
        await grant(somebody, {}, [Acl("somebody", Operation.WRITE, events_topic("other"))])


async def test_who_is_granted_something_may_no_more_what_was_said_in_other_ways(users: Users, tmp_path: Path) -> None:
    tool = "kafka-acls.sh --bootstrap-server $KAFKA --command-config operator.properties"
    for more in (
        "--allow-principal User:before --operation Write --topic steerco --resource-pattern-type prefixed",
        "--allow-principal User:before --allow-host 10.0.0.1 --operation Read --topic steerco.risk.events.v1",
        "--allow-principal User:before --operation Alter --cluster",
        "--deny-principal User:before --operation Read --topic steerco.risk.events.v1",
    ):
        await kafka_acls(f"{tool} --add {more}", users, tmp_path)
    asked = f"{tool} --list --principal User:before"
    assert (await kafka_acls(asked, users, tmp_path)).count("principal=User:before") == 4
    await users.may("before", [Acl("before", Operation.READ, events_topic("finance"))])
    (said,) = (
        line for line in (await kafka_acls(asked, users, tmp_path)).splitlines() if "principal=User:before" in line
    )
    assert "operation=READ, permissionType=ALLOW" in said


async def test_what_does_not_come_to_be_so_is_not_waited_for_for_ever(
    users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeing, "SEEN_WITHIN", 0.2)
    with pytest.raises(KafkaTimeoutError):
        await grant(users.operator, {}, [Acl("not-let-in", Operation.READ, events_topic("finance"))])
