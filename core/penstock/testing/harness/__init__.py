"""A connector in a unit test: no broker, no thread, no waiting; all that it does comes back as values.

`SourceHarness` and `SinkHarness` run one task of a connector by the code that a worker runs: the same checks of the
configuration, the same contexts, the same order of calls, the same transforms and converters. Only Kafka is a fake.
"""

from penstock.testing.harness.calls import Call
from penstock.testing.harness.carried import SentRecord
from penstock.testing.harness.clock import Clock
from penstock.testing.harness.connector import ConfigRefusedError, HarnessError, config_errors
from penstock.testing.harness.sink import SinkHarness
from penstock.testing.harness.source import EndedTransaction, SourceHarness

__all__ = [
    "Call",
    "Clock",
    "ConfigRefusedError",
    "EndedTransaction",
    "HarnessError",
    "SentRecord",
    "SinkHarness",
    "SourceHarness",
    "config_errors",
]
