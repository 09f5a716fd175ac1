"""What a failure is answered as, and logged where it is not the client's."""

from __future__ import annotations

import logging

from penstock.errors import ConnectError, DataError
from penstock_registry.server.errors import RegistryError, http_error, store_failed, unknown_leader
from penstock_registry.store import NotLeaderError

__all__ = ["refusal"]

_log = logging.getLogger(__name__)


def refusal(error: Exception, method: str, path: str) -> RegistryError:
    """The answer that tells of `error`, which came of a request for `path`."""
    if isinstance(error, RegistryError):
        return error
    if isinstance(error, NotLeaderError):
        return unknown_leader(str(error))
    if isinstance(error, ConnectError) and not isinstance(error, DataError):
        _log.error("%s %s: the store failed: %s", method, path, error)
        return store_failed(str(error))
    _log.error("%s %s failed", method, path, exc_info=error)
    return http_error(500)
