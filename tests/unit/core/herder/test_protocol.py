"""The group protocol's bytes: what is written is read back, and broken bytes never end in anything but a ProtocolError."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.herder.distributed.protocol import (
    COMPATIBLE,
    DEFAULT,
    EMPTY_ASSIGNMENT,
    SESSIONED,
    Assignment,
    ProtocolError,
    WorkerState,
    decode_assignment,
    decode_metadata,
    encode_assignment,
    encode_metadata,
    subprotocols,
)
from penstock.runtime.status import ConnectorTaskId

VERSIONS = {DEFAULT: 0, COMPATIBLE: 1, SESSIONED: 2}
PROTOCOLS = st.sampled_from(sorted(VERSIONS))
NAMES = st.text(st.characters(codec="utf-8"), max_size=12)
TASKS = st.lists(st.builds(ConnectorTaskId, NAMES, st.integers(0, 2**31 - 1)), max_size=6, unique=True).map(tuple)
CONNECTORS = st.lists(NAMES, max_size=20, unique=True).map(tuple)
OFFSETS = st.integers(-(2**63), 2**63 - 1)
ASSIGNMENTS = st.builds(
    Assignment,
    st.integers(0, 1),
    NAMES,
    NAMES,
    OFFSETS,
    CONNECTORS,
    TASKS,
    CONNECTORS,
    TASKS,
    st.integers(0, 2**31 - 1),
)


def sets(assignment: Assignment) -> tuple[object, ...]:
    """The order on the wire is Java's and not kept."""
    return (
        assignment.error, assignment.leader, assignment.leader_url, assignment.offset, assignment.delay,
        set(assignment.connectors), set(assignment.tasks), set(assignment.revoked_connectors), set(assignment.revoked_tasks),
    )  # fmt: skip


@given(PROTOCOLS, ASSIGNMENTS)
def test_an_assignment_is_read_back(protocol: str, assignment: Assignment) -> None:
    data = encode_assignment(protocol, assignment)
    read = decode_assignment(protocol, data)
    assert read.version == VERSIONS[protocol]
    if protocol == DEFAULT:
        plain = Assignment(
            assignment.error, assignment.leader, assignment.leader_url, assignment.offset, assignment.connectors, assignment.tasks
        )  # fmt: skip
        assert sets(read) == sets(plain)
    else:
        assert sets(read) == sets(assignment)


@given(PROTOCOLS, NAMES, OFFSETS, st.none() | ASSIGNMENTS)
def test_a_workers_state_is_read_back(protocol: str, url: str, offset: int, assignment: Assignment | None) -> None:
    read = decode_metadata(protocol, encode_metadata(protocol, WorkerState(url, offset, assignment)))
    assert (read.url, read.offset) == (url, offset)
    if protocol == DEFAULT:
        assert read.assignment is None
    else:
        assert read.assignment is not None
        assert sets(read.assignment) == sets(assignment or EMPTY_ASSIGNMENT)


@given(PROTOCOLS, st.binary(max_size=60))
def test_broken_bytes_are_refused_or_read_and_nothing_else(protocol: str, data: bytes) -> None:
    for decode in (decode_assignment, decode_metadata):
        with contextlib.suppress(ProtocolError):
            decode(protocol, data)


@given(PROTOCOLS, ASSIGNMENTS, st.data())
def test_cut_off_bytes_are_refused_or_read_and_nothing_else(
    protocol: str, assignment: Assignment, data: st.DataObject
) -> None:
    written = encode_metadata(protocol, WorkerState("http://w/", 1, assignment))
    with contextlib.suppress(ProtocolError):
        decode_metadata(protocol, written[: data.draw(st.integers(0, len(written)))])


def test_what_is_offered_follows_connect_protocol() -> None:
    assert subprotocols("eager") == (DEFAULT,)
    assert subprotocols("compatible") == (COMPATIBLE, DEFAULT)
    assert subprotocols("sessioned") == (SESSIONED, COMPATIBLE, DEFAULT)


def test_connectors_stand_in_the_order_of_a_java_set() -> None:
    names = tuple(f"connector-{i}" for i in range(20))
    data = encode_assignment(DEFAULT, Assignment(0, "m", "u", 1, names, ()))
    assert data is not None
    # "Aa" and "BB" have one hash code: they stay in the order given, beside each other.
    twins = decode_assignment(DEFAULT, encode_assignment(DEFAULT, Assignment(0, "m", "u", 1, ("BB", "b", "Aa"), ())))
    assert twins.connectors in (("BB", "Aa", "b"), ("b", "BB", "Aa"))
    assert set(decode_assignment(DEFAULT, data).connectors) == set(names)


def test_a_name_too_long_for_the_wire_is_refused() -> None:
    with pytest.raises(ProtocolError, match="40000 bytes"):
        encode_metadata(SESSIONED, WorkerState("h" * 40_000, 1))
