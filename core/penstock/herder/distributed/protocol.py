"""The bytes that workers exchange inside Kafka's group protocol.

Three sub-protocols of the protocol type ``connect``: ``default`` (version 0, eager: everything is stopped and dealt out
again), ``compatible`` (version 1, KIP-415: only what moves is stopped) and ``sessioned`` (version 2: the same, and requests
between workers are signed, KIP-507). Layouts of ``ConnectProtocol`` and ``IncrementalCooperativeConnectProtocol``::

    worker metadata  version i16, url str, config offset i64 [, assignment as bytes (i32 length, -1 = none)]
    assignment       version i16, error i16, leader str, leader url str, config offset i64, assigned [, revoked, delay i32 ms]
    assigned         i32 count of { connector str, i32 count of i32 }; -1 among the numbers is the connector itself

``str`` is an i16 length and UTF-8. Numbers are big-endian. Version 0 counts ``assigned`` with 0 for none; the others
have null arrays (-1) too.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from penstock.errors import DataError
from penstock.java.hash_order import spread_hash
from penstock.java.text import to_utf8
from penstock.runtime.status import ConnectorTaskId

__all__ = [
    "ASSIGNMENT_CONFIG_MISMATCH",
    "ASSIGNMENT_NO_ERROR",
    "COMPATIBLE",
    "DEFAULT",
    "EMPTY_ASSIGNMENT",
    "PROTOCOL_TYPE",
    "SESSIONED",
    "Assignment",
    "ProtocolError",
    "WorkerState",
    "decode_assignment",
    "decode_metadata",
    "encode_assignment",
    "encode_metadata",
    "subprotocols",
]

PROTOCOL_TYPE: Final = "connect"
DEFAULT: Final = "default"
COMPATIBLE: Final = "compatible"
SESSIONED: Final = "sessioned"
_VERSIONS: Final = {DEFAULT: 0, COMPATIBLE: 1, SESSIONED: 2}
#: The sub-protocols that a worker offers for each value of ``connect.protocol``, best first.
_OFFERS: Final = {
    "eager": (DEFAULT,),
    "compatible": (COMPATIBLE, DEFAULT),
    "sessioned": (SESSIONED, COMPATIBLE, DEFAULT),
}

ASSIGNMENT_NO_ERROR: Final = 0
#: The leader's view of the config topic is behind a member's: nobody gets anything, and all try again.
ASSIGNMENT_CONFIG_MISMATCH: Final = 1

_CONNECTOR: Final = -1  # stands for the connector among its tasks' numbers


class ProtocolError(DataError):
    """Bytes of another worker that do not follow the layout, or a version nobody knows."""

    java_class = "org.apache.kafka.common.protocol.types.SchemaException"


@dataclass(frozen=True, slots=True)
class Assignment:
    """The leader's message to one member: what is new for it (with ``default``: all it has), and what it must stop.

    `delay` is in milliseconds: after it the member joins again, because work of a lost worker waits until then.
    """

    error: int = ASSIGNMENT_NO_ERROR
    leader: str | None = None
    leader_url: str | None = None
    #: The offset in the config topic that the leader assigned by: the next record's.
    offset: int = -1
    connectors: tuple[str, ...] = ()
    tasks: tuple[ConnectorTaskId, ...] = ()
    revoked_connectors: tuple[str, ...] = ()
    revoked_tasks: tuple[ConnectorTaskId, ...] = ()
    delay: int = 0
    version: int = 1

    @property
    def failed(self) -> bool:
        return self.error != ASSIGNMENT_NO_ERROR

    @property
    def empty(self) -> bool:
        """Return whether nothing was ever assigned: there is no leader then (``ExtendedAssignment.empty``)."""
        return self.leader is None


EMPTY_ASSIGNMENT: Final = Assignment()


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A member's message to the leader when it joins: where its REST listens, how far it read the config topic, and
    what it runs (None with ``default``)."""

    url: str
    offset: int
    assignment: Assignment | None = None


def subprotocols(connect_protocol: str) -> tuple[str, ...]:
    """Return the names to offer for ``connect.protocol``, the preferred one first. All members must share one."""
    return _OFFERS[connect_protocol]


def encode_metadata(protocol: str, state: WorkerState) -> bytes:
    """Encode `state` for the sub-protocol `protocol`."""
    version = _VERSIONS[protocol]
    head = struct.pack(">h", version) + _text(state.url) + struct.pack(">q", state.offset)
    if version == 0:
        return head
    assignment = encode_assignment(protocol, state.assignment or EMPTY_ASSIGNMENT)
    return head + (struct.pack(">i", -1) if assignment is None else struct.pack(">i", len(assignment)) + assignment)


def encode_assignment(protocol: str, assignment: Assignment) -> bytes | None:
    """Encode `assignment` for the sub-protocol `protocol`; None for an empty one, which only ``default`` can write."""
    version = _VERSIONS[protocol]
    if version and assignment.empty:
        return None
    head = (
        struct.pack(">hh", version, assignment.error)
        + _text(assignment.leader or "")
        + _text(assignment.leader_url or "")
        + struct.pack(">q", assignment.offset)
        + _group(assignment.connectors, assignment.tasks)
    )
    if version == 0:
        return head
    return head + _group(assignment.revoked_connectors, assignment.revoked_tasks) + struct.pack(">i", assignment.delay)


def _text(text: str) -> bytes:
    data = to_utf8(text)
    if len(data) > 32767:
        raise ProtocolError(f"A name of {len(data)} bytes does not fit into the group protocol; at most 32767 do")
    return struct.pack(">h", len(data)) + data


