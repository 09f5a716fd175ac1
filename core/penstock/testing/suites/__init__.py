"""Acceptance suites: what a plugin's author runs against the own plugin, in three lines.

::

    from penstock.testing.suites import Sample, converter_suite

    TestPipes = converter_suite(PipeConverter, {"fields": "id:int64"}, samples=[Sample(SCHEMA, {"id": 1})])

Each function returns a class of tests, which pytest runs if it stands in a test module under a name that begins with
``Test``. A failed test says which promise of `penstock.api` the plugin breaks, and with which sample. The plugins that
come with penstock pass the same suites.
"""

from penstock.testing.suites.converters import Sample, converter_suite, header_converter_suite
from penstock.testing.suites.sinks import sink_suite
from penstock.testing.suites.sources import source_suite
from penstock.testing.suites.transforms import predicate_suite, transform_suite

__all__ = [
    "Sample",
    "converter_suite",
    "header_converter_suite",
    "predicate_suite",
    "sink_suite",
    "source_suite",
    "transform_suite",
]
