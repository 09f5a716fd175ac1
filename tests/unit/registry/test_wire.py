"""Confluent's frame, and what is said of bytes that are not one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import SerializationError
from penstock_registry.wire import (
    decode_message_indexes,
    describe_payload,
    encode_message_indexes,
    frame_header,
    schema_id,
)


@given(st.integers(0, 2**31 - 1), st.binary())
def test_an_id_comes_back_from_its_frame(number: int, data: bytes) -> None:
    assert schema_id(frame_header(number) + data) == number


@pytest.mark.parametrize("number", [-1, 2**31])
def test_an_id_that_does_not_fit_is_refused(number: int) -> None:
    with pytest.raises(SerializationError, match="does not fit the wire format"):
        frame_header(number)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"\x00\x00", "only 2 of the 5 bytes"),
        (b'{"a":1}', "0x7b and looks like JSON text; JsonConverter"),
        (b"  [1]", "JSON text"),
        (b"Obj\x01\x04\x14", "Avro object container"),
        ("größe".encode(), "plain text; StringConverter"),
        (b"\xff\xfe\x00", "0xff and is binary; ByteArrayConverter"),
        (b"\x01" + b"\xc3" * 16, "schema GUID"),
        (b"\x02\x03", "ByteArrayConverter"),
    ],
)
def test_what_a_payload_looks_like_is_said(data: bytes, said: str) -> None:
    assert said in describe_payload(data)
    with pytest.raises(SerializationError, match=r"^Unknown magic byte! "):
        schema_id(data)


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=30), st.binary(max_size=4))
def test_message_indexes_come_back(indexes: list[int], rest: bytes) -> None:
    encoded = encode_message_indexes(indexes)
    assert decode_message_indexes(encoded + rest, 0) == (indexes, len(encoded))


def test_the_first_message_takes_one_byte() -> None:
    assert encode_message_indexes([0]) == b"\x00"
    assert encode_message_indexes([1, 0]) == b"\x04\x02\x00"


@given(st.binary(max_size=40))
def test_broken_message_indexes_are_refused_not_believed(data: bytes) -> None:
    try:
        indexes, position = decode_message_indexes(data, 0)
    except SerializationError:
        return
    assert position <= len(data)
    assert all(i >= 0 for i in indexes)
