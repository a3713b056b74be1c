"""What a process is told of Kafka: where it is, and how one comes in."""

from pathlib import Path
from ssl import SSLError, create_default_context

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from steerco_events.kafka.broker import Broker, Mechanism, Security
from steerco_service.secret_files import SecretSettings


class KafkaSettings(SecretSettings):
    """For the worker, and for who starts it. Variables `STEERCO_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="STEERCO_", env_ignore_empty=True, hide_input_in_errors=True)

    kafka: str = Field("", description="Kafka's bootstrap servers: for the worker.")
    kafka_replication: int = Field(3, ge=1, description="Copies of a topic that the relay has to make.")
    kafka_security: Security = Field(
        "PLAINTEXT", description="How one connects: with TLS (`…SSL`) or without, with a user (`SASL_…`) or without."
    )
    kafka_mechanism: Mechanism = Field(
        "SCRAM-SHA-512", description="How a user's password is proven.", validate_default=True
    )
    kafka_user: str = Field("", description="The service's own user of Kafka.", validate_default=True)
    kafka_password: str = Field("", repr=False, description="That user's password.", validate_default=True)
    kafka_ca: Path | None = Field(
        None, description="File (PEM) with the certificate of who signs those of the brokers, if it is your own."
    )

    @field_validator("kafka_mechanism")
    @classmethod
    def _keeps_the_password(cls, mechanism: Mechanism, told: ValidationInfo) -> Mechanism:
        if mechanism == "PLAIN" and told.data.get("kafka_security") == "SASL_PLAINTEXT":
            raise ValueError("PLAIN sends the password as it is: it needs STEERCO_KAFKA_SECURITY=SASL_SSL")
        return mechanism

    @field_validator("kafka_user", "kafka_password")
    @classmethod
    def _is_there_where_there_are_users(cls, text: str, told: ValidationInfo) -> str:
        security = told.data.get("kafka_security")
        if security and bool(text) != security.startswith("SASL"):
            what = "says nothing" if text else "is needed"
            raise ValueError(f"it {what} with STEERCO_KAFKA_SECURITY={security}")
        return text

    @field_validator("kafka_ca")
    @classmethod
    def _holds_certificates(cls, file: Path | None, told: ValidationInfo) -> Path | None:
        security = told.data.get("kafka_security")
        if file and security and not security.endswith("SSL"):
            raise ValueError(f"it says nothing with STEERCO_KAFKA_SECURITY={security}")
        if file:
            try:
                create_default_context(cafile=file)
            except SSLError as error:
                raise ValueError(f"{file} holds no certificate (PEM)") from error
            except OSError as error:
                raise ValueError(f"{file} can't be read: {error.strerror}") from error
        return file

    @property
    def broker(self) -> Broker:
        """The cluster that these settings tell of."""
        return Broker(
            self.kafka,
            self.kafka_security,
            self.kafka_mechanism,
            self.kafka_user,
            self.kafka_password,
            self.kafka_ca,
        )


def environment_of(broker: Broker) -> dict[str, str]:
    """What tells another process of the same."""
    told = {
        "STEERCO_KAFKA": broker.bootstrap,
        "STEERCO_KAFKA_SECURITY": broker.security,
        "STEERCO_KAFKA_MECHANISM": broker.mechanism,
        "STEERCO_KAFKA_USER": broker.user,
        "STEERCO_KAFKA_PASSWORD": broker.password,
        "STEERCO_KAFKA_CA": str(broker.authority or ""),
    }
    return {name: value for name, value in told.items() if value}
