"""Kafka's converters for single values, as recorded."""

from __future__ import annotations

import pytest

from lab import vectors
from lab.conversions import run_converter
from penstock_converters import simple


@pytest.mark.parametrize("case", vectors.load("simple_converters"), ids=lambda case: case.id)
def test_simple_converters(case, judge):
    judge(case, lambda case: run_converter(case, getattr(simple, case.simple_class)()))
