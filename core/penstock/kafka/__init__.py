"""The only room that touches Kafka: client factories, admin calls. Settings come in Java's names."""

from penstock.kafka.clients import ClientKind, KafkaClients, client_settings

__all__ = ["ClientKind", "KafkaClients", "client_settings"]
