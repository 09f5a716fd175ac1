"""Connectors for workers that shall die at a step of `lab.fault_points`: loading them puts the step's fault in place."""

from lab.counting_source import CountingSource
from lab.fault_points import install
from lab.sinks import RecordingSink
from penstock_connectors.files.json_lines_sink import JsonLinesSink

__all__ = ["DyingJsonLinesSink", "DyingSink", "DyingSource"]


class DyingSource(CountingSource):
    """Counts."""


class DyingSink(RecordingSink):
    """Writes down what it is given."""


class DyingJsonLinesSink(JsonLinesSink):
    """Writes JSON lines."""


install()
