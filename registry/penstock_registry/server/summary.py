"""The summary of a registry that runs: what it serves, where schemas are kept, who may reach it. No secret is in it."""

from __future__ import annotations

from collections.abc import Sequence

from penstock_registry.server.config import ServerConfig, StoreKind

__all__ = ["summary_of"]


def summary_of(
    settings: ServerConfig, urls: Sequence[str], version: str, schema_types: Sequence[str]
) -> dict[str, str]:
    """Return the lines of the summary, what each is about and what it says."""
    lines = {
        "version": f"penstock {version}",
        "addresses": f"{', '.join(urls)}, local://{settings.name}; metrics at {urls[0]}/metrics",
        "store": _store(settings),
    }
    if settings.kafka is not None:
        may = "may lead" if settings.kafka.eligible else "never leads"
        lines["group"] = f"{settings.group_id}; this registry {may}"
    return lines | {
        "compatibility": f"{settings.compatibility.value} unless a subject, context or the global config says otherwise",
        "modes": "may be changed" if settings.mode_mutability else "may not be changed",
        "schema types": ", ".join(schema_types),
        "security": _security(settings),
    }


def _store(settings: ServerConfig) -> str:
    if settings.store is StoreKind.SQLITE:
        return f"the file {settings.store_path}"
    if settings.kafka is None:
        return "memory: schemas go with the process"
    connection = settings.kafka.store.connection
    protocol = str(connection.get("security.protocol", "PLAINTEXT")).upper()
    mechanism = f" with {connection.get('sasl.mechanism', 'GSSAPI')}" if protocol.startswith("SASL") else ""
    return f"topic {settings.kafka.store.topic} at {connection['bootstrap.servers']}, {protocol}{mechanism}"


def _security(settings: ServerConfig) -> str:
    methods = settings.access.methods
    who = f"users ({', '.join(methods)})" if methods else "open to everybody who reaches it"
    encrypted = [listener.scheme == "https" for listener in settings.listeners]
    tls = "with TLS" if all(encrypted) else "with TLS on some listeners" if any(encrypted) else "without TLS"
    clients = settings.tls.get("ssl.client.auth", "none")
    return f"{who}, {tls}" + (f", client certificates {clients}" if any(encrypted) and clients != "none" else "")
