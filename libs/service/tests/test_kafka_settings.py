"""What a process is told of Kafka, and that it comes in by TLS as it was told."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from steerco_events.clock import SystemClock
from steerco_events.kafka.broker import Broker, BrokerRefuses, Mechanism
from steerco_events.kafka.granting import grant
from steerco_events.kafka.topics import create_topics, events_topic
from steerco_servers.child import free_port
from steerco_servers.kafka_security import Operator
from steerco_servers.testing import secured_kafka
from steerco_service.kafka_access import acls_of
from steerco_service.kafka_settings import KafkaSettings, environment_of
from steerco_service.serving import NotServed, told
from steerco_service.settings import ServiceSettings
from steerco_service.testkit.serving import log_only

SECRET = "correct-horse"
IN = {"kafka": "kafka.example:9093", "kafka_user": "steerco-risk", "kafka_password": SECRET}
RISK = log_only("risk")


def set_up(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"STEERCO_{name.upper()}", value)


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A file with a certificate for this machine that is signed by itself, and its key beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kafka")])
    now = SystemClock().now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    file = tmp_path / "authority.pem"
    file.write_bytes(certificate.public_bytes(Encoding.PEM))
    file.with_suffix(".key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return file


def test_nothing_told_is_a_broker_for_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    set_up(monkeypatch, kafka="127.0.0.1:9092")
    assert KafkaSettings().broker == Broker("127.0.0.1:9092")


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"])
def test_all_of_it_can_be_told_and_told_on(
    monkeypatch: pytest.MonkeyPatch, authority: Path, mechanism: Mechanism
) -> None:
    set_up(monkeypatch, **IN, kafka_security="SASL_SSL", kafka_mechanism=mechanism, kafka_ca=str(authority))
    broker = KafkaSettings().broker
    assert broker == Broker(IN["kafka"], "SASL_SSL", mechanism, "steerco-risk", SECRET, authority)
    told_on = environment_of(broker)
    for name in told_on:
        monkeypatch.delenv(name)
    assert KafkaSettings().broker == Broker("")
    for name, value in told_on.items():
        monkeypatch.setenv(name, value)
    assert KafkaSettings().broker == broker


def test_the_password_may_be_in_a_file_and_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    set_up(monkeypatch, **IN | {"kafka_password": "", "kafka_password_file": str(file)}, kafka_security="SASL_SSL")
    settings = KafkaSettings()
    assert settings.broker.password == SECRET
    assert SECRET not in f"{settings!r} {settings.broker!r}"
    assert settings.broker.options["sasl_plain_password"] == SECRET


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kafka_security": "TLS"}, "STEERCO_KAFKA_SECURITY (Input should be 'PLAINTEXT', 'SSL'"),
        ({"kafka_mechanism": "GSSAPI"}, "STEERCO_KAFKA_MECHANISM (Input should be 'SCRAM-SHA-512'"),
        (
            {"kafka_security": "SASL_SSL", "kafka_password": SECRET},
            "STEERCO_KAFKA_USER (it is needed with STEERCO_KAFKA_SECURITY=SASL_SSL)",
        ),
        (
            {"kafka_security": "SASL_PLAINTEXT", "kafka_user": "steerco-risk"},
            "STEERCO_KAFKA_PASSWORD (it is needed with STEERCO_KAFKA_SECURITY=SASL_PLAINTEXT)",
        ),
        ({"kafka_user": "steerco-risk"}, "STEERCO_KAFKA_USER (it says nothing with STEERCO_KAFKA_SECURITY=PLAINTEXT)"),
        (
            {"kafka_security": "SSL", "kafka_password": SECRET},
            "STEERCO_KAFKA_PASSWORD (it says nothing with STEERCO_KAFKA_SECURITY=SSL)",
        ),
        (
            {**IN, "kafka_security": "SASL_PLAINTEXT", "kafka_mechanism": "PLAIN"},
            "STEERCO_KAFKA_MECHANISM (PLAIN sends the password as it is: it needs STEERCO_KAFKA_SECURITY=SASL_SSL)",
        ),
        ({"kafka_ca": "AUTHORITY"}, "STEERCO_KAFKA_CA (it says nothing with STEERCO_KAFKA_SECURITY=PLAINTEXT)"),
        ({"kafka_security": "SSL", "kafka_ca": "/nowhere.pem"}, "STEERCO_KAFKA_CA (/nowhere.pem can't be read: No "),
        ({"kafka_security": "SSL", "kafka_ca": "EMPTY"}, "empty holds no certificate (PEM))"),
    ],
)
def test_what_does_not_go_together_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, authority: Path, tmp_path: Path, settings: dict[str, str], said: str
) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    files = {"AUTHORITY": str(authority), "EMPTY": str(empty)}
    set_up(monkeypatch, **{name: files.get(value, value) for name, value in settings.items()})
    for kind in (KafkaSettings, ServiceSettings):
        with pytest.raises(NotServed) as refused:
            told(kind, "worker")
        assert said in str(refused.value)
        assert "\n" not in str(refused.value)
        assert SECRET not in str(refused.value)


@asynccontextmanager
async def tls_before(port: int, target: int, authority: Path) -> AsyncIterator[None]:
    """A port that speaks TLS, and hands on to one that does not."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority, authority.with_suffix(".key"))
    passing: set[asyncio.Task[None]] = set()

    async def copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(65_536):
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_broker, to_broker = await asyncio.open_connection("127.0.0.1", target)
        for each in ((reader, to_broker), (from_broker, writer)):
            task = asyncio.create_task(copied(*each))
            passing.add(task)
            task.add_done_callback(passing.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=context)
    try:
        yield
    finally:
        server.close()
        await asyncio.gather(*passing, return_exceptions=True)


@pytest.mark.kafka
async def test_a_service_comes_in_by_tls_where_it_knows_who_signed(
    monkeypatch: pytest.MonkeyPatch, authority: Path
) -> None:
    operator, behind, before = Operator("of-the-whole-cluster"), free_port(), free_port()
    async with (
        secured_kafka(operator, {behind: before}) as bootstrap,
        tls_before(before, behind, authority),
    ):
        admin = Broker(bootstrap, "SASL_PLAINTEXT", "PLAIN", operator.user, operator.password)
        await grant(admin, {"steerco-risk": SECRET}, acls_of(RISK))
        settings = IN | {"kafka": f"127.0.0.1:{before}", "kafka_security": "SASL_SSL"}
        set_up(monkeypatch, **settings, kafka_ca=str(authority))
        assert events_topic("risk") in await create_topics(KafkaSettings().broker, ["risk"], replication=1)
        monkeypatch.delenv("STEERCO_KAFKA_CA")
        with pytest.raises(BrokerRefuses, match=r"does not let user steerco-risk .* in: .*certificate verify failed"):
            await create_topics(KafkaSettings().broker, ["risk"], replication=1)
