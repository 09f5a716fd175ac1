"""``GET /cluster``: the group, its leader, the work of each member, and the work that waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.herder.distributed.leading import Leader, Pending
from penstock.herder.distributed.membership import GroupView
from penstock.herder.distributed.work import Work

__all__ = ["describe_group"]


def describe_group(view: GroupView, leader: Leader, settled: bool) -> dict[str, Any]:
    """`workers` and `pending` are known to the leader alone."""
    described: dict[str, Any] = {
        "generation": view.generation,
        "protocol": view.protocol or None,
        "state": "stable" if settled else "rebalancing",
        "leader_url": view.leader_url,
    }
    if view.is_leader:
        described["workers"] = [
            {"member_id": m.member_id, "url": m.url, "leader": m.member_id == view.member_id, **_work(m.work)}
            for m in sorted(view.members.values(), key=lambda member: member.url)
        ]
        described["pending"] = _pending(leader.pending())
    return described


def _work(work: Work) -> dict[str, Any]:
    return {"connectors": sorted(work.connectors), "tasks": [str(task) for task in sorted(work.tasks)]}


def _pending(pending: Pending | None) -> Mapping[str, Any] | None:
    if pending is None:
        return None
    why = "a worker left; its work waits for it to come back" if pending.work else "work was moved in the round before"
    return {"delay_ms": pending.milliseconds, "reason": why, **_work(pending.work)}
