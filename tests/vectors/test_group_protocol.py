"""What workers of the JVM wrote into the group protocol, byte for byte, and what they made of broken bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from lab.vectors import Case, load
from penstock.herder.distributed.protocol import (
    COMPATIBLE,
    DEFAULT,
    SESSIONED,
    Assignment,
    WorkerState,
    decode_assignment,
    decode_metadata,
    encode_assignment,
    encode_metadata,
    subprotocols,
)
from penstock.runtime.status import ConnectorTaskId


def tasks(nodes: list[Mapping[str, Any]]) -> tuple[ConnectorTaskId, ...]:
    return tuple(ConnectorTaskId(node["connector"], node["task"]) for node in nodes)


def assignment(node: Mapping[str, Any] | None) -> Assignment | None:
    if node is None:
        return None
    return Assignment(
        node["error"], node["leader"], node["leaderUrl"], node["offset"], tuple(node["connectors"]), tasks(node["tasks"]),
        tuple(node.get("revokedConnectors", ())), tasks(node.get("revokedTasks", [])), node.get("delay", 0),
        node.get("version", 0),
    )  # fmt: skip


def shown(met: Assignment, eager: bool) -> dict[str, Any]:
    plain = {
        "error": met.error, "leader": met.leader, "leaderUrl": met.leader_url, "offset": met.offset,
        "connectors": list(met.connectors), "tasks": [task._asdict() for task in met.tasks],
    }  # fmt: skip
    if eager:
        return plain
    return {
        "version": met.version, **plain, "revokedConnectors": list(met.revoked_connectors),
        "revokedTasks": [task._asdict() for task in met.revoked_tasks], "delay": met.delay,
    }  # fmt: skip


def shown_state(met: WorkerState) -> dict[str, Any]:
    node: dict[str, Any] = {"url": met.url, "offset": met.offset}
    return node if met.assignment is None else {**node, "assignment": shown(met.assignment, eager=False)}


def protocol_of(case: Case) -> str:
    if case.simple_class == "ConnectProtocol":
        return DEFAULT
    return SESSIONED if case.input.get("sessioned") else COMPATIBLE


def run(case: Case) -> Any:
    given, protocol = case.input, protocol_of(case)
    match given["op"]:
        case "serializeMetadata":
            state = WorkerState(given["url"], given["offset"], assignment(given.get("assignment")))
            data = encode_metadata(protocol, state)
            return {"bytes": {"hex": data.hex()}, "decoded": shown_state(decode_metadata(protocol, data))}
        case "serializeAssignment":
            value = assignment(given.get("assignment", given))
            written = encode_assignment(protocol, value) if value is not None else None
            if written is None:
                return {"bytes": None}
            read = decode_assignment(protocol, written)
            return {"bytes": {"hex": written.hex()}, "decoded": shown(read, protocol == DEFAULT)}
        case "metadataRequest":
            state = WorkerState(given["url"], given["offset"], assignment(given["assignment"]))
            names = subprotocols(given["connect.protocol"])
            return {"protocols": [{"name": n, "metadata": encode_metadata(n, state).hex()} for n in names]}
        case "deserializeAssignment":
            return {"decoded": shown(decode_assignment(protocol, bytes.fromhex(given["hex"])), protocol == DEFAULT)}
        case "deserializeMetadata":
            return {"decoded": shown_state(decode_metadata(protocol, bytes.fromhex(given["hex"])))}
    raise AssertionError(f"unknown operation {given['op']}")


@pytest.mark.parametrize("case", [*load("group_protocol"), *load("group_protocol_odd")], ids=lambda case: case.id)
def test_group_protocol(case: Case, judge: Callable[[Case, Any], None]) -> None:
    judge(case, run)
