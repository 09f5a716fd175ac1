"""``org.apache.kafka.connect.json.JsonConverter`` as recorded."""

from __future__ import annotations

import pytest

from lab import vectors
from lab.conversions import run_converter
from penstock_converters.json import JsonConverter


@pytest.mark.parametrize("case", vectors.load("json_converter"), ids=lambda case: case.id)
def test_json_converter(case, judge):
    judge(case, lambda case: run_converter(case, JsonConverter()))
