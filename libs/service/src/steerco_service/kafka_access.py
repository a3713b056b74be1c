"""What a service's worker may do in Kafka: what the service as it is declared makes it do."""

from collections.abc import Sequence

from steerco_events.kafka.permissions import Acl, acls_of_worker
from steerco_service.runtime import Service


def acls_of(service: Service) -> Sequence[Acl]:
    """In the topics of its own log, and in those of the logs that its view and its reactions follow."""
    reads = {*service.view.services, *(reaction.service for reaction in service.reactions)}
    return acls_of_worker(service.name, reads, owns_log=service.owns_log)
