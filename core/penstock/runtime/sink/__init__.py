"""A sink task at work: consume, convert, transform, put, commit offsets. At least once.

Source of the rules: ``WorkerSinkTask`` of Kafka Connect.
"""

from penstock.runtime.sink.parts import SinkTaskParts
from penstock.runtime.sink.task import WorkerSinkTask

__all__ = ["SinkTaskParts", "WorkerSinkTask"]
