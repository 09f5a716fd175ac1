"""`WorkerClient`: one worker's requests to another's REST API."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from penstock.errors import ConflictError, RetriableError, WorkerError

__all__ = ["WorkerAnswer", "WorkerClient"]

#: Seconds. The other worker may use the whole of its own request timeout.
_TIMEOUT: Final = 100.0
_TRUST: Final = (
    "Every worker of a group needs a certificate for its advertised host that the others trust: see "
    "listeners.https.ssl.keystore.* and listeners.https.ssl.truststore.*, or ssl.* where none of these is given"
)


class WorkerAnswer(NamedTuple):
    status: int
    #: Names in lower case.
    headers: Mapping[str, str]
    body: bytes

    @property
    def message(self) -> str:
        """The message of an answer that is an error."""
        try:
            return str(json.loads(self.body)["message"])
        except (ValueError, KeyError, TypeError):
            return self.body.decode("utf-8", "replace")[:500] or f"HTTP {self.status}"


class WorkerClient:
    """Safe from any thread: a connection a request, since they are few. `tls` is asked when a worker advertises https."""

    def __init__(self, tls: Callable[[], ssl.SSLContext | None] = lambda: None, timeout: float = _TIMEOUT) -> None:
        self._tls, self._timeout = tls, timeout

    def request(
        self,
        method: str,
        base: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout: float | None = None,
    ) -> WorkerAnswer:
        """Send one request; `target` is path and query, encoded. Any status is an answer.

        Raises `ConflictError` where nobody answers at `base`: a worker that went, and the group does not know yet;
        `WorkerError` where TLS does not come about: that will not pass by itself.
        """
        seconds = self._timeout if timeout is None else timeout
        parts = urlsplit(base)
        host, port = parts.hostname or "", parts.port
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(host, port, timeout=seconds, context=self._tls())
        else:
            connection = http.client.HTTPConnection(host, port, timeout=seconds)
        try:
            connection.request(method, parts.path.rstrip("/") + target, body, dict(headers))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return WorkerAnswer(response.status, found, response.read())
        except TimeoutError as error:
            raise RetriableError(f"The worker at {base} did not answer within {seconds:g} s") from error
        except ssl.SSLCertVerificationError as error:
            raise WorkerError(
                f"IO Error trying to forward REST request: the certificate of the worker at {base} is not trusted: "
                f"{error.verify_message}. {_TRUST}"
            ) from error
        except ssl.SSLError as error:
            raise WorkerError(
                f"IO Error trying to forward REST request: no TLS connection with the worker at {base}: "
                f"{error.reason or error}. It may not trust this worker's certificate: {_TRUST}"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            # A server that wants another certificate says so after the handshake, and may have hung up before that is read.
            other = ", or not trust this worker's certificate" if parts.scheme == "https" else ""
            raise ConflictError(
                f"Cannot complete request because the worker at {base}, which it is for, cannot be reached ({error}). "
                f"It may be down{other}; others take its part once the group has noticed",
                retry_after=5,
            ) from error
        finally:
            connection.close()
