"""Who may do what: users and tokens, roles by subject prefix, and which request needs which."""

from penstock_registry.server.access.principal import Grant, Principal, Role, parse_grants
from penstock_registry.server.access.rules import Need, need_of

__all__ = ["Grant", "Need", "Principal", "Role", "need_of", "parse_grants"]
