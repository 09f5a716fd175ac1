"""From a failure to its answer, and to the log where it is not the client's fault."""

from __future__ import annotations

import logging

from penstock.errors import ConnectError, DataError
from penstock_registry.server.errors import RegistryError, http_error, store_failed, unknown_leader
from penstock_registry.store import NotLeaderError

__all__ = ["refusal"]

_log = logging.getLogger(__name__)


def refusal(error: Exception, method: str, path: str) -> RegistryError:
    """Return the answer that tells of `error`, which a request for `path` met."""
    if isinstance(error, RegistryError):
        return error
    if isinstance(error, NotLeaderError):
        return unknown_leader(str(error))
    if isinstance(error, ConnectError) and not isinstance(error, DataError):
        _log.error("%s %s: the store failed: %s", method, path, error)
        return store_failed(str(error))
    _log.error("%s %s failed", method, path, exc_info=error)
    return http_error(500)
