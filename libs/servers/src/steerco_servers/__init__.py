"""Real servers as child processes: PostgreSQL and Apache Kafka."""
