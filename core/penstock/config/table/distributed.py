"""Settings of distributed workers only (``DistributedConfig``)."""

from __future__ import annotations

from typing import Final

from penstock.config.definition import NO_DEFAULT, ConfigType, Importance
from penstock.config.table.checks import ALGORITHM, ALGORITHMS, POSITIVE_OR_BROKERS, one_of
from penstock.config.table.row import HIGH, LOW, MEDIUM, Row
from penstock.config.validators import Range, Validator

__all__ = ["DISTRIBUTED_ROWS"]

_T = ConfigType
_INT_MAX: Final = 2**31 - 1


def _used(
    name: str,
    type: ConfigType,  # noqa: A002 - Connect's word
    default: object,
    importance: Importance,
    doc: str,
    validator: Validator | None = None,
) -> Row:
    enumeration = name in ("exactly.once.source.support", "connect.protocol")
    return Row(
        name,
        type,
        default,
        importance,
        doc,
        validator,
        mode="distributed",
        normalize=str.lower if enumeration else None,
    )


DISTRIBUTED_ROWS: Final[tuple[Row, ...]] = (
    _used("group.id", _T.STRING, NO_DEFAULT, HIGH, "The name of the cluster; workers that share it share the work."),
    _used("config.storage.topic", _T.STRING, NO_DEFAULT, HIGH,
          "Topic of connector configurations. Made with one partition if it is missing."),
    _used("config.storage.replication.factor", _T.SHORT, 3, LOW, "Replicas of that topic, where it is made.",
          POSITIVE_OR_BROKERS),
    _used("offset.storage.topic", _T.STRING, NO_DEFAULT, HIGH, "Topic of source offsets."),
    _used("offset.storage.partitions", _T.INT, 25, LOW, "Partitions of that topic, where it is made.",
          POSITIVE_OR_BROKERS),
    _used("offset.storage.replication.factor", _T.SHORT, 3, LOW, "Replicas of that topic, where it is made.",
          POSITIVE_OR_BROKERS),
    _used("status.storage.topic", _T.STRING, NO_DEFAULT, HIGH, "Topic of connector and task states."),
    _used("status.storage.partitions", _T.INT, 5, LOW, "Partitions of that topic, where it is made.",
          POSITIVE_OR_BROKERS),
    _used("status.storage.replication.factor", _T.SHORT, 3, LOW, "Replicas of that topic, where it is made.",
          POSITIVE_OR_BROKERS),
    _used("internal.topics.automatic.creation.enable", _T.BOOLEAN, True, MEDIUM,
          "Create those three topics where they are missing. If not, a worker ends at a missing one; "
          "`penstock internal-topics create` creates them."),
    _used("exactly.once.source.support", _T.STRING, "disabled", HIGH,
          "Deliver source records exactly once. In a running cluster, first `preparing` on every worker, then `enabled`.",
          one_of("disabled", "preparing", "enabled")),
    _used("session.timeout.ms", _T.INT, 10000, HIGH,
          "A worker that was not heard of for so long is taken to be dead, and its work goes to others."),
    _used("heartbeat.interval.ms", _T.INT, 3000, HIGH,
          "How often a worker says that it is alive; at most a third of the session timeout."),
    _used("rebalance.timeout.ms", _T.INT, 60000, HIGH,
          "How long a worker may take to join a rebalance, stopping of revoked work included."),
    _used("worker.sync.timeout.ms", _T.INT, 3000, MEDIUM,
          "How long a worker that is behind with the configurations tries to catch up before it leaves the group."),
    _used("worker.unsync.backoff.ms", _T.INT, 300000, MEDIUM, "How long it stays out after that."),
    _used("scheduled.rebalance.max.delay.ms", _T.INT, 300000, LOW,
          "How long the work of a worker that left waits for its return before others get it.",
          Range.between(0, _INT_MAX)),
    _used("connect.protocol", _T.STRING, "sessioned", LOW,
          "How workers talk while rebalancing; `sessioned` also signs the requests between them.",
          one_of("eager", "compatible", "sessioned")),
    _used("inter.worker.key.generation.algorithm", _T.STRING, "HmacSHA256", LOW,
          "For which algorithm the workers' common key is made.", ALGORITHM),
    _used("inter.worker.key.size", _T.INT, None, LOW, "Bits of that key; the algorithm's own size if not given."),
    _used("inter.worker.key.ttl.ms", _T.INT, 3600000, LOW, "How long a key is used before the leader makes a new one.",
          Range.between(0, _INT_MAX)),
    _used("inter.worker.signature.algorithm", _T.STRING, "HmacSHA256", LOW,
          "How requests between workers are signed.", ALGORITHM),
    _used("inter.worker.verification.algorithms", _T.LIST, "HmacSHA256", LOW,
          "Which signatures are accepted; the one above must be among them.", ALGORITHMS),
)  # fmt: skip
