"""Real servers as child processes: PostgreSQL, Apache Kafka and Keycloak."""
