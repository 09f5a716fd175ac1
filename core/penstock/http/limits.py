"""The limits of what a client may send, and of the time it may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["DEFAULT_MAX_BODY", "DEFAULT_MAX_CONNECTIONS", "DEFAULT_TIMEOUT_MS", "HttpLimits"]

DEFAULT_MAX_BODY: Final = 16 * 1024 * 1024
DEFAULT_MAX_CONNECTIONS: Final = 1000
#: Jetty's idle timeout.
DEFAULT_TIMEOUT_MS: Final = 30_000


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """The bounds of one server. Whatever is over one is refused with a sentence that names it, and the connection closes.

    The names of settings are for these sentences.
    """

    #: Bytes of one body, whether its length is announced (413 before it is read) or it comes in chunks.
    max_body: int = DEFAULT_MAX_BODY
    max_body_key: str = "the limit"
    #: Connections open at once, over all listeners. At the limit the one that waits longest for its request makes room.
    max_connections: int = DEFAULT_MAX_CONNECTIONS
    max_connections_key: str = "the limit"
    #: Seconds for a request's head to arrive, for a pause in its body, and for the client to take what is sent to it.
    timeout: float = DEFAULT_TIMEOUT_MS / 1000
    #: Bytes of the request line and all headers (431), and of the request line's target alone (414).
    max_head: int = 64 * 1024
    max_target: int = 16 * 1024
    #: Headers of one request (431).
    max_headers: int = 200
    #: Bytes a second that a body must reach on average once `timeout` is over: a drop now and then does not keep it open.
    min_rate: int = 4 * 1024
    #: The media type of refusals: ``{"error_code": …, "message": …}``.
    media_type: str = "application/json"

    @property
    def max_bodies(self) -> int:
        """Bytes of all bodies that are held at once; beyond it a request is told to come again (503)."""
        return 4 * self.max_body
