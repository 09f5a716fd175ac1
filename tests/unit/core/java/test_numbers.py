"""Java's casts and parsers of numbers."""

from __future__ import annotations

import math

import pytest

from penstock.java.numbers import double_to_int, parse_double, parse_float32, parse_int
from penstock_transforms.cast_values import parse_boolean


@pytest.mark.parametrize(
    ("number", "bits", "result"),
    [
        (3.99, 32, 3), (-3.99, 32, -3), (math.nan, 64, 0), (1e300, 64, 2**63 - 1), (-1e300, 32, -(2**31)),
        (300.0, 8, 44), (1e300, 8, -1), (-1e300, 16, 0), (math.inf, 64, 2**63 - 1), (2147483648.0, 32, 2**31 - 1),
    ],
)  # fmt: skip
def test_floats_saturate_at_int_and_then_wrap(number, bits, result):
    assert double_to_int(number, bits) == result


@pytest.mark.parametrize(("text", "result"), [("+5", 5), ("-128", -128), ("007", 7), ("\u0664\u0662", 42), ("000", 0)])
def test_integers_are_read_with_a_sign_and_digits_of_any_script(text, result):
    assert parse_int(text, 8) == result


@pytest.mark.parametrize("text", ["", "+", "128", " 5", "5 ", "1_0", "0x10", "5.0", "1e2", "9" * 5000, "--5", "\u00b2"])
def test_what_java_does_not_read_as_a_byte_is_refused(text):
    with pytest.raises(ValueError):
        parse_int(text, 8)


@pytest.mark.parametrize(
    ("text", "result"),
    [(" 1.5 ", 1.5), ("1e3f", 1000.0), (".5D", 0.5), ("5.", 5.0), ("-Infinity", -math.inf), ("0x1.8p1", 3.0), ("1e400", math.inf)],
)  # fmt: skip
def test_doubles_are_read_as_java_reads_them(text, result):
    assert parse_double(text) == result


@pytest.mark.parametrize("text", ["", "inf", "nan", "1_0", "0x10", "--1", "1e", "f", "infinity", "1.5ff"])
def test_what_java_does_not_read_as_a_double_is_refused(text):
    with pytest.raises(ValueError):
        parse_double(text)


def test_a_float_is_rounded_once_from_its_text():
    # By way of a double this would be 1.0: the tie is broken by digits that a double does not hold.
    assert parse_float32("1.00000005960464477539062500000001") == 1.0000001192092896
    assert math.copysign(1, parse_float32("-0.0")) == -1
    assert math.isnan(parse_float32("NaN"))
    assert parse_float32("1e39") == math.inf


def test_anything_but_true_is_false():
    assert parse_boolean("TrUe")
    assert not parse_boolean(" true")
    assert not parse_boolean("1")