def _group(connectors: Iterable[str], tasks: Iterable[ConnectorTaskId]) -> bytes:
    numbers: dict[str, list[int]] = {}
    for connector in _in_java_order(connectors):
        numbers[connector] = [_CONNECTOR]
    for connector, task in tasks:
        numbers.setdefault(connector, []).append(task)
    parts = [struct.pack(">i", len(numbers))]
    for connector, own in numbers.items():
        parts.append(_text(connector) + struct.pack(f">i{len(own)}i", len(own), *own))
    return b"".join(parts)


def _in_java_order(names: Iterable[str]) -> list[str]:
    """Return `names` without repetitions in the order of a ``java.util.HashSet``, which Connect writes them in."""
    distinct = list(dict.fromkeys(names))
    buckets = 16
    while buckets < len(distinct) / 0.75 + 1:
        buckets *= 2
    return sorted(distinct, key=lambda name: spread_hash(name) & (buckets - 1))


def decode_metadata(protocol: str, data: bytes) -> WorkerState:
    """The opposite of `encode_metadata`; a newer version is read as far as ours goes. Raises `ProtocolError`."""
    reader = _Reader(data)
    reader.version()
    url, offset = reader.field("url", reader.text), reader.field("config-offset", reader.int64)
    if protocol == DEFAULT:
        return WorkerState(url, offset)
    # A worker may leave it out, as it may the ends of assignments.
    allocation = None if reader.ended else reader.field("allocation", reader.optional_bytes)
    return WorkerState(url, offset, decode_assignment(protocol, allocation))


def decode_assignment(protocol: str, data: bytes | None) -> Assignment:
    """The opposite of `encode_assignment`. Raises `ProtocolError`."""
    if data is None:
        return EMPTY_ASSIGNMENT
    reader = _Reader(data)
    version = reader.version()
    reader.may_end = protocol != DEFAULT
    error = reader.field("error", reader.int16)
    leader, leader_url = reader.field("leader", reader.text), reader.field("leader-url", reader.text)
    offset = reader.field("config-offset", reader.int64)
    if protocol == DEFAULT:
        connectors, tasks = _split(reader.field("assignment", reader.group))
        return Assignment(error, leader, leader_url, offset, connectors, tasks, version=version)
    connectors, tasks = _split(reader.field("assignment", reader.optional_group, ()))
    revoked_connectors, revoked_tasks = _split(reader.field("revoked", reader.optional_group, ()))
    delay = reader.field("delay", reader.int32, 0)
    return Assignment(
        error, leader, leader_url, offset, connectors, tasks, revoked_connectors, revoked_tasks, delay, version
    )


_Group = Sequence[tuple[str, Sequence[int]]]


def _split(group: _Group) -> tuple[tuple[str, ...], tuple[ConnectorTaskId, ...]]:
    connectors = tuple(name for name, numbers in group for number in numbers if number == _CONNECTOR)
    tasks = tuple(
        ConnectorTaskId(name, number) for name, numbers in group for number in numbers if number != _CONNECTOR
    )
    return connectors, tasks


_T = TypeVar("_T")


class _Reader:
    """Reads as Kafka's ``Schema.read`` does, with its words for bytes that do not fit, because people search for them."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        #: Fields with a default may be missing at the end, as an older worker leaves them out.
        self.may_end = False

    def version(self) -> int:
        version = self.field("version", self.int16)
        if version < 0:
            raise ProtocolError(f"Unsupported subscription version: {version}")
        return version

    def field(self, name: str, read: Callable[[], _T], default: _T | None = None) -> _T:
        try:
            if self.may_end and self.ended:
                if default is None:
                    raise ProtocolError(f"Missing value for field '{name}' which has no default value.")
                return default
            return read()
        except ProtocolError as error:
            raise ProtocolError(f"Error reading field '{name}': {error.message}") from None

    @property
    def ended(self) -> bool:
        return self._at == len(self._data)

    def int16(self) -> int:
        return int(struct.unpack(">h", self._take(2))[0])

    def int32(self) -> int:
        return int(struct.unpack(">i", self._take(4))[0])

    def int64(self) -> int:
        return int(struct.unpack(">q", self._take(8))[0])

    def text(self) -> str:
        length = self.int16()
        if length < 0:
            raise ProtocolError(f"String length {length} cannot be negative")
        return self._sized("string of length", length).decode("utf-8", "replace")

    def optional_bytes(self) -> bytes | None:
        size = self.int32()
        return None if size < 0 else self._sized("bytes of size", size)

    def optional_group(self) -> _Group:
        return self._group(nullable=True)

    def group(self) -> _Group:
        return self._group(nullable=False)

    def _group(self, nullable: bool) -> _Group:
        count = self._count(nullable)
        within, self.may_end = self.may_end, False
        entries = [(self.field("connector", self.text), self.field("tasks", self._numbers)) for _ in range(count)]
        self.may_end = within
        return entries

    def _numbers(self) -> Sequence[int]:
        return [self.int32() for _ in range(self._count(nullable=False))]

    def _count(self, nullable: bool) -> int:
        count = self.int32()
        if count < 0:
            if nullable:
                return 0
            raise ProtocolError(f"Array size {count} cannot be negative")
        self._check("array of size", count)
        return count

    def _sized(self, what: str, count: int) -> bytes:
        self._check(what, count)
        return self._take(count)

    def _check(self, what: str, count: int) -> None:
        left = len(self._data) - self._at
        if count > left:
            raise ProtocolError(f"Error reading {what} {count}, only {left} bytes available")

    def _take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise ProtocolError("java.nio.BufferUnderflowException")
        taken, self._at = self._data[self._at : end], end
        return taken
