"""Clients of a schema registry: over HTTP, in memory, or of an embedded registry of this process; one interface.

Light to import; the HTTP client's library is loaded when the first HTTP client is made.
"""

from penstock_registry.client.caching import CachingClient
from penstock_registry.client.factory import ClientSettings, client_for, split_urls
from penstock_registry.client.interface import RegisteredSchema, RegistryClient, RegistryRequestError
from penstock_registry.client.local import local_client, register_local, unregister_local
from penstock_registry.client.memory import MemoryClient, drop_mock, mock_client

__all__ = [
    "CachingClient",
    "ClientSettings",
    "MemoryClient",
    "RegisteredSchema",
    "RegistryClient",
    "RegistryRequestError",
    "client_for",
    "drop_mock",
    "local_client",
    "mock_client",
    "register_local",
    "split_urls",
    "unregister_local",
]
