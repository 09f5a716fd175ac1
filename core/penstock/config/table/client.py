"""Settings of the worker's connection to Kafka (``CommonClientConfigs``)."""

from __future__ import annotations

from typing import Final

from penstock.config.definition import NO_DEFAULT, ConfigType
from penstock.config.table.checks import BROKERS, one_of
from penstock.config.table.row import HIGH, LOW, MEDIUM, Row, ignored, used
from penstock.config.validators import Range, ValidString

__all__ = ["CLIENT_ROWS"]

_T = ConfigType
_NOT_NEGATIVE: Final = Range.at_least(0)

CLIENT_ROWS: Final[tuple[Row, ...]] = (
    used("bootstrap.servers", _T.LIST, NO_DEFAULT, HIGH, "Brokers to start from, HOST:PORT, separated by commas.",
         BROKERS),
    used("client.id", _T.STRING, "", LOW, "The worker's name towards the brokers, for quotas and logs."),
    used("client.dns.lookup", _T.STRING, "use_all_dns_ips", MEDIUM, "What is done with several addresses of one name.",
         ValidString("use_all_dns_ips", "resolve_canonical_bootstrap_servers_only")),
    used("connections.max.idle.ms", _T.LONG, 540000, MEDIUM, "When an unused connection is closed."),
    used("request.timeout.ms", _T.INT, 40000, MEDIUM, "How long the answer to a request may take.", _NOT_NEGATIVE),
    used("receive.buffer.bytes", _T.INT, 32768, MEDIUM, "Receive buffer of a socket; -1 for the system's.",
         Range.at_least(-1)),
    used("send.buffer.bytes", _T.INT, 131072, MEDIUM, "Send buffer of a socket; -1 for the system's.",
         Range.at_least(-1)),
    used("metadata.max.age.ms", _T.LONG, 300000, LOW, "When knowledge of topics and leaders is renewed.", _NOT_NEGATIVE),
    used("metadata.recovery.strategy", _T.STRING, "rebootstrap", LOW,
         "What a client does when no broker it knows answers: start from `bootstrap.servers` again, or not.",
         one_of("rebootstrap", "none"), normalize=str.lower),
    ignored("metadata.recovery.rebootstrap.trigger.ms", _T.LONG, 300000,
            "The client decides when to start from the bootstrap servers again.", _NOT_NEGATIVE),
    ignored("metadata.cluster.check.enable", _T.BOOLEAN, True,
            "The client library does not ask a broker which cluster it belongs to."),
    ignored("bootstrap.resolve.timeout.ms", _T.LONG, 0,
            "As in Kafka Connect, names of bootstrap servers are looked up again whenever a connection is made.",
            _NOT_NEGATIVE),
    used("reconnect.backoff.ms", _T.LONG, 50, LOW, "The first pause before a lost connection is tried again.",
         _NOT_NEGATIVE),
    used("reconnect.backoff.max.ms", _T.LONG, 1000, LOW, "The longest such pause.", _NOT_NEGATIVE),
    used("retry.backoff.ms", _T.LONG, 100, LOW, "The first pause before a failed request is tried again.",
         _NOT_NEGATIVE),
    used("retry.backoff.max.ms", _T.LONG, 1000, LOW, "The longest such pause.", _NOT_NEGATIVE),
    used("socket.connection.setup.timeout.ms", _T.LONG, 10000, LOW, "How long making a connection may take.",
         _NOT_NEGATIVE),
    ignored("socket.connection.setup.timeout.max.ms", _T.LONG, 30000,
            "The time for making a connection does not grow with failures.", _NOT_NEGATIVE),
)  # fmt: skip
