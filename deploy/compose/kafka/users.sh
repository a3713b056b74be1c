#!/bin/bash
# Lets the services in, each with a password of its own, and says what they may do: users.sh SECRET SERVICE...
# What is said already is said again, which changes nothing.
set -eu
PATH=/opt/kafka/bin:$PATH
secret=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
cd "$(mktemp -d)"
cat >operator.properties <<END
security.protocol=SASL_PLAINTEXT
sasl.mechanism=PLAIN
sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="operator" password="$OPERATOR_PASSWORD";
END
for service in "$@"; do
    kafka-configs.sh --bootstrap-server "$KAFKA" --command-config operator.properties --alter \
        --entity-type users --entity-name "steerco-$service" \
        --add-config "SCRAM-SHA-512=[password=$secret-steerco-$service]"
done
. "$here/acls.sh"
