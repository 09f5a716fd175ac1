"""``GET /connectors/{name}/health``: one connector's states in a sentence a probe understands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from penstock.herder.interface import ConnectorState, ConnectorStateInfo, TaskState
from penstock.runtime.status import State

__all__ = ["connector_health"]

#: A connector or task is in one of these states because somebody asked for it.
_WELL: Final = frozenset({State.RUNNING, State.PAUSED, State.STOPPED})


def connector_health(
    status: ConnectorStateInfo, configured: int, restarts: Mapping[int, int], troubles: Mapping[int, str]
) -> dict[str, Any]:
    """Return the body of the answer.

    `configured` is how many tasks there should be, `restarts` how often this worker restarted each by itself,
    `troubles` what those here keep trying in vain.
    """
    problems = []
    if (problem := _problem("the connector", status.connector)) is not None:
        problems.append(problem)
    problems += [p for task in status.tasks if (p := _problem(f"task {task.id.task}", task)) is not None]
    problems += [f"task {task} runs, but {trouble}" for task, trouble in sorted(troubles.items())]
    known = {task.id.task for task in status.tasks}
    if missing := [str(number) for number in range(configured) if number not in known]:
        problems.append(f"no worker has said anything of task {', '.join(missing)} yet")
    if configured == 0 and status.connector.state is State.RUNNING:
        problems.append("there are no tasks")
    return {
        "name": status.name,
        "healthy": not problems,
        "connector": status.connector.state.value,
        "tasks": dict(Counter(task.state.value for task in status.tasks)),
        "restarts": {str(task): count for task, count in sorted(restarts.items()) if count},
        "problems": problems,
    }


def _problem(who: str, status: ConnectorState | TaskState) -> str | None:
    if status.state in _WELL:
        return None
    cause = (status.trace or "").partition("\n")[0]
    return f"{who} is {status.state.value} on {status.worker_id}" + (f": {cause}" if cause else "")
