"""Kafka's connectors for trying a cluster out, as its ``connect/test-plugins`` has them."""
