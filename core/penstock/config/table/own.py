"""Settings that only penstock has."""

from __future__ import annotations

from typing import Final

from penstock.config.definition import ConfigType
from penstock.config.table.row import LOW, MEDIUM, Row, used
from penstock.config.validators import Range

__all__ = ["OWN_ROWS"]

OWN_ROWS: Final[tuple[Row, ...]] = (
    used("schema.registry.embedded", ConfigType.BOOLEAN, False, MEDIUM,
         "Run a schema registry inside the worker; its settings follow under `registry.`, and converters use it by default."),
    used("rest.get.actions", ConfigType.BOOLEAN, True, LOW,
         "Let GET pause, resume and restart too, where no browser asks for it."),
    used("rest.trusted.proxies", ConfigType.LIST, "", LOW,
         "Addresses or networks of the proxies whose `X-Forwarded-Proto` and `X-Forwarded-For` are believed; empty for nobody's."),
    used("rest.max.request.size", ConfigType.INT, 16777216, LOW,
         "The largest body of a REST request, in bytes.", Range.at_least(1)),
    used("rest.max.connections", ConfigType.INT, 1000, LOW,
         "Connections that the REST listeners keep open at once; at the limit the one that waits longest for a request makes room.",
         Range.at_least(1)),
    used("rest.request.timeout.ms", ConfigType.LONG, 30000, LOW,
         "How long the head of a REST request may take, a pause in its body, and a client that does not read its answer.",
         Range.at_least(1)),
    used("config.provider.timeout.ms", ConfigType.LONG, 30000, LOW,
         "How long a config provider may take for one path; a request that waits for it then fails.", Range.at_least(1)),
    used("errors.restart.max", ConfigType.INT, 0, MEDIUM,
         "How often a failed task is restarted by itself; 0 never, -1 always. A connector may say otherwise.",
         Range.at_least(-1)),
    used("errors.restart.backoff.ms", ConfigType.LONG, 1000, LOW,
         "Pause before the first such restart; each further one is twice as long.", Range.at_least(1)),
    used("errors.restart.backoff.max.ms", ConfigType.LONG, 300000, LOW,
         "The longest such pause. A task that ran for longer begins to count anew.", Range.at_least(1)),
)  # fmt: skip
